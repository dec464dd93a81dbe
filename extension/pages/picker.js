// @ts-check
// Choosing files, folders or a place to save, for a page. The page learns only what is chosen here.

import { ask } from "../ui/background.js";
import { byId, drawIcons, h, icon, ready } from "../ui/dom.js";
import { refusalText } from "../ui/errors.js";
import { FileList } from "../ui/file-list.js";
import { crumbs, fits, isAbsolute, isName, join, split } from "../ui/paths.js";
import { decide, question, showOrigin } from "../ui/prompt.js";
import { localize, t } from "../ui/text.js";

/** @type {Record<string, string>} */
const PLACES = { home: "placeHome", desktop: "placeDesktop", documents: "placeDocuments", downloads: "placeDownloads", root: "placeRoot" };
/** @type {Record<string, string>} */
const PLACE_ICONS = { home: "home", desktop: "desktop", documents: "file", downloads: "down", recent: "clock", root: "disk" };

const pathInput = /** @type {HTMLInputElement} */ (byId("path-input"));
const nameInput = /** @type {HTMLInputElement} */ (byId("name-input"));
const folderInput = /** @type {HTMLInputElement} */ (byId("new-folder-name"));
const hiddenToggle = /** @type {HTMLInputElement} */ (byId("hidden-toggle"));
const filterSelect = /** @type {HTMLSelectElement} */ (byId("filter"));
const choose = /** @type {HTMLButtonElement} */ (byId("choose"));

/** @type {Prompt} */
let prompt;
/** @type {FolderListing | null} */
let listing = null;
/** @type {FileList} */
let list;
/** Counts navigations: an answer that comes late must not replace a newer one. */
let turn = 0;

localize();
drawIcons();
question((asked) => {
  prompt = asked;
  const ask = /** @type {Record<string, [string, string]>} */ ({
    "open-files": ["pickerWantsFiles", "chooseOpen"],
    "open-folders": ["pickerWantsFolders", "chooseFolder"],
    "save-file": ["pickerWantsSave", "chooseSave"],
  })[prompt.ask] ?? ["pickerWantsFiles", "chooseOpen"];
  showOrigin(byId("origin"), prompt);
  byId("wants").textContent = t(ask[0]);
  byId("site-title").textContent = prompt.title ? t("quoted", prompt.title) : "";
  byId("choose").textContent = t(ask[1]);
  document.title = t("pickerTitle", prompt.origin);
  byId("save-row").hidden = prompt.ask !== "save-file";
  nameInput.value = isName(prompt.suggested_name ?? "") ? (prompt.suggested_name ?? "") : "";
  const filters = prompt.ask === "open-folders" ? [] : (prompt.filters ?? []);
  filterSelect.hidden = filters.length === 0;
  filterSelect.replaceChildren(...filters.map(({ filter_name, extensions }) => h("option", {}, filter_name || extensions.join(", "))));
  list = new FileList(byId("list"), prompt.multiple === true && prompt.ask !== "save-file", { changed: chosenChanged, opened });
  void begin().then(() => {
    if (prompt.ask === "save-file") {
      nameInput.focus();
      const dot = nameInput.value.lastIndexOf(".");
      nameInput.setSelectionRange(0, dot > 0 ? dot : nameInput.value.length);
    } else {
      byId("list").focus();
    }
    ready();
  });
});

/** Where the question says, with the name it says; else where the last dialog was. A name that only the page suggests is not
 * chosen: Enter would give it away. */
async function begin() {
  if (prompt.folder !== undefined && (await go(prompt.folder, prompt.suggested_name ?? null))) return;
  await go(null);
}

/**
 * Shows a folder.
 * @param {string | null} path null: where the last dialog was
 * @param {string | null} [select] name to choose there
 * @returns {Promise<boolean>} false if it cannot be shown
 */
async function go(path, select = null) {
  const mine = ++turn;
  document.body.dataset.busy = "true";
  try {
    const next = await ask("ui.list-folder", { path: path ?? undefined, hidden: hiddenToggle.checked });
    if (mine !== turn) return true;
    show(next, select);
    return true;
  } catch (error) {
    if (mine === turn) say(refusalText(error));
    return false;
  } finally {
    if (mine === turn) delete document.body.dataset.busy;
  }
}

/** @param {FolderListing} next @param {string | null} select */
function show(next, select) {
  const from = listing?.path;
  listing = next;
  say(next.truncated ? t("listTruncated") : "");
  byId("replace-row").hidden = true;
  document.body.dataset.path = next.path;
  pathInput.value = next.path;
  /** @type {HTMLButtonElement} */ (byId("up")).disabled = next.parent === null;
  byId("breadcrumbs").replaceChildren(
    ...crumbs(next.path).map(({ name, path }, i, all) =>
      h("button", { type: "button", class: "crumb", "data-path": path, "aria-current": i === all.length - 1 ? "location" : null,
        onclick: () => void go(path) }, name),
    ),
  );
  byId("places").replaceChildren(
    ...next.places.map(({ kind, path }) =>
      h("button", { type: "button", class: "place", "data-path": path, title: path, "aria-current": path === next.path ? "location" : null,
        onclick: () => void go(path) }, icon(PLACE_ICONS[kind] ?? "folder"), h("span", {}, t(PLACES[kind] ?? "") || split(path).name)),
    ),
  );
  // Going up leaves the cursor on the folder one comes from.
  const back = from !== undefined && split(from).folder === next.path ? split(from).name : null;
  list.fill(visible(next.entries), select ?? back);
  byId("list-empty").hidden = list.entries.length > 0;
  if (select === null && back !== null) {
    list.selection.none();
    chosenChanged();
  }
}

/** @param {FolderEntry[]} entries */
function visible(entries) {
  const filter = prompt.filters?.[filterSelect.selectedIndex] ?? null;
  return entries.filter(({ name, folder }) => folder || (prompt.ask !== "open-folders" && fits(name, filter)));
}

function chosenChanged() {
  if (!prompt) return;
  const chosen = list.chosen();
  const files = chosen.filter(({ folder }) => !folder);
  byId("count").textContent = chosen.length > 1 ? t("chosenCount", String(chosen.length)) : "";
  switch (prompt.ask) {
    case "open-files":
      choose.disabled = chosen.length === 0;
      return;
    case "open-folders":
      choose.disabled = listing === null;
      choose.textContent = t(chosen.length > 0 ? "chooseFolder" : "chooseThisFolder");
      return;
    default:
      if (files[0] !== undefined) nameInput.value = files[0].name;
      choose.disabled = !isName(nameInput.value);
  }
}

/** @param {FolderEntry} entry */
function opened(entry) {
  if (listing === null) return;
  if (entry.folder) void go(join(listing.path, entry.name));
  else accept();
}

/** The main button, or Enter. */
function accept() {
  if (listing === null) return;
  const { path } = listing;
  const chosen = list.chosen();
  switch (prompt.ask) {
    case "open-files": {
      const files = chosen.filter(({ folder }) => !folder);
      const [first] = chosen;
      if (files.length > 0) finish(files.map(({ name }) => join(path, name)));
      else if (first !== undefined) void go(join(path, first.name));
      return;
    }
    case "open-folders":
      return finish(chosen.length > 0 ? chosen.map(({ name }) => join(path, name)) : [path]);
    default:
      return save();
  }
}

function save() {
  if (listing === null) return;
  const name = nameInput.value;
  if (!isName(name)) return say(t("badName"));
  const there = listing.entries.find((entry) => entry.name === name);
  if (there?.folder) return void go(join(listing.path, name));
  if (there === undefined) return finish([join(listing.path, name)]);
  byId("replace-question").textContent = t("replaceQuestion", name);
  byId("replace-row").hidden = false;
  byId("replace-not").focus();
}

/** @param {string[]} paths */
const finish = (paths) => void decide({ decision: "chosen", paths });
const cancel = () => void decide({ decision: "cancel" });

/** @param {string} text */
function say(text) {
  byId("error").textContent = text;
}

/** Enter in the path field: a folder is shown, a file is chosen. */
async function followPath() {
  const typed = pathInput.value.trim();
  const path = typed.length > 1 ? typed.replace(/\/+$/, "") || "/" : typed;
  if (!isAbsolute(path)) return say(t("pathMustBeAbsolute"));
  if (await go(path)) return byId("list").focus();
  const why = byId("error").textContent ?? "";
  const { folder, name } = split(path);
  if (prompt.ask === "save-file") {
    if (!(await go(folder))) return;
    nameInput.value = name;
    chosenChanged();
    return nameInput.focus();
  }
  if (prompt.ask !== "open-files") return;
  try {
    const around = /** @type {FolderListing} */ (await ask("ui.list-folder", { path: folder, hidden: true }));
    if (around.truncated || around.entries.some((entry) => entry.name === name && !entry.folder)) return finish([path]);
  } catch {
    // The agent's words for the path itself say more.
  }
  say(why);
}

async function makeFolder() {
  const name = folderInput.value;
  if (listing === null || !isName(name)) return say(t("badName"));
  try {
    const made = await ask("ui.create-folder", { parent: listing.path, name });
    byId("new-folder-row").hidden = true;
    show(made, null);
    byId("list").focus();
  } catch (error) {
    say(refusalText(error));
  }
}

/** @param {boolean} on */
function showNewFolder(on) {
  byId("new-folder-row").hidden = !on;
  folderInput.value = on ? t("newFolderName") : "";
  if (on) folderInput.select();
  else byId("list").focus();
}

const up = () => void (listing?.parent != null && go(listing.parent));

choose.addEventListener("click", accept);
byId("cancel").addEventListener("click", cancel);
byId("up").addEventListener("click", up);
byId("path-go").addEventListener("click", () => void followPath());
byId("new-folder").addEventListener("click", () => showNewFolder(true));
byId("new-folder-create").addEventListener("click", () => void makeFolder());
byId("new-folder-cancel").addEventListener("click", () => showNewFolder(false));
byId("replace").addEventListener("click", () => listing && finish([join(listing.path, nameInput.value)]));
byId("replace-not").addEventListener("click", () => {
  byId("replace-row").hidden = true;
  nameInput.focus();
});
hiddenToggle.addEventListener("change", () => void go(listing?.path ?? null));
filterSelect.addEventListener("change", () => listing && list.fill(visible(listing.entries)));
nameInput.addEventListener("input", chosenChanged);

/** @param {HTMLInputElement} input @param {() => void} enter */
const onEnter = (input, enter) =>
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    enter();
  });
onEnter(pathInput, () => void followPath());
onEnter(nameInput, save);
onEnter(folderInput, () => void makeFolder());

document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  const typing = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (event.key === "Escape") {
    if (!byId("new-folder-row").hidden) showNewFolder(false);
    else cancel();
  } else if ((event.key === "Backspace" && !typing) || (event.key === "ArrowUp" && event.altKey)) {
    up();
  } else if (control && event.key.toLowerCase() === "l") {
    pathInput.focus();
    pathInput.select();
  } else if (control && event.key.toLowerCase() === "h") {
    hiddenToggle.click();
  } else if (event.key === "Enter" && event.target === byId("list")) {
    accept();
  } else {
    return;
  }
  event.preventDefault();
});
