// @ts-check
// A folder of any size: only the pages that are looked at are fetched, newest wish first. Knows no document.

/** @typedef {import("./api.js").Entry} Entry */
/** @typedef {(skip: number, count: number) => Promise<{items: Entry[], total_count: number}>} Fetch */

/** Entries of a page. */
export const PAGE = 500;
/** Wishes that are kept; who scrolls fast is interested in the last ones. */
const MAX_WISHES = 4;

export class Listing {
  /** @param {Fetch} fetch @param {() => void} changed something arrived, or the number of entries is another one @param {(error: unknown) => void} failed */
  constructor(fetch, changed, failed) {
    this.fetch = fetch;
    this.changed = changed;
    this.failed = failed;
    this.total = 0;
    /** @type {Map<number, Entry[]>} */
    this.pages = new Map();
    /** Pages to be fetched, the most urgent last. @type {number[]} */
    this.wishes = [];
    /** Pages under way. @type {Map<number, Promise<void>>} */
    this.loading = new Map();
    this.ended = false;
  }

  /** Fetches the beginning. */
  async start() {
    await this.#load(0);
  }

  /** Nothing that is still under way is of interest. */
  end() {
    this.ended = true;
  }

  /** The entry of a row, or undefined until it has arrived; the wish for it is noted. @param {number} index @returns {Entry | undefined} */
  entry(index) {
    const page = Math.floor(index / PAGE);
    const found = this.pages.get(page)?.[index % PAGE];
    if (found === undefined && index < this.total) this.#wish(page);
    return found;
  }

  /** The name of a row if it is known. @param {number} index */
  name(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE]?.basename ?? "";
  }

  /** The entries of these rows, fetched if need be. @param {Iterable<number>} rows @returns {Promise<Entry[]>} */
  async entries(rows) {
    const wanted = [...rows].sort((a, b) => a - b);
    for (const page of new Set(wanted.map((row) => Math.floor(row / PAGE)))) if (!this.pages.has(page)) await this.#load(page);
    return wanted.map((row) => this.pages.get(Math.floor(row / PAGE))?.[row % PAGE]).filter((entry) => entry !== undefined);
  }

  /** @param {number} page */
  #wish(page) {
    if (this.loading.has(page)) return;
    this.wishes = this.wishes.filter((each) => each !== page).slice(1 - MAX_WISHES);
    this.wishes.push(page);
    this.#next();
  }

  #next() {
    if (this.ended || this.loading.size >= 2) return;
    const page = this.wishes.pop();
    if (page === undefined) return;
    this.#load(page).catch((error) => !this.ended && this.failed(error));
  }

  /** @param {number} page */
  #load(page) {
    const there = this.loading.get(page);
    if (there) return there;
    const load = this.fetch(page * PAGE, PAGE)
      .then(({ items, total_count }) => {
        if (this.ended) return;
        // The folder changed meanwhile: what was fetched before may stand at other places now.
        if (this.pages.size > 0 && total_count !== this.total) this.pages.clear();
        this.total = total_count;
        this.pages.set(page, items);
        this.changed();
      })
      .finally(() => {
        this.loading.delete(page);
        this.#next();
      });
    this.loading.set(page, load);
    return load;
  }
}
