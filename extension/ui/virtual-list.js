// @ts-check
// A grid of rows of one height, of which only those in sight are in the document. Knows no transfers.

/** Rows kept ready above and below what is seen. */
const SPARE = 6;

/**
 * @typedef {object} Source
 * @property {() => number} count
 * @property {(index: number) => string} key
 * @property {(key: string) => boolean} has whether the row still exists, in sight or not
 * @property {() => void} orphaned the row with the focus ceased to exist
 * @property {(index: number) => {element: HTMLElement, update: () => void}} make
 * @property {(element: HTMLElement, index: number) => void} place sets what depends on the row's number
 */

export class VirtualList {
  /** @param {HTMLElement} scroller @param {HTMLElement} grid inside the scroller @param {number} height of a row, px @param {Source} source */
  constructor(scroller, grid, height, source) {
    this.scroller = scroller;
    this.grid = grid;
    this.height = height;
    this.source = source;
    /** Rows in the document. @type {Map<string, {element: HTMLElement, update: () => void}>} */
    this.rows = new Map();
    scroller.addEventListener("scroll", () => this.show(), { passive: true });
    new ResizeObserver(() => this.show()).observe(scroller);
  }

  /** Puts the rows in sight into the document, in order. */
  show() {
    const count = this.source.count();
    const top = this.scroller.scrollTop - this.grid.offsetTop;
    const first = Math.max(0, Math.floor(top / this.height) - SPARE);
    const last = Math.min(count, Math.ceil((top + this.scroller.clientHeight) / this.height) + SPARE);
    this.grid.style.setProperty("--rows", String(count));
    this.grid.setAttribute("aria-rowcount", String(count));
    /** @type {Map<string, number>} */
    const wanted = new Map();
    for (let i = first; i < last; i += 1) wanted.set(this.source.key(i), i);
    let orphaned = false;
    for (const [key, row] of this.rows) {
      const focused = row.element.contains(document.activeElement);
      // A row that has the focus stays in the document when it is scrolled away.
      if (wanted.has(key) || (focused && this.source.has(key))) continue;
      row.element.remove();
      this.rows.delete(key);
      orphaned ||= focused;
    }
    /** @type {Element | null} */
    let before = null;
    for (const [key, index] of wanted) {
      let row = this.rows.get(key);
      if (row === undefined) {
        row = this.source.make(index);
        this.rows.set(key, row);
      } else {
        row.update();
      }
      row.element.style.setProperty("--row", String(index));
      row.element.setAttribute("aria-rowindex", String(index + 1));
      this.source.place(row.element, index);
      // The order in the document is the order read aloud.
      /** @type {Element | null} */
      const after = before === null ? this.grid.firstElementChild : before.nextElementSibling;
      if (after !== row.element && !row.element.contains(document.activeElement)) this.grid.insertBefore(row.element, after);
      before = row.element;
    }
    if (orphaned) this.source.orphaned();
  }

  /** Scrolls so that a row is in sight. @param {number} index */
  reveal(index) {
    const top = this.grid.offsetTop + index * this.height;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
    this.show();
  }
}
