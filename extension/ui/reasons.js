// @ts-check
// What the agent tells people, in their language: it sends a word, what stands in the sentence, and the sentence in English
// (`ui::Notice`). Pure.

import { SETTINGS } from "./settings-catalog.js";

/** @typedef {(key: string, ...substitutions: string[]) => string} Translate */

/** The agent's words, and keys of the catalogue for them. @type {Record<string, string>} */
const SENTENCES = {
  // Notices.
  "database-new": "noticeDatabaseNew",
  "database-restored": "noticeDatabaseRestored",
  records: "noticeRecords",
  unwritten: "noticeUnwritten",
  "key-ring": "noticeKeyRing",
  "key-file": "noticeKeyFile",
  "key-file-because": "noticeKeyFileBecause",
  // Files of settings.
  "settings-newer": "reasonSettingsNewer",
  "settings-mistake": "reasonSettingsMistake",
  "settings-unchanged": "reasonSettingsUnchanged",
  "settings-unwritten": "reasonSettingsUnwritten",
  "policy-unreadable": "reasonPolicyUnreadable",
  "policy-site": "reasonPolicySite",
  // One setting; its file and its name come before the other arguments.
  "setting-unknown": "reasonSettingUnknown",
  "setting-boolean": "reasonSettingBoolean",
  "setting-number": "reasonSettingNumber",
  "setting-form": "reasonSettingForm",
  "setting-range": "reasonSettingRange",
  "setting-folder": "rulePath",
  "setting-suffix": "ruleSuffix",
  "setting-replacement": "ruleCharacter",
  "setting-hosts": "ruleHosts",
  "setting-level": "reasonSettingLevel",
  "setting-locked": "lockedByAdministrator",
  // What was refused.
  gone: "refusedNotFound",
  "no-folder": "reasonNoFolder",
  "completed-already": "reasonCompletedAlready",
  "not-waiting": "reasonNotWaiting",
  "not-encrypted": "reasonNotEncrypted",
  "locked-by-site": "lockedBySite",
  "locked-by-server": "lockedByServer",
  "rate-cap": "reasonRateCap",
  "site-form": "reasonSiteForm",
  "site-public": "reasonSitePublic",
  "no-host": "reasonNoHost",
  "no-port": "reasonNoPort",
  "tests-running": "reasonTestsRunning",
  "key-in-file": "reasonKeyInFile",
  "key-ring-asks": "reasonKeyRingAsks",
  "folder-name": "reasonFolderName",
  "folder-path": "rulePath",
  "folder-missing": "reasonFolderMissing",
  "folder-closed": "reasonFolderClosed",
  "folder-none": "reasonFolderNone",
  "folder-there": "reasonFolderThere",
  "folder-unusable": "reasonFolderUnusable",
};

/** Words that this extension knows, for the test that compares them with the agent's. */
export const WORDS = Object.freeze(Object.keys(SENTENCES));

/**
 * The sentence without where it stands; null for a word that is unknown here.
 * @param {Note} note @param {Translate} t @returns {string | null}
 */
export function sentence({ code, args }, t) {
  if (!Object.hasOwn(SENTENCES, code)) return null;
  return t(String(SENTENCES[code]), ...(isSetting(code) ? args.slice(2) : args));
}

/** The whole; what is unknown here stays in English. @param {Note} note @param {Translate} t @returns {string} */
export function noteText(note, t) {
  const words = sentence(note, t);
  if (words === null) return note.text;
  return [...place(note, t), words].join(": ");
}

/** The file and the setting that a note is about. @param {Note} note @param {Translate} t @returns {string[]} */
function place({ code, args: [file = "", name = ""] }, t) {
  if (!isSetting(code)) return [];
  const label = SETTINGS.find((setting) => setting.name === name)?.label;
  return [file, label === undefined ? name : `${t(label)} (${name})`].filter((part) => part !== "");
}

/** @param {string} code */
const isSetting = (code) => code.startsWith("setting-");
