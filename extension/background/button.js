// @ts-check
// The toolbar button: the mark in the colour of the state, the number of running transfers, and words for both. Running
// transfers keep the port open, so that it stays true.

import * as agent from "./agent.js";
import { button } from "./button-state.js";
import { mark } from "./mark.js";
import * as settings from "./settings.js";

const RUNNING = "#0b6b63";
const FAILED = "#b3261e";

let active = 0;
let failed = 0;
let slow = false;
/** What is shown, so that nothing is drawn twice. */
let shown = "";

agent.onEvent("badge", (data) => {
  active = Number(data?.active) || 0;
  failed = Number(data?.failed) || 0;
  show();
  agent.settle();
});

settings.onChange((view) => {
  slow = view.values.bandwidth?.slow_mode === true;
  show();
});

agent.onState(() => {
  if (agent.state().phase !== "ready") active = failed = 0;
  show();
});

agent.keepWhile(() => active > 0);

function show() {
  const { state, badge, title } = button({ line: agent.state(), active, failed, slow });
  const [key, ...parts] = title;
  const text = chrome.i18n.getMessage(key, parts);
  if (shown === `${state} ${badge} ${text}`) return;
  shown = `${state} ${badge} ${text}`;
  void chrome.action.setIcon({ imageData: mark(state) });
  void chrome.action.setTitle({ title: text });
  void chrome.action.setBadgeText({ text: badge });
  void chrome.action.setBadgeBackgroundColor({ color: active > 0 && failed === 0 ? RUNNING : FAILED });
  void chrome.action.setBadgeTextColor?.({ color: "#ffffff" });
}
