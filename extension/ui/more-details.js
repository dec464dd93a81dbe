// @ts-check
// What of a transfer is asked for only when somebody wants to read it: its last files, what the site asked for, and the log.

import { ask } from "./background.js";
import { h, icon } from "./dom.js";
import { errorText, refusalText } from "./errors.js";
import { OUTCOMES } from "./monitor-tables.js";
import { t } from "./text.js";

/** More than a person reads here; the monitor has them all. */
const MOST_FILES = 50;

export class MoreDetails {
  /** @param {HTMLElement} pane */
  constructor(pane) {
    this.files = section("files", "filesTitle", h("ul", { class: "file-list" }));
    this.record = section("record", "recordTitle", h("div", {}));
    for (const { element } of [this.files, this.record]) {
      element.addEventListener("toggle", () => this.show(this.view));
      pane.append(element);
    }
    /** @type {TransferView | null} */
    this.view = null;
    /** What is shown; another means asking again. */
    this.shown = "";
    this.asking = false;
  }

  /** @param {TransferView | null} view */
  show(view) {
    this.view = view;
    if (view === null || this.asking) return;
    const open = `${this.files.element.open} ${this.record.element.open}`;
    if (!open.includes("true")) return;
    const wanted = `${open} ${view.uuid} ${view.status} ${view.attempts} ${view.files_completed} ${view.files_failed}`;
    if (wanted === this.shown) return;
    this.shown = wanted;
    void this.#load(view);
  }

  /** @param {TransferView} view */
  async #load(view) {
    this.asking = true;
    try {
      const history = /** @type {TransferHistory} */ (await ask("ui.history", { uuid: view.uuid }));
      const log = this.record.element.open ? /** @type {{lines: string[]}} */ (await ask("ui.log", { uuid: view.uuid })) : { lines: [] };
      this.#files(history.files);
      this.#record(history.spec, log.lines);
    } catch (error) {
      this.files.body.replaceChildren(h("li", { class: "error" }, refusalText(error)));
      this.record.body.replaceChildren(h("p", { class: "error" }, refusalText(error)));
    }
    this.asking = false;
    // What changed meanwhile.
    this.show(this.view);
  }

  /** @param {FileReport[]} files */
  #files(files) {
    const last = files.slice(-MOST_FILES).reverse();
    this.files.body.replaceChildren(
      ...last.map((file) => {
        const [picture, key] = OUTCOMES[file.outcome] ?? ["file", "fileCompleted"];
        const error = file.error ? h("span", { class: "muted" }, errorText(file.error)) : null;
        return h("li", { class: file.outcome, title: t(key) }, icon(picture), h("span", { class: "visually-hidden" }, t(key)), h("span", { class: "path" }, file.path), error);
      }),
    );
    if (last.length === 0) this.files.body.replaceChildren(h("li", { class: "muted" }, t("filesNone")));
  }

  /** @param {unknown} spec @param {string[]} lines */
  #record(spec, lines) {
    const part = (/** @type {string} */ key, /** @type {string} */ text) => [h("h3", {}, t(key)), h("pre", { tabindex: 0, "aria-label": t(key) }, text)];
    this.record.body.replaceChildren(
      ...(spec ? part("recordSpec", JSON.stringify(spec, null, 1)) : []),
      ...part("recordLog", lines.length === 0 ? "–" : lines.join("\n")),
    );
  }
}

/**
 * @template {HTMLElement} T
 * @param {string} name @param {string} title @param {T} body
 */
const section = (name, title, body) => ({ element: h("details", { class: "more", "data-more": name }, h("summary", {}, t(title)), body), body });
