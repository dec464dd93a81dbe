// @ts-check
// Errors of transfers, and why something was refused, in the person's language.

import { Refused } from "./background.js";
import { sentence } from "./reasons.js";
import { failureText } from "./report.js";
import { language, t } from "./text.js";

/** Words of the protocol (`envelope::codes`) for what the agent refuses. @type {Record<string, string>} */
const REFUSALS = {
  "not-found": "refusedNotFound",
  forbidden: "refusedForbidden",
  "bad-request": "refusedRequest",
  "unknown-kind": "refusedRequest",
  busy: "refusedBusy",
  "timed-out": "refusedTimedOut",
  internal: "refusedInternal",
};

/** Why something that was asked for was not done. @param {unknown} error @returns {string} */
export function refusalText(error) {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof Refused) || language.startsWith("en")) return message;
  const known = error.note === undefined ? null : sentence(error.note, t);
  if (known !== null) return known;
  const key = REFUSALS[error.code];
  return key === undefined ? message : `${t(key)} (${message})`;
}

/** @param {{code: number, message: string}} error @returns {string} */
export const errorText = (error) => failureText(error, t, language);
