// @ts-check
// The web application of godwit-server: who is signed in, what is shown, and what belongs together.

import { byId, drawIcons, ready } from "../ui/dom.js";
import * as api from "./api.js";
import { Diagnostics } from "./diagnostics.js";
import { Files, sentence } from "./files.js";
import { showStatus } from "./install.js";
import { Godwit, words } from "./sdk.js";
import * as sharing from "./share.js";
import { localize, t } from "./text.js";
import { Transfers } from "./transfers.js";
import { read } from "./where.js";

/** How long a message stays. */
const MESSAGE_MS = 12_000;

/** @type {api.State | undefined} */
let state;
/** Of the link that was followed. @type {any} */
let shared;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let quiet;

/** @param {unknown} error */
function complain(error) {
  const text = error instanceof Error ? sentence(error) : words(error) || t("didNotWork");
  byId("message").textContent = text;
  byId("message").hidden = false;
  clearTimeout(quiet);
  quiet = setTimeout(() => (byId("message").hidden = true), MESSAGE_MS);
}

const godwit = new Godwit({
  status: (status) => {
    showStatus(status, state?.install_url ?? null);
    files.buttons();
    shareButton();
  },
  transfers: (changed) => transfers.update(changed),
});
const files = new Files(godwit, complain);
const diagnostics = new Diagnostics(godwit, () => state);
const transfers = new Transfers(godwit, {
  token,
  complain: (text) => complain(new Error(text)),
  completed: (info) => {
    const { direction, destination_root } = info.transfer_spec ?? {};
    // What arrived in the folder that is shown, or in one below it.
    if (direction !== "receive" && String(destination_root ?? "").startsWith(files.path)) files.reload().catch(complain);
  },
});

/** A new token for a transfer that shall go on. @param {import("./sdk.js").TransferInfo} info @returns {Promise<string>} */
async function token({ transfer_spec: spec }) {
  if (shared !== undefined) return shared.token;
  if (spec.direction !== "receive") return (await api.uploadSpec(spec.destination_root)).token;
  return (await api.downloadSpec(spec.paths.map((/** @type {{source: string}} */ path) => path.source))).token;
}

// --- What is shown ---

/** @param {"sign-in" | "files" | "share" | "diagnostics"} view */
function view(view) {
  for (const each of ["sign-in", "files", "share", "diagnostics"]) byId(`view-${each}`).hidden = each !== view;
  byId("transfers").hidden = view === "sign-in" || view === "diagnostics" || state?.sdk !== true;
  document.body.dataset.view = view;
}

function who() {
  const user = state?.user;
  byId("user").textContent = user ?? "";
  for (const id of ["user", "sign-out"]) byId(id).hidden = user === undefined;
  byId("links").hidden = user === undefined || !(state?.share_seconds ?? 0) || state?.rights?.view !== true;
}

/** Follows the page's address. */
async function route() {
  const where = read(location.hash);
  if (where.view === "share") {
    view("share");
    const opened = await sharing.open(where.token);
    shared = opened?.spec;
    await begin(opened?.appId);
    shareButton();
  } else if (where.view === "diagnostics") {
    view("diagnostics");
    await begin(state?.app_id);
    diagnostics.start().catch(complain);
  } else if (state?.user === undefined) {
    view("sign-in");
    byId("sign-in-user").focus();
  } else if (begunAs !== state.app_id) {
    // The page was a link's, or nobody's, before.
    return location.reload();
  } else {
    view("files");
    await files.show(where.path);
  }
  ready();
}

/** The SDK's session; one for each load of the page, for one app id. @type {string | undefined} */
let begunAs;

/** @param {string} [appId] whose transfers the page shows; nobody's without one, not even those of who was here before */
async function begin(appId = nobody()) {
  if (begunAs !== undefined || state === undefined) return;
  begunAs = appId;
  if (!state.sdk) return godwit.say("MISSING");
  showStatus("INITIALIZING", state.install_url);
  try {
    await godwit.begin(begunAs);
    godwit.takeDrops("#drop", dragged, (paths) => files.send(paths).catch(complain));
  } catch (error) {
    complain(error);
    godwit.say("MISSING");
  }
}

function nobody() {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
}

/** Shows where a drop would go. @param {Event} event */
function dragged(event) {
  byId("drop").classList.toggle("over", event.type === "dragenter");
}

// --- Signing in and out ---

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [user, password] = ["sign-in-user", "sign-in-password"].map((id) => /** @type {HTMLInputElement} */ (byId(id)));
  byId("sign-in-error").textContent = "";
  const button = /** @type {HTMLButtonElement} */ (byId("sign-in").querySelector("button"));
  button.disabled = true;
  try {
    await signedIn(await api.signIn(user?.value ?? "", password?.value ?? ""));
    if (password) password.value = "";
  } catch (error) {
    const { status = 0, message = "" } = error instanceof api.Refused ? error : {};
    byId("sign-in-error").textContent = status === 401 ? t("signInWrong") : status === 429 ? t("signInLater") : message || t("unreachable");
    password?.select();
    password?.focus();
  } finally {
    button.disabled = false;
  }
});

/** @param {api.State} now */
async function signedIn(now) {
  // Transfers of somebody else, or of nobody, are not this person's.
  if (begunAs !== undefined && begunAs !== now.app_id) return location.reload();
  state = now;
  files.shareSeconds = now.share_seconds;
  files.encryptedOnly = now.content_protection_required === true;
  byId("encrypted-only").hidden = !files.encryptedOnly;
  who();
  if (read(location.hash).view !== "share") await begin(now.app_id);
  await route();
}

byId("sign-out").addEventListener("click", async () => {
  await api.signOut().catch(() => {});
  // A fresh page: nothing of the session stays in it, transfers go on.
  location.hash = "";
  location.reload();
});

api.onSignedOut(() => {
  if (state?.user === undefined) return;
  // What is typed next is for this page; the folder stays in the address.
  state = { ...state };
  delete state.user;
  who();
  transfers.forget();
  view("sign-in");
  byId("sign-in-error").textContent = t("signInAgain");
  byId("sign-in-user").focus();
});

// --- Diagnostics ---

byId("diagnose").addEventListener("click", () => (location.hash = "#diagnostics"));
byId("diagnose-back").addEventListener("click", () => files.go(files.path));

// --- Links ---

byId("links").addEventListener("click", () => sharing.manage().catch(complain));

function shareButton() {
  /** @type {HTMLButtonElement} */ (byId("share-download")).disabled = shared === undefined || godwit.status !== "RUNNING";
}

byId("share-download").addEventListener("click", async () => {
  try {
    const [target] = await godwit.choose("target", t("saveTo"));
    if (target === undefined || shared === undefined) return;
    await godwit.start({ ...shared, destination_root: target, create_dir: true }, { use_absolute_destination_path: true });
  } catch (error) {
    complain(error);
  }
});

// --- Beginning ---

addEventListener("hashchange", () => route().catch(complain));

localize();
drawIcons();
try {
  const now = await api.who();
  if (now.user === undefined) {
    state = now;
    await route();
  } else {
    await signedIn(now);
  }
} catch (error) {
  complain(error);
  view("sign-in");
  ready();
}
