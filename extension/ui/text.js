// @ts-check
// Texts of `_locales`, in scripts and in HTML.

/**
 * @param {string} key @param {...string} substitutions
 * @returns {string}
 */
export const t = (key, ...substitutions) => chrome.i18n.getMessage(key, substitutions);

/** The language of the browser's own windows, for numbers and dates. */
export const language = chrome.i18n.getUILanguage();

/**
 * Fills elements marked `data-t` (text), `data-t-label` (accessible name and tooltip), `data-t-placeholder` and
 * `data-t-title` (page title).
 */
export function localize() {
  const root = document.documentElement;
  root.lang = language;
  root.dir = t("@@bidi_dir");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.getAttribute("data-t") ?? "");
  for (const element of document.querySelectorAll("[data-t-label]")) {
    const text = t(element.getAttribute("data-t-label") ?? "");
    element.setAttribute("aria-label", text);
    element.setAttribute("title", text);
  }
  for (const element of document.querySelectorAll("[data-t-placeholder]")) {
    element.setAttribute("placeholder", t(element.getAttribute("data-t-placeholder") ?? ""));
  }
  const title = root.getAttribute("data-t-title");
  if (title !== null) document.title = t(title);
}
