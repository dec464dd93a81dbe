// @ts-check
// Flyway: what a web application written for the vendor's SDK looks like. Nothing in here knows Godwit.

const AW4 = /** @type {any} */ (globalThis).AW4;

/** @param {string} id @returns {any} */
const the = (id) => document.getElementById(id);

/** Local paths to send. @type {{name: string, size: number, type: string}[]} */
let chosen = [];
/** Folder of the server that is shown, and the names marked in it. */
let folder = "/";
const marked = new Set();
/** The transfers as last reported, by uuid, in the order of their appearance. */
const transfers = new Map();

const connect = new AW4.Connect({ minVersion: "3.9.0" });

// --- Godwit's state ---

const STATES = {
  INITIALIZING: "Looking for Godwit…",
  RETRYING: "Starting Godwit…",
  RUNNING: "Godwit is ready",
  OUTDATED: "Godwit is too old",
  FAILED: "Godwit's program is not installed",
  EXTENSION_INSTALL: "The Godwit extension is not installed",
};

/** @param {keyof typeof STATES} status */
function showStatus(status) {
  the("status").dataset.status = status;
  the("status").textContent = STATES[status] ?? status;
  for (const id of ["choose-files", "choose-folder"]) the(id).disabled = status !== "RUNNING";
  showChosen();
  showMarked();
}

const running = () => the("status").dataset.status === "RUNNING";

// --- Sending ---

the("choose-files").addEventListener("click", () => choose("showSelectFileDialog"));
the("choose-folder").addEventListener("click", () => choose("showSelectFolderDialog"));

/** @param {"showSelectFileDialog" | "showSelectFolderDialog"} dialog */
function choose(dialog) {
  const success = (/** @type {any} */ answer) => {
    const known = new Set(chosen.map((file) => file.name));
    chosen.push(...answer.dataTransfer.files.filter((/** @type {any} */ file) => !known.has(file.name)));
    showChosen();
  };
  connect[dialog]({ success, error: complain }, { title: "Send to Flyway" });
}

function showChosen() {
  the("chosen").replaceChildren(...chosen.map((file) => element("li", {}, file.name)));
  the("nothing-chosen").hidden = chosen.length > 0;
  the("upload").disabled = chosen.length === 0 || !running();
}

the("upload").addEventListener("click", async () => {
  const paths = chosen.map((file) => ({ source: file.name }));
  chosen = [];
  showChosen();
  await start({ direction: "send", paths, destination_root: "/inbox", create_dir: true }, {});
});

// --- The server's files ---

/** @param {string} path */
async function showFolder(path) {
  const answer = await fetch(`/api/list?path=${encodeURIComponent(path)}`);
  const { entries } = await answer.json();
  if (path !== folder) marked.clear();
  folder = path;
  showWhere();
  the("server").replaceChildren(...entries.map(row));
  showMarked();
}

function showWhere() {
  const parts = folder.split("/").filter(Boolean);
  const crumbs = [element("button", { type: "button", "data-path": "/" }, "server")];
  parts.forEach((part, index) => {
    const path = `/${parts.slice(0, index + 1).join("/")}`;
    crumbs.push(element("span", {}, "›"), element("button", { type: "button", "data-path": path }, part));
  });
  the("where").replaceChildren(...crumbs);
}

the("where").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  const path = /** @type {HTMLElement} */ (event.target).dataset.path;
  if (path) showFolder(path);
});

/** @param {{name: string, folder: boolean, size: number, files?: number}} entry */
function row(entry) {
  const mark = element("input", { type: "checkbox", "aria-label": `Mark ${entry.name}` });
  mark.checked = marked.has(entry.name);
  mark.addEventListener("change", () => {
    if (mark.checked) marked.add(entry.name);
    else marked.delete(entry.name);
    showMarked();
  });
  const name = element(entry.folder ? "button" : "span", { class: "name" }, entry.folder ? `${entry.name}/` : entry.name);
  if (entry.folder) name.addEventListener("click", () => showFolder(`${folder === "/" ? "" : folder}/${entry.name}`));
  const size = entry.folder ? `${count(entry.files ?? 0)}, ${bytes(entry.size)}` : bytes(entry.size);
  const line = element("li", { "data-name": entry.name }, mark, name, element("span", { class: "size" }, size));
  return line;
}

function showMarked() {
  the("marked").textContent = marked.size > 0 ? `${marked.size} marked` : "Mark what you want.";
  the("download").disabled = marked.size === 0 || !running();
}

the("download").addEventListener("click", () => {
  const names = [...marked];
  const prefix = folder === "/" ? "" : folder;
  const success = (/** @type {any} */ answer) => {
    const target = answer.dataTransfer.files[0]?.name;
    if (!target) return;
    marked.clear();
    showFolder(folder);
    start(
      { direction: "receive", paths: names.map((name) => ({ source: `${prefix}/${name}` })), destination_root: target, create_dir: true },
      { use_absolute_destination_path: true },
    );
  };
  const options = { title: "Save to", allowMultipleSelection: false };
  connect.showSelectFolderDialog({ success, error: complain }, options);
});

// --- Transfers ---

/** Asks our own server for address and login, as web applications do, then starts. @param {object} what @param {object} settings */
async function start(what, settings) {
  const login = await (await fetch("/api/login")).json();
  const rate = { rate_policy: the("rate").value === "10000000" ? "fair" : "fixed", target_rate_kbps: Number(the("rate").value) };
  connect.startTransfer({ ...login, ...rate, ...what }, settings, { error: complain });
}

const WORDS = {
  initiating: "starting",
  queued: "waiting for its turn",
  running: "running",
  willretry: "will try again",
  completed: "completed, every byte verified",
  failed: "failed",
  cancelled: "stopped",
};

function showTransfers() {
  const lines = [...transfers.values()].filter((info) => info.status !== "removed").reverse().map(line);
  the("transfers").replaceChildren(...lines);
  the("no-transfers").hidden = lines.length > 0;
}

/** @param {any} info */
function line(info) {
  const up = info.transfer_spec?.direction !== "receive";
  const bar = element("progress", { max: "1", "aria-label": info.title });
  bar.value = info.status === "completed" ? 1 : (info.percentage ?? 0);
  const done = info.status === "completed" ? bytes(info.bytes_written) : `${bytes(info.bytes_written)} of ${bytes(info.bytes_expected)}`;
  const seconds = info.elapsed_usec / 1e6;
  const average = info.status === "completed" && seconds > 0 ? (info.bytes_written * 8) / seconds / 1e6 : 0;
  const speed = info.status === "running" ? info.calculated_rate_kbps / 1000 : average;
  const rate = speed > 0 ? ` · ${Math.round(speed).toLocaleString("en")} Mbit/s` : "";
  const time = average > 0 ? ` · ${seconds.toFixed(1)} s` : "";
  const files = info.file_counts?.completed > 1 ? ` · ${count(info.file_counts.completed)}` : "";
  const state = element("span", { class: "state" }, WORDS[/** @type {keyof typeof WORDS} */ (info.status)] ?? info.status);
  const numbers = element("span", { class: "numbers" }, state, ` · ${done}${files}${time}${rate}`);
  const parts = [element("span", { class: "way" }, up ? "↑" : "↓"), element("span", { class: "title" }, info.title), bar, numbers];
  if (info.error_desc) parts.push(element("span", { class: "error" }, info.error_desc));
  parts.push(element("span", { class: "actions" }, ...actions(info)));
  return element("li", { "data-uuid": info.uuid, "data-status": info.status, "data-seconds": String(seconds) }, ...parts);
}

/** @param {any} info */
function actions(info) {
  const button = (/** @type {string} */ word, /** @type {() => void} */ act) => {
    const made = element("button", { type: "button", class: `quiet ${word.toLowerCase()}` }, word);
    made.addEventListener("click", act);
    return made;
  };
  const callbacks = { error: complain };
  const found = [];
  if (["initiating", "queued", "running", "willretry"].includes(info.status)) {
    found.push(button("Stop", () => connect.stopTransfer(info.uuid, callbacks)));
  }
  if (["failed", "cancelled"].includes(info.status)) {
    found.push(
      button("Resume", async () => {
        const { remote_password } = await (await fetch("/api/login")).json();
        connect.resumeTransfer(info.uuid, { remote_password }, callbacks);
      }),
    );
  }
  if (!["initiating", "running"].includes(info.status)) {
    found.push(button("Remove", () => connect.removeTransfer(info.uuid, callbacks)));
  }
  return found;
}

// --- Small things ---

/** @type {ReturnType<typeof setTimeout> | undefined} */
let quiet;

/** @param {any} error */
function complain(error) {
  the("message").textContent = error?.error?.user_message ?? "That did not work.";
  the("message").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => (the("message").hidden = true), 8_000);
}

/**
 * @param {string} name @param {Record<string, string>} attributes @param {...(string | Node)} children
 * @returns {any}
 */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** @param {number} files */
const count = (files) => `${files.toLocaleString("en")} ${files === 1 ? "file" : "files"}`;

/** @param {number} size */
function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [size, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

// --- Beginning ---

connect.addEventListener(AW4.Connect.EVENT.STATUS, (/** @type {string} */ _type, /** @type {any} */ status) => showStatus(status));
connect.addEventListener(AW4.Connect.EVENT.TRANSFER, (/** @type {string} */ _type, /** @type {any} */ data) => {
  for (const info of data.transfers) {
    const before = transfers.get(info.uuid)?.status;
    transfers.set(info.uuid, info);
    if (info.status === "completed" && before && before !== "completed") showFolder(folder);
  }
  showTransfers();
});
connect.initSession();
showFolder("/");
