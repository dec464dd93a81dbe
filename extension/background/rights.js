// @ts-check
// What each kind of the extension's own windows may ask: no more than it needs. Pure.

const LIST = ["ui.stop", "ui.resume", "ui.remove", "ui.reveal", "ui.unlock"];

/** What each page may ask the agent. @type {Record<string, string[]>} */
export const ALLOWED = {
  popup: LIST,
  activity: [...LIST, "ui.move", "ui.history", "ui.log"],
  monitor: [...LIST, "ui.history", "ui.set-rate"],
  picker: ["ui.list-folder", "ui.create-folder"],
  preferences: [
    ...["ui.settings", "ui.change-settings", "ui.trust", "ui.set-trust", "ui.forget-trust", "ui.status"],
    ...["ui.known-servers", "ui.forget-server", "ui.passwords", "ui.forget-password", "ui.unlock-keys"],
  ],
  about: ["ui.status", "ui.test-server"],
  consent: [],
  certificate: [],
  credentials: [],
  passphrase: [],
  drop: [],
  copy: [],
};

/** Pages that may follow the list of transfers. */
export const FOLLOWERS = ["popup", "activity", "monitor"];
/** Pages that are told when a setting changes. */
export const HEARS_SETTINGS = ["popup", "preferences"];
