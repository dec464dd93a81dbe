// @ts-check
// What the windows that ask something share: fetching their question, giving their answer.

import { Refused, ask, begin } from "./background.js";
import { t } from "./text.js";

/**
 * Fetches the question and shows it. A question that needs no answer any more closes the window.
 * @param {(prompt: Prompt) => void} show called once
 */
export function question(show) {
  let shown = false;
  begin(async () => {
    try {
      const prompt = await ask("prompt");
      if (!shown) show(prompt);
      shown = true;
    } catch (error) {
      // A restarted background is asked again by `begin`.
      if (!(error instanceof Refused && error.code === "restarted")) void ask("close").catch(() => {});
    }
  });
}

let answered = false;

/**
 * Gives the answer; the background closes the window. Only the first answer counts.
 * @param {object} decision `{decision: "allow", remember: true}` and so on
 */
export async function decide(decision) {
  if (answered) return;
  answered = true;
  try {
    await ask("answer", decision);
  } catch {
    // The question is over: its page left, or the agent was restarted.
    await ask("close").catch(() => {});
  }
}

/** How long "Allow" stays disabled: a click meant for what was here before must not hit it. */
const ARM_MS = 700;

/** @param {HTMLButtonElement[]} buttons */
export function armLater(buttons) {
  for (const button of buttons) button.disabled = true;
  setTimeout(() => {
    for (const button of buttons) button.disabled = false;
  }, ARM_MS);
}

/**
 * Writes an origin so that its host stands out; the text stays exactly the origin. An international name follows in its own
 * letters: they alone would not tell a look-alike.
 * @param {HTMLElement} element @param {Prompt} prompt
 */
export function showOrigin(element, { origin, letters }) {
  const [, scheme = "", rest = origin] = /^([a-z]+:\/\/)(.*)$/.exec(origin) ?? [];
  const quiet = document.createElement("span");
  quiet.className = "scheme";
  quiet.textContent = scheme;
  element.replaceChildren(quiet, rest);
  if (!letters) return;
  const own = document.createElement("bdi");
  own.className = "letters";
  own.textContent = t("originLetters", letters);
  element.append(" ", own);
}

/**
 * What is wrong with a field of a question, said above the fields until it is typed in again.
 * @param {HTMLInputElement[]} fields @param {HTMLElement} problem
 */
export function complaints(fields, problem) {
  for (const field of fields) {
    field.addEventListener("input", () => {
      field.removeAttribute("aria-invalid");
      problem.textContent = "";
    });
  }
  return (/** @type {HTMLInputElement} */ field, /** @type {string} */ text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
}
