// @ts-check
// The number of running transfers on the toolbar button. Running transfers keep the port open, so that it stays true.

import * as agent from "./agent.js";

const RUNNING = "#0b6b63";
const FAILED = "#b3261e";

let active = 0;

agent.onEvent("badge", (data) => {
  active = Number(data?.active) || 0;
  const failed = Number(data?.failed) || 0;
  show(active > 0 ? String(active) : failed > 0 ? "!" : "", active > 0 ? RUNNING : FAILED);
  agent.settle();
});

agent.onState(() => {
  if (agent.state().phase !== "ready") {
    active = 0;
    show("", RUNNING);
  }
});

agent.keepWhile(() => active > 0);

/** @param {string} text @param {string} color */
function show(text, color) {
  void chrome.action.setBadgeText({ text });
  void chrome.action.setBadgeBackgroundColor({ color });
  void chrome.action.setBadgeTextColor?.({ color: "#ffffff" });
}
