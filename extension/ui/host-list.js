// @ts-check
// A setting that is a list of servers: rows with a button each, and a field for the next one. The agent keeps it as one text with
// spaces between the names. Serves where a `SettingRow` does.

import { byId, h, icon } from "./dom.js";
import { refusal } from "./setting-row.js";
import { t } from "./text.js";

/** What may stand between names; as the agent's. */
const BETWEEN = /[ ,;\t\n]+/u;

/** @param {SettingValue} value @returns {string[]} */
const split = (value) => String(value ?? "").split(BETWEEN).filter((host) => host !== "");

export class HostList {
  /** @param {import("./settings-catalog.js").Setting} setting @param {import("./setting-row.js").Change} change */
  constructor(setting, change) {
    this.setting = setting;
    this.change = change;
    /** @type {SettingValue} */
    this.value = null;
    this.fixed = false;
    const { name, help } = setting;
    const id = `set-${name.replace(/[^a-z]/gu, "-")}`;
    this.label = t(setting.label);
    const helpText = help === undefined ? "" : t(help);
    this.items = h("ul", { id, class: "sites", "aria-labelledby": `${id}-title`, hidden: true });
    this.empty = h("p", { class: "muted none" }, t(setting.zero ?? "noSites"));
    this.error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
    this.field = h("input", {
      type: "text",
      class: "field grows",
      id: `${id}-new`,
      "aria-label": t("addServerLabel", this.label),
      "aria-describedby": this.error.id,
      placeholder: "*.example.com",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
    });
    this.form = h("form", { class: "adder" }, this.field, h("button", { type: "submit" }, t("addSite")));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#add();
    });
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.error.textContent === "") return;
      event.preventDefault();
      this.field.value = "";
      this.#complain("");
    });
    const title = h("h3", { id: `${id}-title` }, this.label);
    this.element = h("div", { class: "group", "data-setting": name, "data-kind": setting.kind }, title, h("p", { class: "muted" }, helpText), this.items, this.empty, this.form, this.error);
    /** What a search looks through. */
    this.words = `${this.label} ${helpText} ${name}`.toLocaleLowerCase();
  }

  /** Shows a value as it holds now. @param {SettingValue} value */
  show(value) {
    // The same again would take the focus from a button that a person stands on.
    if (value !== this.value) {
      this.value = value;
      this.#fill();
    }
  }

  /** @param {SettingValue} _standard @param {boolean} locked */
  standing(_standard, locked) {
    if (locked === this.fixed) return;
    this.fixed = locked;
    this.form.hidden = locked;
    this.#fill();
  }

  #fill() {
    const hosts = split(this.value);
    this.items.replaceChildren(...hosts.map((host) => this.#item(host)));
    this.items.hidden = hosts.length === 0;
    this.empty.hidden = hosts.length > 0;
  }

  /** @param {string} host */
  #item(host) {
    const end = this.fixed
      ? h("span", { class: "locked muted" }, icon("lock"), t("byAdministrator"))
      : h("button", { type: "button", class: "quiet forget", "aria-label": t("removeServerLabel", host), onclick: () => void this.#remove(host) }, t("removeServer"));
    return h("li", { "data-host": host }, h("span", {}, host), end);
  }

  async #add() {
    const known = split(this.value);
    const wanted = split(this.field.value).filter((host) => !known.some((each) => each.toLowerCase() === host.toLowerCase()));
    if (wanted.length === 0 || (await this.#send([...known, ...wanted]))) this.field.value = "";
    this.field.focus();
  }

  /** @param {string} host */
  async #remove(host) {
    const hosts = split(this.value);
    const at = hosts.indexOf(host);
    if (!(await this.#send(hosts.filter((each) => each !== host)))) return;
    // To the row that took its place, for those who remove several.
    const buttons = this.items.querySelectorAll("button");
    (buttons[Math.min(at, buttons.length - 1)] ?? this.field).focus();
  }

  /** @param {string[]} hosts @returns {Promise<boolean>} true if the agent took them */
  async #send(hosts) {
    this.#complain("");
    try {
      await this.change(this.setting.name, hosts.join(" "));
    } catch (error) {
      this.#complain(refusal(this.setting, error));
      return false;
    }
    byId("spoken").textContent = t("savedSetting", this.label);
    return true;
  }

  /** @param {string} text */
  #complain(text) {
    this.error.textContent = text;
    if (text === "") this.field.removeAttribute("aria-invalid");
    else this.field.setAttribute("aria-invalid", "true");
  }
}
