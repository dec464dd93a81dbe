// @ts-check
// The page's words, in the language that the browser asks for; `?lang=de` asks for another one.

import { de } from "./de.js";
import { en } from "./en.js";

/** @typedef {keyof typeof en} Key */

const asked = new URL(location.href).searchParams.get("lang");
const wishes = asked === null ? navigator.languages : [asked];

/** For words, numbers and dates. */
export const language = wishes.find((wish) => /^(en|de)(-|$)/i.test(wish)) ?? "en";

/** @type {Record<Key, string>} */
const words = language.toLowerCase().startsWith("de") ? de : en;

/** @param {Key} key @param {...(string | number)} values for `$1`, `$2`, … @returns {string} */
export const t = (key, ...values) => words[key].replace(/\$(\d)/g, (_, place) => String(values[Number(place) - 1] ?? ""));

/** Of a number of things. @param {number} count @param {Key} one @param {Key} many @param {string} shown the number as people write it */
export const counted = (count, one, many, shown) => t(count === 1 ? one : many, shown);

/** Fills elements marked `data-t` (text) and `data-t-label` (accessible name and tooltip), and the page's title. */
export function localize() {
  const root = document.documentElement;
  root.lang = language;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(/** @type {Key} */ (element.getAttribute("data-t")));
  for (const element of document.querySelectorAll("[data-t-label]")) {
    const text = t(/** @type {Key} */ (element.getAttribute("data-t-label")));
    element.setAttribute("aria-label", text);
    if (element.localName === "button") element.setAttribute("title", text);
  }
  document.title = t(/** @type {Key} */ (root.getAttribute("data-t-title")));
}
