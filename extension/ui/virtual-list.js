// @ts-check
// A grid of rows of one height, of which only those in sight are in the document. Knows no transfers.

/** Rows kept ready above and below what is seen. Who leaps further than a screen sees none of them before they are replaced. */
const SPARE = 6;
/** Without scrolling for so long, a person may be reading. */
const STILL_MS = 150;

/**
 * @typedef {object} Source
 * @property {() => number} count
 * @property {(index: number) => string} key
 * @property {(key: string) => boolean} has whether the row still exists, in sight or not
 * @property {() => void} orphaned the row with the focus ceased to exist
 * @property {(index: number) => Row} make
 * @property {(element: HTMLElement, index: number) => void} place sets what depends on the row's number
 */

/**
 * A row that shows one entry now and may show another later.
 * @typedef {{element: HTMLElement, show: (index: number) => void, index?: number}} Row
 */

export class VirtualList {
  /** @param {HTMLElement} scroller @param {HTMLElement} grid inside the scroller @param {number} height of a row, px @param {Source} source */
  constructor(scroller, grid, height, source) {
    this.scroller = scroller;
    this.grid = grid;
    this.height = height;
    this.source = source;
    this.count = -1;
    /** Rows in the document, by key. @type {Map<string, Row>} */
    this.rows = new Map();
    /** Rows taken out of the document, to be used again: to make one costs much more. @type {Row[]} */
    this.unused = [];
    /** Numbers of the rows seen the last time: the first, and the one after the last. */
    this.seen = { first: 0, last: 0 };
    /** Of the timer that orders the rows. @type {ReturnType<typeof setTimeout> | undefined} */
    this.still = undefined;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#scrolled()).observe(scroller);
  }

  /** Puts the rows in sight into the document, in order, as their entries are now. */
  show() {
    this.#arrange(true, SPARE);
    this.#order();
  }

  #scrolled() {
    const { first, last } = this.#seen();
    const leapt = first >= this.seen.last || last <= this.seen.first;
    this.#arrange(false, leapt ? 0 : SPARE);
    // A row lies where it is shown whatever its place in the document is, and to move it there costs more than to fill it.
    clearTimeout(this.still);
    this.still = setTimeout(() => {
      this.#arrange(false, SPARE);
      this.#order();
    }, STILL_MS);
  }

  /** @param {boolean} changed entries may have changed; else only what came into sight is filled @param {number} spare */
  #arrange(changed, spare) {
    const wanted = this.#inSight(spare);
    const { free, orphaned } = this.#release(wanted);
    for (const [key, index] of wanted) {
      const row = this.rows.get(key) ?? free.shift() ?? this.unused.pop() ?? this.source.make(index);
      const stays = this.rows.get(key) === row;
      this.rows.set(key, row);
      if (changed || !stays || row.index !== index) this.#fill(row, index);
      if (row.element.parentNode === null) this.grid.append(row.element);
    }
    for (const row of free) {
      row.element.remove();
      this.unused.push(row);
    }
    if (orphaned) this.source.orphaned();
  }

  /** Brings the rows into the order of their numbers: the order in the document is the order read aloud. */
  #order() {
    clearTimeout(this.still);
    /** @type {Element | null} */
    let before = null;
    for (const { element } of [...this.rows.values()].sort((a, b) => (a.index ?? 0) - (b.index ?? 0))) {
      /** @type {Element | null} */
      const after = before === null ? this.grid.firstElementChild : before.nextElementSibling;
      // Moving takes the focus away.
      if (after !== element && !element.contains(document.activeElement)) this.grid.insertBefore(element, after);
      before = element;
    }
  }

  /** Numbers of the rows in sight, as far as there are so many. */
  #seen() {
    const top = this.scroller.scrollTop - this.grid.offsetTop;
    return { first: Math.floor(top / this.height), last: Math.ceil((top + this.scroller.clientHeight) / this.height) };
  }

  /** Keys and numbers of the rows in sight, and of some more. @param {number} spare @returns {Map<string, number>} */
  #inSight(spare) {
    const count = this.source.count();
    this.seen = this.#seen();
    const first = Math.max(0, this.seen.first - spare);
    const last = Math.min(count, this.seen.last + spare);
    if (count !== this.count) {
      this.count = count;
      this.grid.style.blockSize = `${count * this.height}px`;
      this.grid.setAttribute("aria-rowcount", String(count));
    }
    /** @type {Map<string, number>} */
    const wanted = new Map();
    for (let i = first; i < last; i += 1) wanted.set(this.source.key(i), i);
    return wanted;
  }

  /**
   * Takes the rows out of the list that are not in sight; they stay in the document for others: to make one costs much more.
   * @param {Map<string, number>} wanted @returns {{free: Row[], orphaned: boolean}}
   */
  #release(wanted) {
    /** @type {Row[]} */
    const free = [];
    let orphaned = false;
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      if (!row.element.contains(document.activeElement)) {
        free.push(row);
      } else if (this.source.has(key)) {
        continue; // A row that has the focus stays in the document when it is scrolled away.
      } else {
        row.element.remove();
        orphaned = true;
      }
      this.rows.delete(key);
    }
    return { free, orphaned };
  }

  /** @param {Row} row @param {number} index */
  #fill(row, index) {
    row.show(index);
    if (row.index !== index) {
      row.index = index;
      row.element.style.transform = `translateY(${index * this.height}px)`;
      row.element.setAttribute("aria-rowindex", String(index + 1));
    }
    this.source.place(row.element, index);
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
