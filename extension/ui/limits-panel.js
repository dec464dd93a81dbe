// @ts-check
// The limits of one transfer: policy, target and minimum to choose and type; caps and locks with who set them.

import { h, icon } from "./dom.js";
import * as format from "./format.js";
import { language, t } from "./text.js";
import { set } from "./transfer-row.js";
import { RATES, join, split } from "./units.js";

/** @type {[string, string, string][]} value, name, what it means */
const POLICIES = [
  ["fixed", "policyFixed", "policyFixedHelp"],
  ["high", "policyHigh", "policyHighHelp"],
  ["fair", "policyFair", "policyFairHelp"],
  ["low", "policyLow", "policyLowHelp"],
];

const typed = new Intl.NumberFormat(language, { maximumFractionDigits: 3, useGrouping: false });

export class LimitsPanel {
  /** @param {HTMLElement} parent @param {(wish: Record<string, string | number>) => void} wish */
  constructor(parent, wish) {
    this.policy = h("select", { class: "field", id: "policy", onchange: () => wish({ rate_policy: this.policy.value }) }, ...POLICIES.map(([value, key]) => h("option", { value }, t(key))));
    this.help = h("p", { class: "muted small" });
    this.target = this.#rate("target", t("noLimit"), (kbps) => wish({ target_rate_kbps: kbps }));
    this.minimum = this.#rate("minimum", t("noMinimum"), (kbps) => wish({ min_rate_kbps: kbps }));
    this.notes = h("ul", { class: "limit-notes muted small" });
    parent.append(
      this.#part("policy", t("limitPolicy"), this.policy, this.help),
      this.#part("target", t("limitTarget"), this.target.element),
      this.#part("minimum", t("limitMinimum"), this.minimum.element),
      this.notes,
    );
  }

  /** @param {string} id @param {string} label @param {...HTMLElement} parts */
  #part(id, label, ...parts) {
    return h("div", { class: "limit", "data-limit": id }, h("label", { for: id }, label, h("span", { class: "lock", hidden: true }, icon("lock"))), ...parts);
  }

  /** @param {string} id @param {string} placeholder @param {(kbps: number) => void} wish */
  #rate(id, placeholder, wish) {
    const number = h("input", { type: "text", class: "field number", id, placeholder, inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
    const unit = h("select", { class: "field unit", "aria-label": t("unitOf", t(id === "target" ? "limitTarget" : "limitMinimum")) }, ...RATES.map(([name]) => h("option", { value: name }, name)));
    let shown = -1;
    const take = () => {
      const kbps = number.value.trim() === "" ? 0 : join(number.value, unit.value, RATES);
      number.toggleAttribute("aria-invalid", Number.isNaN(kbps));
      if (Number.isNaN(kbps) || kbps === shown) return;
      shown = kbps;
      wish(kbps);
    };
    for (const field of [number, unit]) field.addEventListener("change", take);
    number.addEventListener("keydown", (event) => event.key === "Enter" && take());
    const element = h("div", { class: "with-unit" }, number, unit);
    /** @param {number} kbps @param {boolean} disabled */
    const show = (kbps, disabled) => {
      number.disabled = unit.disabled = disabled;
      // What is being typed is left alone.
      if (kbps === shown || element.contains(document.activeElement)) return;
      shown = kbps;
      const { value, unit: name } = kbps > 0 ? split(kbps, RATES) : { value: "", unit: "Mbit/s" };
      number.value = value === "" ? "" : typed.format(Number(value));
      unit.value = name;
    };
    return { element, show };
  }

  /** @param {Limits} limits @param {boolean} usable false when the transfer has ended for good */
  show(limits, usable) {
    const { wished, granted, locked_by_site: site, locked_by_server: server, share } = limits;
    const policy = wished.policy ?? "fair";
    if (document.activeElement !== this.policy) this.policy.value = policy;
    set(this.help, t(POLICIES.find(([value]) => value === policy)?.[2] ?? "policyFairHelp"));
    this.policy.disabled = !usable || site.policy || server.policy;
    this.target.show(wished.target ?? 0, !usable || site.target || server.target);
    this.minimum.show(wished.minimum ?? 0, !usable || site.minimum || server.minimum);
    for (const [id, locked] of /** @type {[string, boolean][]} */ ([["policy", site.policy || server.policy], ["target", site.target || server.target], ["minimum", site.minimum || server.minimum]])) {
      const mark = /** @type {HTMLElement | null} */ (document.querySelector(`[data-limit="${id}"] .lock`));
      if (mark !== null) mark.hidden = !locked;
    }
    const any = (/** @type {RateLocks} */ locks) => locks.policy || locks.target || locks.minimum;
    const rate = (/** @type {number} */ kbps) => format.rate(kbps, language);
    const notes = [
      any(site) ? t("lockedBySite") : "",
      any(server) ? t("lockedByServer") : "",
      wished.cap ? t("capBySite", rate(wished.cap)) : "",
      granted.cap ? t("capByServer", rate(granted.cap)) : "",
      typeof share === "number" ? t("capByYou", rate(share)) : "",
    ].filter((note) => note !== "");
    if (this.notes.dataset.text === notes.join("\n")) return;
    this.notes.dataset.text = notes.join("\n");
    this.notes.replaceChildren(...notes.map((note) => h("li", {}, note)));
  }
}
