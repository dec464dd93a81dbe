// @ts-check
// The list of transfers of popup and activity window: rows updated in place, so that focus and buttons stay put.

import { ask, begin, on } from "./background.js";
import { showConnection } from "./connection.js";
import { byId, h, icon, ready } from "./dom.js";
import * as format from "./format.js";
import { language, t } from "./text.js";

/** Texts for the states of a transfer. */
const STATES = /** @type {Record<string, string>} */ ({
  initiating: "stateInitiating",
  queued: "stateQueued",
  running: "stateRunning",
  willretry: "stateWillRetry",
  completed: "stateCompleted",
  failed: "stateFailed",
  cancelled: "stateCancelled",
});

const STATE_ICONS = /** @type {Record<string, string>} */ ({
  queued: "clock",
  willretry: "clock",
  completed: "done",
  failed: "warning",
  cancelled: "stop",
});

/** Newest first. @type {Map<string, {view: TransferView, row: Row}>} */
const rows = new Map();
/** @typedef {{element: HTMLLIElement, update: (view: TransferView) => void}} Row */

/** Starts showing the list in `#transfers`, `#empty` and `#agent-missing`. */
export function start() {
  on("state", (state) => {
    if (showConnection(state)) ready();
    refreshEmpty();
  });
  on("snapshot", ({ transfers }) => showAll(transfers));
  on("changed", ({ changed, removed }) => {
    for (const uuid of removed) drop(uuid);
    for (const view of changed) put(view);
    refreshEmpty();
  });
  begin(async () => {
    try {
      showConnection(await ask("state"));
      showAll((await ask("follow")).transfers);
    } catch {
      // The state event has told, or will tell, why.
    }
  });
}

/** Brings a transfer into view. @param {string} uuid */
export function reveal(uuid) {
  const entry = rows.get(uuid);
  if (entry === undefined) return;
  for (const { row } of rows.values()) row.element.removeAttribute("aria-current");
  entry.row.element.setAttribute("aria-current", "true");
  entry.row.element.scrollIntoView({ block: "nearest" });
}

/** @param {TransferView[]} views */
function showAll(views) {
  const there = new Set(views.map(({ uuid }) => uuid));
  for (const uuid of [...rows.keys()]) if (!there.has(uuid)) drop(uuid);
  // Oldest first, each new one on top.
  for (const view of [...views].reverse()) put(view);
  refreshEmpty();
  ready();
  reveal(decodeURIComponent(location.hash.slice(1)));
}

/** @param {TransferView} view */
function put(view) {
  let entry = rows.get(view.uuid);
  if (entry === undefined) {
    entry = { view, row: makeRow(view) };
    rows.set(view.uuid, entry);
    byId("transfers").prepend(entry.row.element);
  }
  entry.view = view;
  entry.row.update(view);
}

/** @param {string} uuid */
function drop(uuid) {
  rows.get(uuid)?.row.element.remove();
  rows.delete(uuid);
}

function refreshEmpty() {
  const { connection } = document.body.dataset;
  byId("empty").hidden = rows.size > 0 || connection !== "ready" || !byId("agent-missing").hidden;
}

/** @param {TransferView} first @returns {Row} */
function makeRow(first) {
  const title = h("span", { class: "title" });
  const direction = h("span", { class: "direction" }, icon(first.direction === "send" ? "up" : "down"));
  const label = t(first.direction === "send" ? "directionSend" : "directionReceive");
  direction.setAttribute("title", label);
  const where = h("span", { class: "where muted" });
  const progress = h("progress", { max: 1, "aria-label": t("progressLabel") });
  const mark = h("span", { class: "mark" });
  const state = h("span", { class: "state" });
  const amount = h("span", { class: "amount" });
  const rate = h("span", { class: "rate" });
  const left = h("span", { class: "left" });
  const files = h("span", { class: "files" });
  const error = h("p", { class: "error" });
  const buttons = {
    stop: action("stop", "stop", "actionStop", first.uuid),
    resume: action("resume", "resume", "actionResume", first.uuid),
    reveal: action("reveal", "folder", "actionReveal", first.uuid),
    remove: action("remove", "remove", "actionRemove", first.uuid),
  };
  const element = h(
    "li",
    { class: "transfer", "data-uuid": first.uuid },
    h("div", { class: "head" }, direction, h("span", { class: "visually-hidden" }, label), h("div", { class: "names" }, title, where)),
    h("div", { class: "actions" }, ...Object.values(buttons)),
    progress,
    h("div", { class: "facts muted" }, mark, state, amount, rate, left, files),
    error,
  );

  /** @param {TransferView} view */
  const update = (view) => {
    const { status } = view;
    const running = status === "running" || status === "initiating";
    const share = status === "completed" ? 1 : view.bytes_expected > 0 ? view.bytes_written / view.bytes_expected : 0;
    element.dataset.status = status;
    set(title, view.title);
    title.title = view.current_file || view.title;
    set(where, t("whereLine", view.remote_host, view.origin));
    where.title = where.textContent ?? "";
    // Without a known size the bar says "busy" rather than a number.
    if (running && view.bytes_expected === 0) progress.removeAttribute("value");
    else progress.value = share;
    if (mark.dataset.icon !== (STATE_ICONS[status] ?? "")) {
      mark.dataset.icon = STATE_ICONS[status] ?? "";
      mark.replaceChildren(...(mark.dataset.icon ? [icon(mark.dataset.icon)] : []));
    }
    set(state, running && status === "running" ? format.percent(share, language) : t(STATES[status] ?? "stateRunning"));
    set(amount, amountOf(view));
    set(files, view.files_expected > 1 ? t("filesLine", format.number(view.files_completed, language), format.number(view.files_expected, language)) : "");
    set(rate, status === "running" ? format.rate(view.rate_kbps, language) : "");
    set(left, status === "running" && view.seconds_left !== null ? t("timeLeft", format.duration(view.seconds_left, language)) : "");
    const tell = view.error !== null && (status === "failed" || status === "willretry");
    set(error, tell ? (view.error?.message ?? "") : "");
    error.hidden = !tell;
    buttons.stop.hidden = !(running || status === "queued" || status === "willretry");
    buttons.resume.hidden = !["failed", "cancelled", "queued", "willretry"].includes(status);
    buttons.reveal.hidden = view.folder === null;
  };
  return { element, update };
}

/** @param {TransferView} view */
function amountOf({ status, bytes_written, bytes_expected }) {
  if (status === "completed" || bytes_expected === 0) return format.bytes(bytes_written, language);
  return t("amountOf", format.bytes(bytes_written, language), format.bytes(bytes_expected, language));
}

/** @param {string} name @param {string} picture @param {string} key @param {string} uuid */
function action(name, picture, key, uuid) {
  const button = h("button", { type: "button", class: `quiet ${name}`, title: t(key), "aria-label": t(key) }, icon(picture));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await ask(`ui.${name}`, { uuid });
    } catch (error) {
      byId("notice").textContent = error instanceof Error ? error.message : String(error);
    } finally {
      button.disabled = false;
    }
  });
  return button;
}

/** Leaves an unchanged text alone, so that a selection in it stays. @param {HTMLElement} element @param {string} text */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
