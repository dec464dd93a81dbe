// @ts-check
// A list of files and folders: mouse, keyboard, type-ahead. Says what was chosen or opened; knows no paths.

import { h, icon } from "./dom.js";
import * as format from "./format.js";
import { Selection } from "./selection.js";
import { language, t } from "./text.js";

/** Rows a Page key moves by. */
const PAGE = 10;

/**
 * @typedef {object} Handlers
 * @property {() => void} changed the choice changed
 * @property {(entry: FolderEntry) => void} opened a row was double-clicked, or Enter pressed on it
 */

export class FileList {
  /** @param {HTMLElement} element with role `listbox` @param {boolean} multiple @param {Handlers} handlers */
  constructor(element, multiple, handlers) {
    this.element = element;
    this.multiple = multiple;
    this.handlers = handlers;
    /** @type {FolderEntry[]} */
    this.entries = [];
    /** @type {HTMLElement[]} */
    this.rows = [];
    this.selection = new Selection(0, multiple);
    if (multiple) element.setAttribute("aria-multiselectable", "true");
    element.addEventListener("click", (event) => this.#clicked(event));
    element.addEventListener("dblclick", (event) => {
      const row = this.#rowOf(event);
      const entry = this.entries[row];
      if (entry) this.handlers.opened(entry);
    });
    element.addEventListener("keydown", (event) => this.#pressed(event));
    element.addEventListener("focus", () => {
      if (this.selection.cursor < 0 && this.entries.length > 0) {
        this.selection.cursor = 0;
        this.selection.anchor = 0;
        this.#show();
      }
    });
  }

  /** @param {FolderEntry[]} entries @param {string | null} [select] name to choose at once */
  fill(entries, select = null) {
    this.entries = entries;
    this.selection = new Selection(entries.length, this.multiple);
    this.rows = entries.map((entry, i) =>
      h(
        "div",
        {
          class: "row",
          role: "option",
          id: `row-${i}`,
          "data-name": entry.name,
          "data-folder": entry.folder,
          "aria-selected": "false",
        },
        icon(entry.folder ? "folder" : "file"),
        h("span", { class: "name" }, entry.name),
        h("span", { class: "visually-hidden" }, t(entry.folder ? "rowFolder" : "rowFile")),
        h("span", { class: "size" }, entry.folder ? "" : format.bytes(entry.size, language)),
        h("span", { class: "date" }, format.date(entry.modified_ms, language)),
      ),
    );
    this.element.replaceChildren(...this.rows);
    this.element.scrollTop = 0;
    const row = select === null ? -1 : entries.findIndex(({ name }) => name === select);
    if (row >= 0) this.selection.only(row);
    else if (document.activeElement === this.element && entries.length > 0) this.selection.cursor = this.selection.anchor = 0;
    this.#show();
  }

  /** @returns {FolderEntry[]} in the order shown */
  chosen() {
    return this.entries.filter((_, i) => this.selection.chosen.has(i));
  }

  #show() {
    this.rows.forEach((row, i) => {
      const on = String(this.selection.chosen.has(i));
      if (row.getAttribute("aria-selected") !== on) row.setAttribute("aria-selected", on);
      row.classList.toggle("cursor", i === this.selection.cursor);
    });
    const current = this.rows[this.selection.cursor];
    if (current) {
      this.element.setAttribute("aria-activedescendant", current.id);
      current.scrollIntoView({ block: "nearest" });
    } else {
      this.element.removeAttribute("aria-activedescendant");
    }
    this.handlers.changed();
  }

  /** @param {Event} event @returns {number} */
  #rowOf(event) {
    const row = /** @type {Element} */ (event.target).closest(".row");
    return row === null ? -1 : this.rows.indexOf(/** @type {HTMLElement} */ (row));
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const row = this.#rowOf(event);
    if (row < 0) this.selection.none();
    else if (event.shiftKey) this.selection.rangeTo(row);
    else if (event.ctrlKey || event.metaKey) this.selection.toggle(row);
    else this.selection.only(row);
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.altKey) return;
    const { selection } = this;
    const how = { range: event.shiftKey, keep: event.ctrlKey || event.metaKey };
    const typing = selection.word !== "" && event.timeStamp - selection.wordAt < 900;
    switch (event.key) {
      case "ArrowDown":
        selection.moveTo(selection.cursor + 1, how);
        break;
      case "ArrowUp":
        selection.moveTo(selection.cursor - 1, how);
        break;
      case "PageDown":
        selection.moveTo(selection.cursor + PAGE, how);
        break;
      case "PageUp":
        selection.moveTo(selection.cursor - PAGE, how);
        break;
      case "Home":
        selection.moveTo(0, how);
        break;
      case "End":
        selection.moveTo(this.entries.length - 1, how);
        break;
      case "Enter": {
        const entry = this.entries[selection.cursor];
        // Several rows chosen: Enter is for all of them, the window's own button.
        if (entry === undefined || selection.chosen.size > 1) return;
        this.handlers.opened(entry);
        break;
      }
      default:
        if (event.key.length !== 1) return;
        if (how.keep) {
          if (event.key.toLowerCase() !== "a") return;
          selection.all();
        } else if (event.key === " " && !typing) {
          if (selection.cursor >= 0) selection.toggle(selection.cursor);
        } else {
          selection.type(event.key, event.timeStamp, this.entries.map(({ name }) => name));
        }
    }
    event.preventDefault();
    event.stopPropagation();
    this.#show();
  }
}
