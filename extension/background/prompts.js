// @ts-check
// The agent's questions, one window at a time. A window closed without an answer is the answer "cancel".

import * as agent from "./agent.js";
import * as windows from "./windows.js";

/** @typedef {import("./windows.js").Place} Place */

/** The window for each kind of question. @type {Record<string, string>} */
const PAGES = {
  consent: "consent",
  "open-files": "picker",
  "open-folders": "picker",
  "save-file": "picker",
  dropped: "drop",
  "dropped-copy": "copy",
  "server-certificate": "certificate",
  credentials: "credentials",
  passphrase: "passphrase",
};

/** Oldest first. @type {Map<string, Prompt>} */
const open = new Map();
/** The prompt being shown. @type {{id: string, place: Place | null} | null} */
let shown = null;

agent.keepWhile(() => open.size > 0);
agent.onEvent("prompt", (prompt) => add(prompt));
agent.onEvent("prompt-closed", (data) => remove(String(data?.prompt_id)));
agent.onState(() => {
  const { phase } = agent.state();
  // The agent still knows the open questions of this browser session after the background or the host was restarted.
  if (phase === "ready") void refresh().catch(() => {});
  else if (phase !== "connecting") clear();
});
/** @type {((id: string) => void)[]} */
const endListeners = [];

/** Called when a prompt needs no window any more. @param {(id: string) => void} listener */
export const onEnd = (listener) => endListeners.push(listener);

/**
 * The prompt for the window that shows it, which may have been opened by a background that was stopped since.
 * @param {string} id @param {Place} place of the window
 * @returns {Promise<Prompt | undefined>}
 */
export async function get(id, place) {
  // Taken before the agent is asked: no second window must open for what this one shows.
  shown ??= { id, place };
  try {
    if (!open.has(id)) await refresh();
    return open.get(id);
  } finally {
    if (!open.has(id) && shown?.id === id) {
      shown = null;
      void showNext();
    }
  }
}

/**
 * Sends the user's decision.
 * @param {string} id @param {object} decision
 */
export async function answer(id, decision) {
  if (!open.has(id)) throw new agent.AgentError("not-found", "This question needs no answer any more.");
  await agent.request("ui.answer", { ...decision, prompt_id: id });
  remove(id);
}

/** The window of this prompt is gone. @param {string} id */
export function abandoned(id) {
  if (!open.has(id)) return;
  remove(id);
  agent.request("ui.answer", { prompt_id: id, decision: "cancel" }).catch(() => {});
}

/** A question that is still open. @param {string} id */
export const known = (id) => open.get(id);

/** @param {number} windowId */
export const windowClosed = (windowId) => {
  if (shown?.place?.windowId === windowId) abandoned(shown.id);
};

/** @param {number} tabId */
export const tabClosed = (tabId) => {
  if (shown?.place?.tabId === tabId) abandoned(shown.id);
};

async function refresh() {
  const { prompts } = await agent.request("ui.prompts", {});
  for (const prompt of prompts) add(prompt);
}

/** @param {Prompt} prompt */
function add(prompt) {
  const known = open.get(prompt.prompt_id);
  // The same again means news only if the desktop's dialog, which asked so far, could not.
  if (known !== undefined && (known.native !== true || prompt.native === true)) return;
  if (PAGES[prompt.ask] === undefined) {
    // A question of a later version: nobody can answer it here.
    agent.request("ui.answer", { prompt_id: prompt.prompt_id, decision: "cancel" }).catch(() => {});
    return;
  }
  open.set(prompt.prompt_id, prompt);
  void showNext();
}

/** @param {string} id */
function remove(id) {
  open.delete(id);
  hide(id);
  void showNext();
  agent.settle();
}

/** The connection is gone, and with it whoever waited for the answers. */
function clear() {
  const ids = [...open.keys()];
  open.clear();
  ids.forEach(hide);
}

/** The window that asks now, if any. @returns {Place | null} */
export const asking = () => shown?.place ?? null;

/** @param {string} id */
function hide(id) {
  if (shown?.id === id) {
    if (shown.place) void windows.close(shown.place);
    shown = null;
  }
  for (const listener of endListeners) listener(id);
}

async function showNext() {
  const next = open.values().next().value;
  // The desktop's own dialog needs no window of ours.
  if (shown !== null || next === undefined || next.native === true) return;
  const mine = { id: next.prompt_id, place: /** @type {Place | null} */ (null) };
  shown = mine;
  try {
    mine.place = await windows.open(PAGES[next.ask] ?? "consent", `?prompt=${encodeURIComponent(next.prompt_id)}`);
  } catch {
    return abandoned(mine.id);
  }
  // Answered, or its page gone, while the window opened.
  if (shown !== mine) void windows.close(mine.place);
}
