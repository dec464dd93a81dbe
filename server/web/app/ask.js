// @ts-check
// Questions in a window of the page: a text, a yes, and what is shown to be copied. One at a time.

import { byId, h } from "../ui/dom.js";
import { t } from "./text.js";

/**
 * Shows the window; the value of the button that closed it, "" if it was left.
 * @param {string} title @param {Node[]} content @param {{value: string, text: string, kind?: string}[]} buttons the last one is the default
 * @param {HTMLElement} [first] gets the focus
 * @returns {Promise<string>}
 */
function ask(title, content, buttons, first) {
  // A window of its own for each question: the event that an earlier one closed may come late, and is not this one's answer.
  const earlier = /** @type {HTMLDialogElement} */ (byId("ask"));
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { id: "ask", "aria-labelledby": "ask-title" }));
  earlier.close("");
  earlier.replaceWith(dialog);
  const made = buttons.map(({ value, text, kind }) => h("button", { type: "submit", value, class: kind ?? "" }, text));
  const cancel = buttons.length > 1 ? [h("button", { type: "button", onclick: () => dialog.close("") }, t("cancel"))] : [];
  if (buttons.length > 1) made.shift();
  const form = h("form", { class: "form" }, ...content, h("div", { class: "ends" }, ...cancel, ...made));
  dialog.append(h("h2", { id: "ask-title" }, title), form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close(/** @type {HTMLButtonElement | null} */ (event.submitter)?.value ?? "");
  });
  dialog.showModal();
  (first ?? made.at(-1))?.focus();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}

const CANCEL = { value: "", text: "" };

/**
 * A name; null if the person wants none.
 * @param {string} title @param {string} label @param {string} value @param {string} yes
 * @returns {Promise<string | null>}
 */
export async function askName(title, label, value, yes) {
  const input = h("input", { type: "text", class: "field", id: "ask-name", required: true, maxlength: "255", autocomplete: "off", spellcheck: "false", value });
  const line = h("label", {}, h("span", {}, label), input);
  const check = () => input.setCustomValidity(/[/\\\0]|^\.{1,2}$/.test(input.value) ? t("badName") : "");
  input.addEventListener("input", check);
  // The ending stays as it is, mostly.
  const dot = value.lastIndexOf(".");
  queueMicrotask(() => input.setSelectionRange(0, dot > 0 ? dot : value.length));
  const answer = await ask(title, [line], [CANCEL, { value: "yes", text: yes, kind: "primary" }], input);
  return answer === "yes" ? input.value : null;
}

/**
 * Whether the person really wants it.
 * @param {string} title @param {string} text @param {string[]} names @param {string} yes
 */
export async function askSure(title, text, names, yes) {
  const list = h("ul", { class: "choice-lines" }, ...names.slice(0, 50).map((name) => h("li", {}, name)));
  const more = names.length > 50 ? h("p", { class: "muted" }, t("andMore", names.length - 50)) : null;
  const content = [h("p", {}, text), list, ...(more ? [more] : [])];
  const answer = ask(title, content, [CANCEL, { value: "yes", text: yes, kind: "danger" }]);
  // Whoever presses Enter without reading loses nothing.
  /** @type {HTMLElement | null} */ (byId("ask").querySelector(".ends button"))?.focus();
  return (await answer) === "yes";
}

/**
 * One of several lifetimes, in seconds; null for none.
 * @param {string} title @param {string} text @param {{seconds: number, text: string}[]} choices @param {string} yes
 */
export async function askLife(title, text, choices, yes) {
  const select = h("select", { class: "field", id: "ask-life" }, ...choices.map(({ seconds, text }) => h("option", { value: seconds }, text)));
  select.selectedIndex = Math.min(1, choices.length - 1);
  const label = h("label", {}, h("span", {}, t("linkLife")), select);
  const answer = await ask(title, [h("p", {}, text), label], [CANCEL, { value: "yes", text: yes, kind: "primary" }], select);
  return answer === "yes" ? Number(select.value) : null;
}

/** Shows a text to be copied. @param {string} title @param {string} text @param {string} value */
export async function showCopy(title, text, value) {
  const field = h("input", { type: "text", class: "field wide-field", id: "ask-copy", readonly: true, value, "aria-label": title });
  const said = h("span", { role: "status", class: "muted" });
  const copy = h("button", { type: "button", id: "ask-copy-button" }, t("copy"));
  copy.addEventListener("click", async () => {
    field.select();
    // Not every page may write to the clipboard; the text is selected for the person's own keys.
    const done = await navigator.clipboard?.writeText(value).then(() => true, () => false);
    said.textContent = t(done ? "copied" : "copyByKeys");
  });
  const line = h("div", { class: "copy-line" }, field, copy);
  await ask(title, [h("p", {}, text), line, said], [{ value: "done", text: t("done"), kind: "primary" }], field);
}

/**
 * A list whose entries can be taken away.
 * @param {string} title @param {string} none what stands there if there are none
 * @param {{text: string, note: string, remove: () => Promise<void>}[]} entries
 */
export async function showList(title, none, entries) {
  const empty = h("p", { class: "muted", hidden: entries.length > 0 }, none);
  const list = h("ul", { class: "items" });
  for (const { text, note, remove } of entries) {
    const button = h("button", { type: "button", class: "quiet", "aria-label": `${t("takeBack")}: ${text}` }, t("takeBack"));
    const line = h("li", {}, h("span", { class: "label" }, text), h("span", { class: "muted" }, note), button);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await remove().then(() => line.remove(), () => (button.disabled = false));
      empty.hidden = list.childElementCount > 0;
      /** @type {HTMLElement | null} */ (byId("ask").querySelector("li button, .ends button"))?.focus();
    });
    list.append(line);
  }
  await ask(title, [empty, list], [{ value: "done", text: t("done"), kind: "primary" }]);
}
