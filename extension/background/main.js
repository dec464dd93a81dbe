// @ts-check
// Start of the background. Every listener is registered here, in the first turn: an event that wakes the background is
// delivered only to listeners that exist by then.

import "./button.js";
import "./managed.js";
import "./notifications.js";
import "./older-tabs.js";
import * as agent from "./agent.js";
import * as pages from "./pages.js";
import * as prompts from "./prompts.js";
import * as views from "./views.js";

chrome.runtime.onConnect.addListener((port) => {
  // Whoever connects while a background is being stopped hears nothing, and tries again.
  port.postMessage({ greeting: true });
  if (port.name === "relay") pages.accept(port);
  else if (port.name === "view") views.accept(port);
  else port.disconnect();
});

chrome.windows?.onRemoved.addListener(prompts.windowClosed);
chrome.tabs.onRemoved.addListener(prompts.tabClosed);

agent.onEvent("open-page", ({ page, argument }) => {
  if (["about", "preferences", "activity", "monitor"].includes(page)) void views.show(page, argument);
});
