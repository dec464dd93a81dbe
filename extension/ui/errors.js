// @ts-check
// Errors of transfers in the person's language. The agent speaks English and knows more about the single case; where the
// catalogue has the number, its sentence comes first and the agent's detail in brackets after it stays.

import { ERROR_CODES } from "./report.js";
import { language, t } from "./text.js";

/** @param {{code: number, message: string}} error @returns {string} */
export function errorText({ code, message }) {
  if (language.startsWith("en") || !ERROR_CODES.includes(code)) return message;
  // The agent's words for a number end with its detail in brackets, if there is one.
  const detail = /\. (\(.+\))$/su.exec(message)?.[1];
  const own = t(`error${code}`);
  return detail === undefined ? own : `${own} ${detail}`;
}
