// @ts-check
// One transfer as a row: made once, updated in place, so that focus and buttons stay put.

import { ask } from "./background.js";
import { byId, draw, h, icon } from "./dom.js";
import * as format from "./format.js";
import { failureText } from "./report.js";
import { language, t } from "./text.js";
import { STATES, abilities, share } from "./transfer-model.js";

const STATE_ICONS = /** @type {Record<string, string>} */ ({
  initiating: "clock",
  queued: "clock",
  willretry: "clock",
  completed: "done",
  failed: "warning",
  cancelled: "stop",
});

/** What one can do with a transfer: word of the protocol, picture, text. */
export const ACTIONS = /** @type {[string, string, string][]} */ ([
  ["stop", "pause", "actionStop"],
  ["resume", "resume", "actionResume"],
  ["unlock", "unlock", "actionUnlock"],
  ["reveal", "folder", "actionReveal"],
  ["remove", "remove", "actionRemove"],
]);

/** @typedef {{element: HTMLElement, update: (view: TransferView) => void}} Row */

/** Does it and says why if it cannot be done. @param {string} name @param {string} uuid */
export async function perform(name, uuid) {
  try {
    await ask(`ui.${name}`, { uuid });
    byId("notice").textContent = "";
  } catch (error) {
    await notify(error);
  }
}

/** Says above the list why something was refused. What that takes is loaded when it is needed. @param {unknown} error */
export async function notify(error) {
  const { refusalText } = await import("./errors.js");
  byId("notice").textContent = refusalText(error);
}

/**
 * @param {TransferView} first
 * @param {"listitem" | "row"} role a row of a grid has cells and is a stop of the keyboard
 * @returns {Row}
 */
export function makeRow(first, role) {
  const cell = role === "row" ? { role: "gridcell" } : {};
  const title = h("span", { class: "title" });
  const way = icon("");
  const direction = h("span", { class: "direction" }, way);
  const directionText = h("span", { class: "visually-hidden" });
  const where = h("span", { class: "where muted" });
  const progress = h("progress", { max: 1, "aria-label": t("progressLabel") });
  const mark = icon("");
  const state = h("span", { class: "state" });
  const amount = h("span", { class: "amount" });
  const rate = h("span", { class: "rate" });
  const left = h("span", { class: "left" });
  const files = h("span", { class: "files" });
  const error = h("p", { class: "error" });
  let uuid = first.uuid;
  let status = "";
  let up = /** @type {boolean | null} */ (null);
  const buttons = ACTIONS.map(([name, picture, key]) => {
    const button = h("button", { type: "button", class: `quiet ${name}`, title: t(key), "aria-label": t(key) }, icon(picture));
    if (role === "row") button.tabIndex = -1;
    button.addEventListener("click", async (event) => {
      event.stopPropagation();
      button.disabled = true;
      await perform(name, uuid);
      button.disabled = false;
    });
    return button;
  });
  const element = h(
    role === "row" ? "div" : "li",
    { class: "transfer", ...(role === "row" ? { role, tabindex: -1, "aria-selected": "false" } : {}) },
    direction,
    h(
      "div",
      { class: "body", ...cell },
      h("div", { class: "names" }, directionText, title, where),
      progress,
      h("div", { class: "facts muted" }, h("span", { class: "mark" }, mark), state, amount, rate, left, files),
      error,
    ),
    h("div", { class: "actions", ...cell }, ...buttons),
  );

  /** @param {TransferView} view */
  const update = (view) => {
    uuid = view.uuid;
    if (status !== view.status) {
      status = view.status;
      element.dataset.status = status;
      draw(mark, STATE_ICONS[status] ?? "");
    }
    const running = status === "running" || status === "initiating";
    const done = share(view);
    if (element.dataset.uuid !== uuid) element.dataset.uuid = uuid;
    if (up !== (view.direction === "send")) {
      up = view.direction === "send";
      draw(way, up ? "up" : "down");
      const label = t(up ? "directionSend" : "directionReceive");
      direction.title = label;
      directionText.textContent = label;
    }
    set(title, view.title);
    setTitle(title, view.current_file || view.title);
    set(where, t("whereLine", view.remote_host, view.origin));
    setTitle(where, where.textContent ?? "");
    // Without a known size the bar says "busy" rather than a number.
    if (running && view.bytes_expected === 0) progress.removeAttribute("value");
    else progress.value = done;
    set(state, stateOf(view));
    set(amount, amountOf(view));
    set(files, filesOf(view));
    set(rate, status === "running" ? format.rate(view.rate_kbps, language) : "");
    set(left, status === "running" && view.seconds_left !== null ? t("timeLeft", format.duration(view.seconds_left, language)) : "");
    const failure = view.error !== null && (status === "failed" || status === "willretry") ? failureText(view.error, t, language) : "";
    const encrypted = stillEncrypted(view);
    set(error, failure || shortageOf(view) || encrypted);
    error.classList.toggle("calm", encrypted !== "" && view.unlocked?.why == null);
    setTitle(error, error.textContent ?? "");
    if (error.hidden !== (error.textContent === "")) error.hidden = !error.hidden;
    const can = abilities(view);
    ACTIONS.forEach(([name], i) => {
      const button = buttons[i];
      if (button && button.hidden === can[name]) button.hidden = !can[name];
    });
  };
  update(first);
  return { element, update };
}

/** @param {TransferView} view */
export function amountOf({ status, bytes_written, bytes_expected }) {
  if (status === "completed" || bytes_expected === 0) return format.bytes(bytes_written, language);
  return t("amountOf", format.bytes(bytes_written, language), format.bytes(bytes_expected, language));
}

/** What its disk lacks, if anything. @param {TransferView} view */
export function shortageOf({ shortage }) {
  if (!shortage) return "";
  const free = format.bytes(shortage.free, language);
  return shortage.needed > shortage.free ? t("shortageFull", format.bytes(shortage.needed, language), free) : t("shortageLow", free);
}

/** What stays encrypted of what arrived, and what to do. @param {TransferView} view */
export function stillEncrypted({ unlocked, unlocking }) {
  if (!unlocked || unlocked.kept === 0 || unlocking) return "";
  const failed = unlocked.why == null ? "stillEncryptedOther" : "stillEncryptedFailed";
  return t("stillEncrypted", format.number(unlocked.kept, language), t(unlocked.wrong_passphrase ? "stillEncryptedWrong" : failed));
}

/** How it stands, in a word or a number. @param {TransferView} view */
export function stateOf(view) {
  if (view.unlocking) return t("unlocking", format.percent(share(view), language));
  return view.status === "running" ? format.percent(share(view), language) : t(STATES[view.status] ?? "stateRunning");
}

/** @param {TransferView} view */
export function filesOf({ files_completed, files_expected }) {
  return files_expected > 1 ? t("filesLine", format.number(files_completed, language), format.number(files_expected, language)) : "";
}

/** As `set`, for what the mouse shows. @param {HTMLElement} element @param {string} text */
function setTitle(element, text) {
  if (element.title !== text) element.title = text;
}

/**
 * Leaves an unchanged text alone, so that a selection in it stays. A changed one is written into the text that is there: another would
 * have to be laid out anew.
 * @param {HTMLElement} element that holds nothing else @param {string} text
 */
export function set(element, text) {
  const there = element.firstChild;
  if (!(there instanceof Text)) element.textContent = text;
  else if (there.data !== text) there.data = text;
}
