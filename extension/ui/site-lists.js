// @ts-check
// The lists of sites: always, never, ask every time. The administrator's stand above the user's and cannot be changed.

import { ask } from "./background.js";
import { choose } from "./choice.js";
import { byId, h, icon } from "./dom.js";
import { refusalText } from "./errors.js";
import { t } from "./text.js";

/** @typedef {"trusted" | "restricted" | "ask"} List */

/** @type {[List, string, string][]} list, title, text */
const LISTS = [
  ["trusted", "trustedTitle", "trustedText"],
  ["restricted", "restrictedTitle", "restrictedText"],
  ["ask", "askTitle", "askText"],
];

export class SiteLists {
  /** @param {HTMLElement} parent @param {() => Promise<void>} refresh after a change */
  constructor(parent, refresh) {
    this.refresh = refresh;
    /** What is shown, as the agent said it. */
    this.shown = "";
    /** @type {Map<List, {items: HTMLElement, empty: HTMLElement, error: HTMLElement, field: HTMLInputElement}>} */
    this.parts = new Map();
    this.only = h("p", { class: "locked muted", hidden: true }, icon("lock"), t("managedOnly"));
    parent.append(this.only);
    for (const [list, title, text] of LISTS) parent.append(this.#make(list, title, text));
  }

  /** @param {List} list @param {string} title @param {string} text */
  #make(list, title, text) {
    const items = h("ul", { id: list, class: "sites", "aria-labelledby": `${list}-title` });
    const empty = h("p", { id: `${list}-empty`, class: "muted none", hidden: true }, t("noSites"));
    const error = h("p", { class: "field-error", id: `${list}-error`, role: "alert" });
    const field = h("input", {
      type: "text",
      class: "field grows",
      id: `${list}-new`,
      "aria-label": t("addSiteLabel", t(title)),
      "aria-describedby": error.id,
      placeholder: "https://*.example.com",
      autocomplete: "off",
      spellcheck: "false",
    });
    const form = h("form", { class: "adder" }, field, h("button", { type: "submit" }, t("addSite")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#add(list);
    });
    this.parts.set(list, { items, empty, error, field });
    return h("div", { class: "group" }, h("h3", { id: `${list}-title` }, t(title)), h("p", { class: "muted" }, t(text)), items, empty, form, error);
  }

  /** @param {TrustView} view */
  show(view) {
    // The same again would take the focus from a button that a person stands on.
    const text = JSON.stringify(view);
    if (text === this.shown) return;
    this.shown = text;
    this.only.hidden = view.managed_only !== true;
    const managed = { trusted: view.managed_trusted ?? [], restricted: view.managed_restricted ?? [], ask: [] };
    const own = { trusted: view.trusted, restricted: view.restricted, ask: view.ask ?? [] };
    for (const [list] of LISTS) {
      const parts = this.parts.get(list);
      if (parts === undefined) continue;
      parts.items.replaceChildren(...managed[list].map(managedItem), ...own[list].map((pattern) => this.#item(list, pattern)));
      const none = parts.items.children.length === 0;
      parts.empty.hidden = !none;
      parts.items.hidden = none;
    }
  }

  /** @param {List} list @param {string} pattern */
  #item(list, pattern) {
    const forget = () => void this.#change(list, "ui.forget-trust", { pattern }, list === "trusted");
    const button = h("button", { type: "button", class: "quiet forget", "aria-label": t("forgetLabel", pattern), onclick: forget }, t("forget"));
    return h("li", { "data-pattern": pattern }, h("span", {}, pattern), button);
  }

  /** @param {List} list */
  async #add(list) {
    const { field, error } = this.parts.get(list) ?? {};
    if (field === undefined || error === undefined) return;
    const pattern = field.value.trim();
    if (pattern === "") return field.focus();
    if (await this.#change(list, "ui.set-trust", { pattern, list }, list !== "trusted")) field.value = "";
    field.focus();
  }

  /**
   * @param {List} list @param {string} kind @param {{pattern: string, list?: List}} params @param {boolean} narrows sites may lose their right by it
   * @returns {Promise<boolean>} true if it was done
   */
  async #change(list, kind, params, narrows) {
    const error = /** @type {HTMLElement} */ (this.parts.get(list)?.error);
    error.textContent = "";
    try {
      let stop = true;
      if (narrows && (await active())) {
        const answer = await choose(t("stopTransfersOf", params.pattern), [
          { value: "", text: t("cancel") },
          { value: "keep", text: t("letThemRun") },
          { value: "stop", text: t("stopThem"), style: "primary" },
        ]);
        if (answer === "") return false;
        stop = answer === "stop";
      }
      await ask(kind, { ...params, stop });
      byId("spoken").textContent = t("saved");
    } catch (refusal) {
      error.textContent = refusalText(refusal);
      return false;
    }
    await this.refresh();
    return true;
  }
}

/** @param {string} pattern */
const managedItem = (pattern) =>
  h("li", { "data-managed": pattern }, h("span", {}, pattern), h("span", { class: "locked muted" }, icon("lock"), t("byAdministrator")));

/** Whether any transfer is under way: only then is there something to ask. @returns {Promise<boolean>} */
async function active() {
  const { counts } = await ask("ui.status");
  return ["initiating", "queued", "running", "willretry"].some((state) => (counts?.[state] ?? 0) > 0);
}
