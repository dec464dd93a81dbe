// @ts-check
// The rows of a folder: mouse, keyboard, type-ahead; as many as there are, of which those in sight are in the document.

import { h, icon } from "../ui/dom.js";
import * as format from "../ui/format.js";
import { Selection } from "../ui/selection.js";
import { VirtualList } from "../ui/virtual-list.js";
import { language, t } from "./text.js";

/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {import("./listing.js").Listing} Listing */

/** Height of a row, px; as in web.css. */
const HEIGHT = 40;

/**
 * @typedef {object} Handlers
 * @property {() => void} changed the choice changed
 * @property {(entry: Entry) => void} opened
 * @property {() => void} up
 * @property {() => void} remove
 * @property {() => void} rename
 */

export class Grid {
  /** @param {HTMLElement} scroller @param {HTMLElement} rows @param {Handlers} handlers */
  constructor(scroller, rows, handlers) {
    this.rows = rows;
    this.scroller = scroller;
    this.handlers = handlers;
    /** @type {Listing | undefined} */
    this.listing = undefined;
    this.selection = new Selection(0, true);
    this.generation = 0;
    this.list = new VirtualList(scroller, rows, HEIGHT, {
      count: () => this.listing?.total ?? 0,
      key: (index) => `${this.generation}.${index}`,
      has: (key) => {
        const [generation, index] = key.split(".").map(Number);
        return generation === this.generation && index !== undefined && index < (this.listing?.total ?? 0);
      },
      orphaned: () => this.focus(),
      make: () => this.#make(),
      place: (element, index) => this.#mark(element, index),
    });
    scroller.addEventListener("scroll", () => this.#stop(), { passive: true });
    rows.addEventListener("focusin", (event) => {
      // By Tab, after the row with the cursor was scrolled away.
      const row = this.#rowOf(event);
      if (row >= 0) this.selection.cursor = row;
    });
    rows.addEventListener("click", (event) => this.#clicked(event));
    rows.addEventListener("dblclick", (event) => this.#opened(this.#rowOf(event)));
    rows.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Shows another folder. @param {Listing} listing */
  fill(listing) {
    this.listing = listing;
    this.generation += 1;
    this.selection = new Selection(listing.total, true);
    this.scroller.scrollTop = 0;
    this.refresh();
    this.handlers.changed();
  }

  /** Something arrived. */
  refresh() {
    const total = this.listing?.total ?? 0;
    if (this.selection.count !== total) {
      this.selection = new Selection(total, true);
      this.generation += 1;
      this.handlers.changed();
    }
    if (this.selection.cursor < 0 && total > 0) this.selection.cursor = 0;
    this.#place();
  }

  /** What is chosen and where the cursor stands, by name: the folder is read again now and then. */
  kept() {
    const name = (/** @type {number} */ row) => this.listing?.name(row) ?? "";
    return { chosen: new Set([...this.selection.chosen].map(name)), cursor: name(this.selection.cursor) };
  }

  /** Chooses the same names again, as far as they have arrived. @param {{chosen: Set<string>, cursor: string}} kept */
  restore({ chosen, cursor }) {
    for (let row = 0; row < this.selection.count; row += 1) {
      const name = this.listing?.name(row) ?? "";
      if (name === "") continue;
      if (chosen.has(name)) this.selection.chosen.add(row);
      if (name === cursor) this.selection.cursor = this.selection.anchor = row;
    }
    this.#place();
    this.handlers.changed();
  }

  /** Rows that are chosen. */
  get chosen() {
    return this.selection.chosen;
  }

  /** Puts the focus on the row with the cursor. */
  focus() {
    const { cursor } = this.selection;
    if (cursor < 0) return;
    this.list.reveal(cursor);
    /** @type {HTMLElement | null} */ (this.rows.querySelector(`[data-row="${cursor}"]`))?.focus({ preventScroll: true });
  }

  /** Chooses the row of this name, if it has arrived. @param {string} name */
  choose(name) {
    const total = this.listing?.total ?? 0;
    for (let row = 0; row < total; row += 1) {
      if (this.listing?.name(row) !== name) continue;
      this.selection.only(row);
      this.list.reveal(row);
      this.handlers.changed();
      return;
    }
  }

  /** A row that shows one entry, and another when it is needed elsewhere. */
  #make() {
    const mark = h("span", { class: "check", "aria-hidden": "true" });
    const name = h("span", { class: "name", role: "gridcell", "aria-colindex": "1" });
    const size = h("span", { class: "size", role: "gridcell", "aria-colindex": "2" });
    const time = h("span", { class: "time", role: "gridcell", "aria-colindex": "3" });
    const element = h("div", { class: "row", role: "row" }, name, size, time);
    let shown = "";
    const show = (/** @type {number} */ index) => {
      element.dataset.row = String(index);
      const entry = this.listing?.entry(index);
      const now = entry === undefined ? "…" : JSON.stringify(entry);
      if (now === shown) return;
      shown = now;
      if (entry === undefined) {
        name.replaceChildren(mark, h("span", { class: "label muted" }, "…"));
        size.textContent = time.textContent = "";
        delete element.dataset.name;
        delete element.dataset.type;
        return;
      }
      const folder = entry.type === "directory";
      const label = folder
        ? h("button", { type: "button", class: "label open", tabindex: "-1" }, entry.basename)
        : h("span", { class: "label" }, entry.basename);
      const note = entry.type === "symbolic_link" ? t("isLink") : entry.partial_file ? t("isPartial") : "";
      name.replaceChildren(
        mark,
        icon(folder ? "folder" : "file"),
        label,
        h("span", { class: "visually-hidden" }, t(folder ? "isFolder" : "isFile")),
        ...(note === "" ? [] : [h("span", { class: "note muted" }, note)]),
      );
      element.dataset.name = entry.basename;
      element.dataset.type = entry.type;
      size.textContent = folder ? "" : format.bytes(entry.size, language);
      time.textContent = format.date(Date.parse(entry.mtime), language);
    };
    return { element, show };
  }

  #place() {
    this.list.show();
    this.#stop();
  }

  /** @param {HTMLElement} element @param {number} index */
  #mark(element, index) {
    element.setAttribute("aria-selected", String(this.selection.chosen.has(index)));
    element.tabIndex = index === this.selection.cursor ? 0 : -1;
  }

  /** Tab stops at the row with the cursor, or at the first one if that has been scrolled away. */
  #stop() {
    const all = [...this.rows.querySelectorAll("[data-row]")];
    if (all.length === 0 || all.some((row) => /** @type {HTMLElement} */ (row).tabIndex === 0)) return;
    const seen = all.find((row) => row.getBoundingClientRect().top >= this.scroller.getBoundingClientRect().top);
    /** @type {HTMLElement} */ (seen ?? all[0]).tabIndex = 0;
  }

  /** @param {Event} event */
  #rowOf(event) {
    const row = /** @type {Element} */ (event.target).closest("[data-row]");
    return row === null ? -1 : Number(row.getAttribute("data-row"));
  }

  /** @param {number} row */
  #opened(row) {
    const entry = row < 0 ? undefined : this.listing?.entry(row);
    if (entry !== undefined) this.handlers.opened(entry);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const row = this.#rowOf(event);
    if (row < 0) return;
    const target = /** @type {Element} */ (event.target);
    if (target.closest(".open") && !event.shiftKey && !event.ctrlKey && !event.metaKey) return this.#opened(row);
    if (event.shiftKey) this.selection.rangeTo(row);
    else if (event.ctrlKey || event.metaKey || target.closest(".check")) this.selection.toggle(row);
    else this.selection.only(row);
    this.#show();
  }

  #show() {
    this.focus();
    this.#place();
    this.handlers.changed();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const { selection, handlers } = this;
    const how = { range: event.shiftKey, keep: event.ctrlKey || event.metaKey };
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / HEIGHT) - 1);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    const typing = selection.word !== "" && event.timeStamp - selection.wordAt < 900;
    if (event.altKey) {
      if (event.key !== "ArrowUp") return;
      handlers.up();
    } else if (step !== undefined) {
      const wanted = Number.isFinite(step) ? selection.cursor + step : step > 0 ? selection.count - 1 : 0;
      selection.moveTo(wanted, how);
    } else if (event.key === "Enter") {
      this.#opened(selection.cursor);
    } else if (event.key === "Backspace") {
      handlers.up();
    } else if (event.key === "Delete" || event.key === "F2") {
      if (selection.chosen.size === 0) selection.only(selection.cursor);
      if (event.key === "F2") handlers.rename();
      else handlers.remove();
    } else if (event.key === "Escape") {
      selection.none();
    } else if (event.key === " " && !typing) {
      if (selection.cursor >= 0) selection.toggle(selection.cursor);
    } else if (event.key.toLowerCase() === "a" && how.keep) {
      selection.all();
    } else if (event.key.length === 1 && !how.keep) {
      const names = Array.from({ length: selection.count }, (_, row) => this.listing?.name(row) ?? "");
      selection.type(event.key, event.timeStamp, names);
    } else {
      return;
    }
    event.preventDefault();
    this.#show();
  }
}
