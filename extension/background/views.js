// @ts-check
// The extension's own windows: who may ask what, and the list of transfers they follow.
//
// Only a document of this extension gets here, and each kind of page may ask only what it needs.

import * as agent from "./agent.js";
import * as copies from "./copies.js";
import * as core from "./core.js";
import * as prompts from "./prompts.js";
import { ALLOWED, FOLLOWERS, HEARS_SETTINGS } from "./rights.js";
import * as settings from "./settings.js";
import * as transfers from "./transfers.js";
import * as windows from "./windows.js";

/**
 * @typedef {object} View
 * @property {chrome.runtime.Port} port
 * @property {string} page name such as `popup`
 * @property {string | null} prompt id of the prompt it shows
 * @property {import("./windows.js").Place} place
 * @property {boolean} follows the list of transfers
 * @property {boolean} fed it has the list and hears of changes
 */

/** @type {Set<View>} */
const views = new Set();

agent.keepWhile(() => views.size > 0);
agent.onState(() => tell(() => true, { event: "state", data: agent.state() }));
prompts.onEnd((id) => {
  for (const view of views) if (view.prompt === id) void windows.close(view.place);
});
transfers.onChange((event, data) => tell((view) => view.fed, { event, data }));
settings.onChange((data) => tell((view) => HEARS_SETTINGS.includes(view.page), { event: "settings", data }));
agent.onEvent("trust", (data) => tell((view) => view.page === "preferences", { event: "trust", data }));

/** @param {chrome.runtime.Port} port a port named `view` */
export function accept(port) {
  const sender = port.sender;
  const root = chrome.runtime.getURL("");
  if (sender === undefined || sender.id !== chrome.runtime.id || !sender.url?.startsWith(`${root}pages/`)) return port.disconnect();
  const url = new URL(sender.url);
  const page = url.pathname.replace("/pages/", "").replace(".html", "");
  if (!Object.hasOwn(ALLOWED, page)) return port.disconnect();
  /** @type {View} */
  const view = {
    port,
    page,
    prompt: url.searchParams.get("prompt"),
    place: { windowId: sender.tab?.windowId, tabId: sender.tab?.id },
    follows: false,
    fed: false,
  };
  views.add(view);
  port.onMessage.addListener((message) => void handle(view, message));
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError;
    views.delete(view);
    if (view.prompt !== null) void gone(view.prompt, view.place);
    if (view.follows) transfers.settle(following());
    agent.settle();
  });
}

/**
 * A line that broke is no answer: a page that was greeted late, or was loaded again, comes back. Who closes the window is
 * heard of by the window (main.js).
 * @param {string} prompt @param {import("./windows.js").Place} place
 */
async function gone(prompt, place) {
  const there = place.tabId !== undefined && (await chrome.tabs.get(place.tabId).then(() => true, () => false));
  if (!there) prompts.abandoned(prompt);
}

/** Opens one of our pages, or brings it to the front. @param {string} page @param {string} [fragment] */
export async function show(page, fragment = "") {
  const suffix = fragment === "" ? "" : `#${encodeURIComponent(fragment)}`;
  const there = [...views].find((view) => view.page === page && view.place.tabId !== undefined);
  if (there === undefined) return void (await windows.open(page, suffix));
  there.port.postMessage({ event: "fragment", data: fragment });
  await windows.focus(there.place);
}

/** Brings the window that asks something to the front. */
export async function showQuestion() {
  const place = prompts.asking();
  if (place !== null) await windows.focus(place);
}

const following = () => [...views].some((view) => view.follows);

/** @param {(view: View) => boolean} which @param {object} message */
function tell(which, message) {
  for (const view of views) if (which(view)) post(view, message);
}

/** @param {View} view @param {object} message */
function post(view, message) {
  try {
    view.port.postMessage(message);
  } catch {
    // The window closed; its onDisconnect follows.
  }
}

/** @param {View} view @param {any} message */
async function handle(view, message) {
  const { id, kind, params } = message ?? {};
  try {
    post(view, { id, result: (await perform(view, String(kind), params)) ?? {} });
  } catch (error) {
    const { code, note } = error instanceof agent.AgentError ? error : { code: "agent-unavailable" };
    post(view, { id, error: { code, message: error instanceof Error ? error.message : String(error), note } });
  }
}

/** @param {View} view @param {string} kind @param {any} params @returns {Promise<any>} */
async function perform(view, kind, params) {
  switch (kind) {
    case "state":
      return agent.state();
    case "retry":
      return agent.retry();
    case "versions":
      await core.ready;
      return { extension: chrome.runtime.getManifest().version, api: core.constants().api_version };
    case "prompt": {
      const prompt = view.prompt === null ? undefined : await prompts.get(view.prompt, view.place);
      if (prompt === undefined) throw new agent.AgentError("not-found", "This question needs no answer any more.");
      await core.ready;
      return { ...prompt, letters: core.unicodeHost(prompt.origin) };
    }
    case "answer":
      // A window answers its own question only.
      if (view.prompt === null) break;
      return prompts.answer(view.prompt, params);
    case "copy":
      if (view.page !== "copy" || view.prompt === null) break;
      return copies.bring(view.prompt, (bytes) => post(view, { event: "copied", data: { bytes } }));
    case "slow-mode":
      // One switch, not all settings: the popup closes as soon as one looks elsewhere.
      if (view.page !== "popup") break;
      return agent.request("ui.change-settings", { changes: { "bandwidth.slow_mode": params?.on === true } });
    case "settings":
      if (!HEARS_SETTINGS.includes(view.page)) break;
      return { view: settings.view() };
    case "close":
      return windows.close(view.place);
    case "open":
      if (!["activity", "monitor", "preferences", "about"].includes(params?.page)) break;
      return show(params.page, String(params.fragment ?? ""));
    case "follow":
      if (!FOLLOWERS.includes(view.page)) break;
      view.follows = true;
      return transfers.follow((event, data) => post(view, { event, data })).then((first) => {
        view.fed = true;
        return first;
      });
    default:
      if (!ALLOWED[view.page]?.includes(kind)) break;
      return agent.request(kind, params ?? {});
  }
  throw new agent.AgentError("forbidden", `This window may not ask ${kind}.`);
}
