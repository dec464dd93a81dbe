// @ts-check
// One setting as a row: label, field with unit, default, lock, and why a value was refused.

import { byId, h, icon } from "./dom.js";
import { refusalText } from "./errors.js";
import { ruleOf } from "./settings-catalog.js";
import { language, t } from "./text.js";
import { RATES, TIMES, join, split } from "./units.js";

/** @typedef {import("./settings-catalog.js").Setting} Setting */
/** @typedef {(name: string, value: SettingValue) => Promise<void>} Change rejects with the agent's reason */

/** Texts typed by people, not sentences: no dictionary knows them. */
const PLAIN = { autocomplete: "off", spellcheck: "false", autocapitalize: "off" };

/** Numbers as they are typed in this language, without marks between thousands: the field must take back what it shows. */
const typed = new Intl.NumberFormat(language, { maximumFractionDigits: 3, useGrouping: false });

/** Why the agent refused a value of a setting. @param {Setting} setting @param {unknown} error @returns {string} */
export function refusal({ name }, error) {
  // The row says which setting it is; in English the agent's words say more than the catalogue's.
  const english = error instanceof Error ? error.message.replace(`${name}: `, "") : String(error);
  return language.startsWith("en") ? english : refusalText(error);
}

export class SettingRow {
  /** @param {Setting} setting @param {Change} change */
  constructor(setting, change) {
    this.setting = setting;
    this.change = change;
    /** @type {SettingValue} */
    this.value = null;
    const { name, kind, help, zero } = setting;
    const id = `set-${name.replace(/[^a-z]/gu, "-")}`;
    const label = setting.label === "" ? name : t(setting.label);
    this.label = label;
    this.field = this.#field(id, kind, zero);
    this.unit = kind === "rate" || kind === "time" ? this.#units(kind === "rate" ? RATES : TIMES, label) : null;
    this.error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
    this.locked = h("p", { class: "locked muted" }, icon("lock"), t("lockedByAdministrator"));
    this.reset = h(
      "button",
      { type: "button", class: "quiet reset", title: t("restoreDefault"), "aria-label": t("restoreDefaultOf", label), onclick: () => void this.#send(null) },
      icon("undo"),
    );
    const helpText = help === undefined ? null : h("p", { class: "muted help", id: `${id}-help` }, t(help));
    this.field.setAttribute("aria-describedby", helpText === null ? this.error.id : `${helpText.id} ${this.error.id}`);
    const field = h("div", { class: "with-unit" }, this.field, this.unit);
    this.element = h(
      "div",
      { class: "setting", "data-setting": name, "data-kind": kind },
      h("div", { class: "words" }, h("label", { for: id }, label), helpText),
      field,
      this.reset,
      h("div", { class: "notes" }, this.locked, this.error),
    );
    /** What a search looks through. */
    this.words = `${label} ${help === undefined ? "" : t(help)} ${name}`.toLocaleLowerCase();
  }

  /** @param {string} id @param {string} kind @param {string | undefined} zero */
  #field(id, kind, zero) {
    const changed = () => void this.#take();
    if (kind === "switch") return h("input", { type: "checkbox", class: "switch", id, onchange: changed });
    if (kind === "choice") {
      const options = (this.setting.choices ?? []).map(([value, key]) => h("option", { value }, t(key)));
      return h("select", { class: "field", id, onchange: changed }, ...options);
    }
    const number = kind === "count" || kind === "rate" || kind === "time";
    const field = h("input", { type: "text", class: number ? "field number" : "field", id, ...PLAIN, inputmode: number ? "decimal" : "text", onchange: changed });
    if (zero !== undefined) field.placeholder = t(zero);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") void this.#take();
      if (event.key === "Escape" && this.error.textContent !== "") {
        event.preventDefault();
        this.show(this.value);
      }
    });
    return field;
  }

  /** @param {[string, number][]} units @param {string} label */
  #units(units, label) {
    const options = units.map(([unit]) => h("option", { value: unit }, units === TIMES ? t(unit) : unit));
    return h("select", { class: "field unit", "aria-label": t("unitOf", label), onchange: () => void this.#take() }, ...options);
  }

  /** Shows a value as it holds now. @param {SettingValue} value */
  show(value) {
    this.value = value;
    this.#complain("");
    const field = /** @type {HTMLInputElement} */ (this.field);
    if (this.setting.kind === "switch") {
      field.checked = value === true;
    } else if (this.unit !== null && typeof value === "number") {
      if (value > 0) {
        const { value: shown, unit } = split(value, this.setting.kind === "rate" ? RATES : TIMES);
        field.value = typed.format(shown);
        this.unit.value = unit;
      } else {
        field.value = "";
        this.unit.value = "Mbit/s";
      }
    } else if (typeof value === "number") {
      field.value = value === 0 && this.setting.zero !== undefined ? "" : typed.format(value);
    } else {
      field.value = value === null ? "" : String(value);
    }
  }

  /** @param {SettingValue} standard @param {boolean} locked @param {boolean} idle its switch is off */
  standing(standard, locked, idle) {
    this.reset.hidden = locked || this.value === standard;
    this.locked.hidden = !locked;
    this.element.classList.toggle("idle", idle);
    for (const field of [this.field, this.unit]) if (field !== null) field.disabled = locked;
  }

  /** What stands in the field; NaN if it is no number. @returns {SettingValue} */
  #read() {
    const field = /** @type {HTMLInputElement} */ (this.field);
    const { kind, zero } = this.setting;
    if (kind === "switch") return field.checked;
    const text = field.value.trim();
    if (kind === "path") return text === "" ? null : text;
    if (kind === "choice" || kind === "suffix" || kind === "character") return text;
    if (text === "" && zero !== undefined) return 0;
    if (kind === "count") return /^\d+$/u.test(text) ? Number(text) : NaN;
    return join(text, this.unit?.value ?? "", kind === "rate" ? RATES : TIMES);
  }

  async #take() {
    const value = this.#read();
    // Enter, and leaving the field after it, are one wish.
    if (value === this.value) return this.show(value);
    if (Number.isNaN(value)) return this.#complain(this.#rule() ?? t("ruleNumber"));
    await this.#send(value);
  }

  /** @param {SettingValue} value */
  async #send(value) {
    const focused = document.activeElement === this.reset;
    try {
      await this.change(this.setting.name, value);
      this.#complain("");
      byId("spoken").textContent = t("savedSetting", this.label);
      if (focused) this.field.focus();
    } catch (error) {
      this.#complain(refusal(this.setting, error));
    }
  }

  #rule() {
    const rule = ruleOf(this.setting);
    return rule === null ? null : t(...rule);
  }

  /** @param {string} text */
  #complain(text) {
    this.error.textContent = text;
    if (text === "") this.field.removeAttribute("aria-invalid");
    else this.field.setAttribute("aria-invalid", "true");
  }
}
