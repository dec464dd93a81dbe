// @ts-check
// Errors of transfers in the person's language. The agent speaks English and knows more about the single case; where the
// catalogue has the number, its sentence comes first and the agent's detail in brackets after it stays.

import { Refused } from "./background.js";
import { ERROR_CODES } from "./report.js";
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
  const key = error instanceof Refused ? REFUSALS[error.code] : undefined;
  if (key === undefined || language.startsWith("en")) return message;
  return `${t(key)} (${message})`;
}

/** @param {{code: number, message: string}} error @returns {string} */
export function errorText({ code, message }) {
  if (language.startsWith("en") || !ERROR_CODES.includes(code)) return message;
  // The agent's words for a number end with its detail in brackets, if there is one.
  const detail = /\. (\(.+\))$/su.exec(message)?.[1];
  const own = t(`error${code}`);
  return detail === undefined ? own : `${own} ${detail}`;
}
