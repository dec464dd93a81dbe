// @ts-check
// Why the native port closed, and what a page is told about it. Pure.
//
// The vendor's SDK reports FAILED if the text holds one of four fragments, and stops listening; any other text makes
// it look for the application again. So a host that is not there must be named with a fragment, and one that merely
// stopped must not.

/** The SDK's fragments. */
export const FRAGMENTS = Object.freeze([
  "native messaging host not found",
  "Error when communicating with the native messaging host",
  "Access to the specified native messaging host is forbidden",
  "No such native application",
]);

/** What pages are told when the host can be started again. */
export const RESTARTING = "The Godwit application was restarted.";

/**
 * Kinds of reasons. `missing`: no manifest for this browser. `forbidden`: the manifest does not name this extension.
 * `disabled`: an administrator's policy. `broken`: a manifest, but no program that starts and speaks. `stopped`: it ran.
 * `version`: it speaks another protocol.
 * @typedef {"missing" | "forbidden" | "disabled" | "broken" | "stopped" | "version"} ReasonKind
 */

/**
 * @typedef {object} Reason
 * @property {ReasonKind} kind
 * @property {string} text the browser's own words, for the popup; may be empty
 * @property {boolean} lasting true if trying again at once is useless
 */

/** Words of both browsers, in lower case, most telling first. */
const WORDS = /** @type {[ReasonKind, string[]][]} */ ([
  ["disabled", ["disabled by the system administrator", "blocked by policy", "disabled by your administrator"]],
  ["missing", ["native messaging host not found", "no such native application", "invalid native messaging host name"]],
  ["forbidden", ["native messaging host is forbidden", "does not have permission to", "not allowed to use"]],
  [
    "broken",
    ["failed to start native messaging host", "does not exist, or is not executable", "is not executable", "file at path"],
  ],
]);

/**
 * @param {string} text what the browser said when the port closed; may be empty
 * @param {boolean} spoke true if the host had said hello
 * @returns {Reason}
 */
export function classify(text, spoke) {
  const lower = text.toLowerCase();
  for (const [kind, words] of WORDS) {
    if (words.some((word) => lower.includes(word))) return { kind, text, lasting: true };
  }
  // A host that writes something else than frames before its hello is not ours, or is damaged.
  if (!spoke && lower.includes("error when communicating with the native messaging host")) {
    return { kind: "broken", text, lasting: true };
  }
  return { kind: "stopped", text, lasting: false };
}

/**
 * The text for `AsperaConnectDisconnect`.
 * @param {Reason} reason
 * @returns {string}
 */
export function textForPages(reason) {
  if (!reason.lasting) return RESTARTING;
  if (FRAGMENTS.some((fragment) => reason.text.includes(fragment))) return reason.text;
  switch (reason.kind) {
    case "forbidden":
    case "disabled":
      return "Access to the specified native messaging host is forbidden.";
    case "broken":
      return "Error when communicating with the native messaging host.";
    default:
      return "Specified native messaging host not found.";
  }
}
