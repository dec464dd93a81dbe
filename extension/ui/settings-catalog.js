// @ts-check
// What the preferences window knows of the agent's settings beyond their values: where they stand, how they are written, within
// which limits. Pure. The limits are told to people; what holds is decided by the agent (native-host/src/settings/sections.rs).

/**
 * `switch`: yes or no. `count`: a whole number. `rate`: kbit/s. `time`: seconds. `choice`: one of `choices`. `path`: an absolute
 * path, empty = default. `suffix`: the end of a file's name. `character`: one, or none. `hosts`: names of servers.
 * @typedef {"switch" | "count" | "rate" | "time" | "choice" | "path" | "suffix" | "character" | "hosts"} Kind
 */

/**
 * @typedef {object} Setting
 * @property {string} name as the agent says it, `section.key`
 * @property {string} section of the window
 * @property {Kind} kind
 * @property {string} label key of the catalogue
 * @property {string} [help] key of the catalogue
 * @property {string} [zero] key of the catalogue: what 0, or an empty field, means
 * @property {number} [least] @property {number} [most]
 * @property {[string, string][]} [choices] value and key of the catalogue
 * @property {string} [needs] a switch without which this setting means nothing
 */

/** Sections of the window, in order. */
export const SECTIONS = Object.freeze(["general", "transfers", "bandwidth", "security", "advanced"]);

/** Names that pages give (the predecessor's), and the sections they mean. @type {Record<string, string>} */
export const ALIASES = { network: "bandwidth", accounts: "security", "trusted-hosts": "security" };

/** @type {Setting[]} */
export const SETTINGS = [
  { name: "downloads.folder", section: "general", kind: "path", label: "setDownloadFolder", help: "setDownloadFolderHelp", zero: "setDownloadFolderNone" },
  { name: "downloads.always_ask", section: "general", kind: "switch", label: "setAskWhere", help: "setAskWhereHelp" },
  {
    name: "transfers.remove_finished",
    section: "general",
    kind: "choice",
    label: "setRemoveFinished",
    choices: [["manually", "setRemoveManually"], ["automatically", "setRemoveAutomatically"]],
  },
  {
    name: "dialogs.kind",
    section: "general",
    kind: "choice",
    label: "setDialogs",
    help: "setDialogsHelp",
    choices: [["auto", "setDialogsAuto"], ["native", "setDialogsNative"], ["built-in", "setDialogsBuiltIn"]],
  },
  { name: "dialogs.copy_limit_mib", section: "general", kind: "count", label: "setCopyLimit", help: "setCopyLimitHelp", zero: "setCopyLimitNever", least: 0, most: 1024 },
  { name: "notifications.finished", section: "general", kind: "switch", label: "setNotifyFinished" },
  { name: "notifications.failed", section: "general", kind: "switch", label: "setNotifyFailed" },
  { name: "notifications.action_needed", section: "general", kind: "switch", label: "setNotifyAction" },

  { name: "queue.enabled", section: "transfers", kind: "switch", label: "setQueue", help: "setQueueHelp" },
  { name: "queue.active", section: "transfers", kind: "count", label: "setQueueActive", least: 1, most: 100, needs: "queue.enabled" },
  { name: "queue.active_downloads", section: "transfers", kind: "count", label: "setQueueDownloads", zero: "setQueueNoOther", least: 0, most: 100, needs: "queue.enabled" },
  { name: "queue.active_uploads", section: "transfers", kind: "count", label: "setQueueUploads", zero: "setQueueNoOther", least: 0, most: 100, needs: "queue.enabled" },
  { name: "retry.enabled", section: "transfers", kind: "switch", label: "setRetry", help: "setRetryHelp" },
  { name: "retry.attempts", section: "transfers", kind: "count", label: "setRetryAttempts", help: "setRetryAttemptsHelp", least: 1, most: 1000, needs: "retry.enabled" },
  { name: "retry.interval_seconds", section: "transfers", kind: "time", label: "setRetryInterval", least: 1, most: 86_400, needs: "retry.enabled" },

  { name: "bandwidth.slow_mode", section: "bandwidth", kind: "switch", label: "setSlowMode", help: "setSlowModeHelp" },
  { name: "bandwidth.manual_downloads_kbps", section: "bandwidth", kind: "rate", label: "setLimitDownloads", help: "setLimitHelp", zero: "noLimit" },
  { name: "bandwidth.manual_uploads_kbps", section: "bandwidth", kind: "rate", label: "setLimitUploads", help: "setLimitHelp", zero: "noLimit" },
  { name: "bandwidth.background_downloads_kbps", section: "bandwidth", kind: "rate", label: "setLimitBackgroundDownloads", help: "setLimitBackgroundHelp", zero: "noLimit" },
  { name: "bandwidth.background_uploads_kbps", section: "bandwidth", kind: "rate", label: "setLimitBackgroundUploads", help: "setLimitBackgroundHelp", zero: "noLimit" },
  { name: "sessions.enabled", section: "bandwidth", kind: "switch", label: "setSessions", help: "setSessionsHelp" },
  { name: "sessions.count", section: "bandwidth", kind: "count", label: "setSessionsCount", least: 2, most: 16, needs: "sessions.enabled" },
  { name: "sessions.above_kbps", section: "bandwidth", kind: "rate", label: "setSessionsAbove", zero: "setSessionsAlways", needs: "sessions.enabled" },

  { name: "security.ask_always", section: "security", kind: "switch", label: "setAskAlways", help: "setAskAlwaysHelp" },
  { name: "security.save_passwords", section: "security", kind: "switch", label: "setSavePasswords", help: "setSavePasswordsHelp" },
  { name: "security.protected_hosts", section: "security", kind: "hosts", label: "setProtectedHosts", help: "setProtectedHostsHelp", zero: "setProtectedHostsNone" },
  {
    name: "security.key_store",
    section: "security",
    kind: "choice",
    label: "setKeyStore",
    help: "setKeyStoreHelp",
    choices: [["auto", "keyStoreAuto"], ["desktop", "keyStoreDesktop"], ["file", "keyStoreFile"]],
  },

  { name: "files.fsync", section: "advanced", kind: "switch", label: "setFsync", help: "setFsyncHelp" },
  { name: "files.partial_suffix", section: "advanced", kind: "suffix", label: "setPartialSuffix", help: "setPartialSuffixHelp" },
  { name: "files.checkpoint_suffix", section: "advanced", kind: "suffix", label: "setCheckpointSuffix", help: "setCheckpointSuffixHelp" },
  { name: "files.illegal_replacement", section: "advanced", kind: "character", label: "setReplacement", help: "setReplacementHelp", zero: "setReplacementNone" },
  { name: "security.local_http", section: "advanced", kind: "switch", label: "setLocalHttp", help: "setLocalHttpHelp" },
  {
    name: "log.level",
    section: "advanced",
    kind: "choice",
    label: "setLogLevel",
    help: "setLogLevelHelp",
    choices: [["error", "logError"], ["warn", "logWarn"], ["info", "logInfo"], ["debug", "logDebug"], ["trace", "logTrace"]],
  },
];

/** Every key of the catalogue that stands here, for the test of the catalogue. */
export const SETTING_KEYS = SETTINGS.flatMap(({ label, help, zero, choices }) => [label, help, zero, ...(choices ?? []).map(([, key]) => key)]).filter(
  (key) => key !== undefined,
);

/** @param {SettingValues} values @param {string} name @returns {SettingValue | undefined} */
export function valueOf(values, name) {
  const [section = "", key = ""] = name.split(".");
  return values[section]?.[key];
}

/** Names that the agent has, in the window's order; those that a newer agent adds come last. @param {SettingValues} values @returns {string[]} */
export function namesOf(values) {
  const there = Object.entries(values).flatMap(([section, keys]) => Object.keys(keys).map((key) => `${section}.${key}`));
  const known = SETTINGS.map(({ name }) => name).filter((name) => there.includes(name));
  return [...known, ...there.filter((name) => !known.includes(name))];
}

/**
 * A setting that this window does not know: shown by its name, in the form that its value has.
 * @param {string} name @param {SettingValue} value @returns {Setting}
 */
export function unknown(name, value) {
  const kind = typeof value === "boolean" ? "switch" : typeof value === "number" ? (name.endsWith("_kbps") ? "rate" : "count") : "suffix";
  return { name, section: "advanced", kind, label: "" };
}

/** Why a value may have been refused, by the setting's kind: key of the catalogue with what it needs. @param {Setting} setting @returns {[string, ...string[]] | null} */
export function ruleOf({ kind, least, most }) {
  if (least !== undefined && most !== undefined) return ["ruleRange", String(least), String(most)];
  if (kind === "path") return ["rulePath"];
  if (kind === "suffix") return ["ruleSuffix"];
  if (kind === "hosts") return ["ruleHosts"];
  if (kind === "character") return ["ruleCharacter"];
  if (kind === "rate") return ["ruleRate"];
  return null;
}
