// @ts-check
// The agent's settings as it told them last, for windows that show them and for what the background itself obeys.

import * as agent from "./agent.js";

/** @type {SettingsView | null} */
let last = null;
/** @type {((view: SettingsView) => void)[]} */
const listeners = [];

/** Called whenever a setting has changed, by whomever. @param {(view: SettingsView) => void} listener */
export const onChange = (listener) => listeners.push(listener);

agent.onEvent("settings", (data) => {
  if (typeof data?.values !== "object" || data.values === null) return;
  const view = /** @type {SettingsView} */ (data);
  last = view;
  for (const listener of listeners) listener(view);
});

/** Null before the agent has spoken. @returns {SettingsView | null} */
export const view = () => last;
