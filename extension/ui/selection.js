// @ts-check
// Which rows of a list are chosen, and where the cursor stands. Pure: rows are numbers from 0.

/** Typed letters within this time make one word. */
const WORD_MS = 900;

export class Selection {
  /** @param {number} count @param {boolean} multiple */
  constructor(count, multiple) {
    this.count = count;
    this.multiple = multiple;
    /** Row with the cursor; -1 = none yet. */
    this.cursor = -1;
    /** Where a range began. */
    this.anchor = -1;
    /** @type {Set<number>} */
    this.chosen = new Set();
    this.word = "";
    this.wordAt = -Infinity;
  }

  /** Chooses one row alone. @param {number} row */
  only(row) {
    if (this.count === 0) return;
    this.cursor = Math.min(Math.max(row, 0), this.count - 1);
    this.anchor = this.cursor;
    this.chosen = new Set([this.cursor]);
  }

  /** Adds or takes away one row. @param {number} row */
  toggle(row) {
    if (!this.multiple) return this.only(row);
    this.cursor = row;
    this.anchor = row;
    if (!this.chosen.delete(row)) this.chosen.add(row);
  }

  /** Chooses from the anchor to this row. @param {number} row */
  rangeTo(row) {
    if (!this.multiple || this.anchor < 0) return this.only(row);
    this.cursor = Math.min(Math.max(row, 0), this.count - 1);
    const [from, to] = [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
    this.chosen = new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  }

  /**
   * Moves the cursor. `range` extends (Shift), `keep` leaves the choice alone (Ctrl).
   * @param {number} row @param {{range?: boolean, keep?: boolean}} [how]
   */
  moveTo(row, { range = false, keep = false } = {}) {
    if (this.count === 0) return;
    const target = Math.min(Math.max(row, 0), this.count - 1);
    if (range) this.rangeTo(target);
    else if (keep && this.multiple) this.cursor = target;
    else this.only(target);
  }

  all() {
    if (this.multiple) this.chosen = new Set(Array.from({ length: this.count }, (_, i) => i));
  }

  none() {
    this.chosen = new Set();
  }

  /**
   * Goes to the next name that begins with the letters typed; the same letter again goes through the names.
   * @param {string} letter @param {number} now milliseconds @param {string[]} names
   * @returns {boolean} true if a name was found
   */
  type(letter, now, names) {
    const fresh = now - this.wordAt > WORD_MS;
    this.wordAt = now;
    this.word = (fresh ? "" : this.word) + letter.toLocaleLowerCase();
    const letters = [...this.word];
    const same = letters.every((l) => l === letters[0]);
    const wanted = same ? (letters[0] ?? "") : this.word;
    // A longer word may still fit the row it stands on; a single letter means the next row.
    const start = same ? this.cursor + 1 : Math.max(this.cursor, 0);
    for (let i = 0; i < names.length; i += 1) {
      const row = (start + i) % names.length;
      if (names[row]?.toLocaleLowerCase().startsWith(wanted)) {
        this.only(row);
        return true;
      }
    }
    return false;
  }
}
