// @ts-check
// What is known of one transfer: numbers, the error with the next step, and a report to copy.

import { ask } from "./background.js";
import { h, icon } from "./dom.js";
import { errorText } from "./errors.js";
import * as format from "./format.js";
import { MoreDetails } from "./more-details.js";
import { reportText, stepKey } from "./report.js";
import { language, t } from "./text.js";
import { abilities, share } from "./transfer-model.js";
import { amountOf, filesOf, perform, set, stateOf, stillEncrypted } from "./transfer-row.js";

export class Details {
  /** @param {HTMLElement} pane @param {() => void} back gives the focus back to the list */
  constructor(pane, back) {
    this.pane = pane;
    /** @type {TransferView | null} */
    this.view = null;
    this.title = h("h2", { tabindex: -1 });
    this.state = h("p", { class: "state-line" });
    this.progress = h("progress", { max: 1, "aria-label": t("progressLabel") });
    this.error = h("div", { class: "fault" });
    this.encryptedText = h("p", { class: "cause" });
    this.encryptedWhy = h("p", { class: "muted small" });
    const unlock = h("button", { type: "button", class: "unlock", onclick: () => void this.#unlock() }, icon("unlock"), t("actionUnlock"));
    this.encrypted = h("div", { class: "fault encrypted", hidden: true }, this.encryptedText, this.encryptedWhy, unlock);
    this.facts = h("dl");
    this.copied = h("span", { role: "status", class: "muted" });
    pane.append(
      h(
        "div",
        { class: "pane-head" },
        this.title,
        h("button", { type: "button", class: "quiet", title: t("closeDetails"), "aria-label": t("closeDetails"), onclick: () => this.close() }, icon("remove")),
      ),
      this.state,
      this.progress,
      this.error,
      this.encrypted,
      this.facts,
      h("div", { class: "ends" }, this.copied, h("button", { type: "button", class: "open-monitor", onclick: () => this.monitor() }, icon("graph"), t("openMonitor")), h("button", { type: "button", onclick: () => void this.copy() }, icon("copy"), t("copyReport"))),
    );
    this.more = new MoreDetails(pane);
    pane.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      back();
    });
    this.back = back;
    this.closed = false;
    /** @type {Map<string, HTMLElement>} */
    this.values = new Map();
  }

  /** @param {TransferView | null} view */
  show(view) {
    if (view?.uuid !== this.view?.uuid) {
      this.closed = false;
      set(this.copied, "");
    }
    this.view = view;
    this.pane.hidden = view === null || this.closed;
    if (view === null || this.closed) return;
    set(this.title, view.title);
    const running = view.status === "running";
    set(this.state, running ? `${format.percent(share(view), language)} · ${format.rate(view.rate_kbps, language)}` : stateOf(view));
    this.pane.dataset.status = view.status;
    if (running && view.bytes_expected === 0) this.progress.removeAttribute("value");
    else this.progress.value = share(view);
    this.#fault(view);
    this.#encrypted(view);
    this.#facts(view);
    this.more.show(view);
  }

  /** Puts the focus here, for those who read with the keyboard. */
  focus() {
    this.closed = false;
    this.show(this.view);
    this.title.focus();
  }

  close() {
    this.closed = true;
    this.pane.hidden = true;
    this.back();
  }

  monitor() {
    if (this.view !== null) void ask("open", { page: "monitor", fragment: this.view.uuid }).catch(() => {});
  }

  async copy() {
    if (this.view === null) return;
    const versions = await ask("versions").catch(() => ({}));
    await navigator.clipboard.writeText(reportText(this.view, versions));
    set(this.copied, t("copied"));
  }

  /** @param {TransferView} view */
  #fault({ error }) {
    const key = error === null ? "" : `${error.code} ${error.message}`;
    if (this.error.dataset.key === key) return;
    this.error.dataset.key = key;
    this.error.hidden = error === null;
    if (error === null) return this.error.replaceChildren();
    const step = stepKey(error.code);
    this.error.replaceChildren(
      h("p", { class: "cause" }, icon("warning"), h("span", {}, errorText(error))),
      ...(step === null ? [] : [h("p", {}, t(step))]),
      h("p", { class: "muted" }, t("errorNumber", String(error.code))),
    );
  }

  /** What is still encrypted, and the way out. @param {TransferView} view */
  #encrypted(view) {
    const text = stillEncrypted(view);
    // Whoever pressed the button stays in the pane when it goes.
    if (text === "" && this.encrypted.contains(document.activeElement)) this.title.focus();
    this.encrypted.hidden = text === "" || !abilities(view).unlock;
    if (text === "") return;
    const why = view.unlocked?.why ?? "";
    this.encrypted.classList.toggle("calm", why === "");
    set(this.encryptedText, text);
    set(this.encryptedWhy, why);
    this.encryptedWhy.hidden = why === "";
  }

  async #unlock() {
    if (this.view !== null) await perform("unlock", this.view.uuid);
  }

  /** @param {TransferView} view */
  #facts(view) {
    /** @type {[string, string][]} */
    const facts = [
      ["factDirection", t(view.direction === "send" ? "directionSend" : "directionReceive")],
      ["factSite", view.origin],
      ["factServer", view.remote_host],
      ["factAmount", amountOf(view)],
      ["factFiles", filesOf(view) || format.number(view.files_expected, language)],
      ["factFailed", view.files_failed > 0 ? format.number(view.files_failed, language) : ""],
      ["factDecrypted", (view.unlocked?.opened ?? 0) > 0 ? format.number(view.unlocked?.opened ?? 0, language) : ""],
      ["factLeft", view.status === "running" && view.seconds_left !== null ? format.duration(view.seconds_left, language) : ""],
      ["factCurrent", view.status === "running" ? view.current_file : ""],
      ["factFolder", view.folder ?? ""],
      ["factAdded", format.date(view.added_ms, language)],
      ["factAttempts", view.attempts > 1 ? format.number(view.attempts, language) : ""],
    ];
    for (const [key, text] of facts) {
      let value = this.values.get(key);
      if (value === undefined) {
        value = h("dd", { "data-fact": key });
        this.values.set(key, value);
        this.facts.append(h("div", { class: "fact" }, h("dt", {}, t(key)), value));
      }
      set(value, text);
      if (value.parentElement) value.parentElement.hidden = text === "";
    }
  }
}
