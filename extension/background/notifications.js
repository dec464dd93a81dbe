// @ts-check
// Notifications: transfers that ended, as one note however many, and questions that wait while no window of the browser is
// looked at. What a person does not want to hear is a setting of the agent.

import * as agent from "./agent.js";
import { summary } from "./notes.js";
import * as settings from "./settings.js";
import * as views from "./views.js";

/** Notes have fixed names: a newer one takes the older one's place. */
const ENDED = "godwit-ended";
const QUESTION = "godwit-question";
const SHORTAGE = "godwit-shortage";
/** Ends within this time become one note: a queue of small files ends many a second. */
const GATHER_MS = 1500;
const ICON = "icons/godwit-128.png";

/** Ended, not yet looked at. @type {Map<string, TransferView>} */
const ended = new Map();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

agent.onEvent("ended", (/** @type {TransferView} */ view) => {
  if (typeof view?.uuid !== "string" || !wanted(view.status === "failed" ? "failed" : "finished")) return;
  ended.set(view.uuid, view);
  timer ??= setTimeout(tell, GATHER_MS);
});

agent.onEvent("shortage", (/** @type {TransferView} */ view) => {
  if (typeof view?.title === "string" && wanted("action_needed")) void tellShortage(view.title);
});

agent.onEvent("prompt", () => {
  if (wanted("action_needed")) void tellQuestion();
});
agent.onEvent("prompt-closed", () => void chrome.notifications?.clear(QUESTION));

/** @param {string} kind */
const wanted = (kind) => settings.view()?.values.notifications?.[kind] !== false;

/** Chromium alone has buttons; Firefox refuses notes that name any. */
const buttons = (/** @type {string[]} */ ...titles) => (chrome.runtime.getURL("").startsWith("chrome-extension:") ? { buttons: titles.map((title) => ({ title })) } : {});

async function tell() {
  timer = undefined;
  const { title, message } = summary([...ended.values()], chrome.i18n.getMessage, chrome.i18n.getUILanguage());
  const icon = chrome.runtime.getURL(ICON);
  const first = chrome.i18n.getMessage(only()?.folder ? "actionReveal" : "openActivity");
  await chrome.notifications?.create(ENDED, { type: "basic", iconUrl: icon, title, message, ...buttons(first, chrome.i18n.getMessage("notifyMute")) });
}

/** A question has its own window; only who looks elsewhere needs a note. */
async function tellQuestion() {
  const window = await chrome.windows?.getLastFocused().catch(() => undefined);
  if (window?.focused !== false) return;
  const icon = chrome.runtime.getURL(ICON);
  await chrome.notifications?.create(QUESTION, {
    type: "basic",
    iconUrl: icon,
    title: chrome.i18n.getMessage("notifyQuestionTitle"),
    message: chrome.i18n.getMessage("notifyQuestion"),
  });
}

/** The list says how much is missing. @param {string} title */
async function tellShortage(title) {
  const iconUrl = chrome.runtime.getURL(ICON);
  const message = chrome.i18n.getMessage("notifyShortage");
  await chrome.notifications?.create(SHORTAGE, { type: "basic", iconUrl, title: chrome.i18n.getMessage("notifyShortageTitle", [title]), message });
}

/** The one that the note is about, if it is about one. */
const only = () => (ended.size === 1 ? ended.values().next().value : undefined);

chrome.notifications?.onClicked.addListener((id) => {
  void chrome.notifications.clear(id);
  if (id === QUESTION) return void views.showQuestion();
  if (id === SHORTAGE) return void views.show("activity", "");
  if (id !== ENDED) return;
  void views.show("activity", only()?.uuid ?? "");
  ended.clear();
});

chrome.notifications?.onButtonClicked?.addListener((id, button) => {
  if (id !== ENDED) return;
  void chrome.notifications.clear(id);
  const one = only();
  if (button === 1) void mute();
  else if (one?.folder) agent.request("ui.reveal", { uuid: one.uuid }).catch(() => void views.show("activity", one.uuid));
  else void views.show("activity", one?.uuid ?? "");
  ended.clear();
});

chrome.notifications?.onClosed.addListener((id) => {
  if (id === ENDED) ended.clear();
});

/** No more of the kinds that this note told of. */
async function mute() {
  /** @type {Record<string, boolean>} */
  const changes = {};
  for (const { status } of ended.values()) changes[`notifications.${status === "failed" ? "failed" : "finished"}`] = false;
  await agent.request("ui.change-settings", { changes }).catch(() => views.show("preferences", "general"));
}
