// @ts-check
// A question in the window itself: a text and some buttons. Escape is the first answer, which is the safe one.

import { h } from "./dom.js";

/**
 * @param {string} text
 * @param {{value: string, text: string, style?: string}[]} answers the first is the safe one and has the focus
 * @param {string[]} [lines] a list below the text
 * @returns {Promise<string>}
 */
export function choose(text, answers, lines = []) {
  const safe = answers[0]?.value ?? "";
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const dialog = h(
    "dialog",
    { "aria-labelledby": "choice-text" },
    h("p", { id: "choice-text" }, text),
    lines.length === 0 ? null : h("ul", { class: "choice-lines" }, ...lines.map((line) => h("li", {}, line))),
    h(
      "form",
      { method: "dialog", class: "ends" },
      ...answers.map(({ value, text: words, style }) => h("button", { value, class: style, autofocus: value === safe }, words)),
    ),
  );
  document.body.append(dialog);
  dialog.returnValue = safe;
  return new Promise((resolve) => {
    dialog.addEventListener("cancel", () => (dialog.returnValue = safe));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue || safe);
      dialog.remove();
      before?.focus();
    });
    dialog.showModal();
  });
}
