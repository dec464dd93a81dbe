// @ts-check
// Which transfers a list shows, in which order, and which of them are chosen. Pure: knows no document.

/** Texts for the states of a transfer. */
export const STATES = /** @type {Record<string, string>} */ ({
  initiating: "stateInitiating",
  queued: "stateQueued",
  running: "stateRunning",
  willretry: "stateWillRetry",
  completed: "stateCompleted",
  failed: "stateFailed",
  cancelled: "stateCancelled",
});

/** Groups of states a person thinks in. @type {Record<string, string[]>} */
export const GROUPS = {
  active: ["initiating", "running", "willretry"],
  waiting: ["queued"],
  done: ["completed"],
  trouble: ["failed", "cancelled"],
};

/**
 * @typedef {object} Filter
 * @property {string} group a key of GROUPS, or `all`
 * @property {string} direction `send`, `receive` or `all`
 * @property {string} site an origin, or `all`
 * @property {string} text words that title, server, site or error must contain
 */

/** @type {Readonly<Filter>} */
export const EVERYTHING = Object.freeze({ group: "all", direction: "all", site: "all", text: "" });

/** @param {TransferView} view @returns {number} 0 to 1 */
export function share(view) {
  const { unlocking } = view;
  if (unlocking) return unlocking.total > 0 ? Math.min(1, unlocking.done / unlocking.total) : 0;
  if (view.status === "completed") return 1;
  return view.bytes_expected > 0 ? Math.min(1, view.bytes_written / view.bytes_expected) : 0;
}

const RANK = ["running", "initiating", "willretry", "queued", "failed", "cancelled", "completed"];

/** Larger first, names from A to Z. @type {Record<string, (a: TransferView, b: TransferView) => number>} */
const ORDERS = {
  newest: (a, b) => b.added_ms - a.added_ms,
  oldest: (a, b) => a.added_ms - b.added_ms,
  name: (a, b) => collator.compare(a.title, b.title),
  state: (a, b) => RANK.indexOf(a.status) - RANK.indexOf(b.status) || (a.queue_order ?? 0) - (b.queue_order ?? 0),
  progress: (a, b) => share(b) - share(a),
  rate: (a, b) => b.rate_kbps - a.rate_kbps,
  size: (a, b) => b.bytes_expected - a.bytes_expected,
};

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** What one may sort by. */
export const SORTS = Object.keys(ORDERS);

/** @param {string} text @returns {string[]} */
const words = (text) => text.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== "");

/** @param {TransferView} view @param {Filter} filter */
export function matches(view, filter) {
  if (filter.group !== "all" && !GROUPS[filter.group]?.includes(view.status)) return false;
  if (filter.direction !== "all" && view.direction !== filter.direction) return false;
  if (filter.site !== "all" && view.origin !== filter.site) return false;
  const wanted = words(filter.text);
  if (wanted.length === 0) return true;
  const there = `${view.title} ${view.remote_host} ${view.origin} ${view.current_file} ${view.error?.message ?? ""}`.toLocaleLowerCase();
  return wanted.every((word) => there.includes(word));
}

export class TransferModel {
  constructor() {
    /** @type {Map<string, TransferView>} */
    this.views = new Map();
    /** @type {Filter} */
    this.filter = { ...EVERYTHING };
    this.sort = "newest";
    /** Ids shown, in order. @type {string[]} */
    this.order = [];
    /** Row of each id shown. @type {Map<string, number>} */
    this.rows = new Map();
    /** @type {Set<string>} */
    this.chosen = new Set();
    /** Id with the cursor. @type {string | null} */
    this.cursor = null;
    /** Where a range began. @type {string | null} */
    this.anchor = null;
    this.stale = true;
  }

  /** @param {TransferView[]} views */
  replaceAll(views) {
    this.views = new Map(views.map((view) => [view.uuid, view]));
    this.stale = true;
  }

  /** @param {TransferView[]} changed @param {string[]} removed */
  change(changed, removed) {
    for (const uuid of removed) this.stale = this.views.delete(uuid) || this.stale;
    for (const view of changed) {
      const before = this.views.get(view.uuid);
      this.views.set(view.uuid, view);
      this.stale ||= before === undefined || this.#moves(before, view);
    }
  }

  /** Whether the change may put a row elsewhere. @param {TransferView} before @param {TransferView} after */
  #moves(before, after) {
    if (matches(before, this.filter) !== matches(after, this.filter)) return true;
    return (ORDERS[this.sort]?.(before, after) ?? 0) !== 0;
  }

  /** @param {Partial<Filter>} filter */
  setFilter(filter) {
    this.filter = { ...this.filter, ...filter };
    this.stale = true;
  }

  /** @param {string} sort */
  setSort(sort) {
    if (!SORTS.includes(sort)) return;
    this.sort = sort;
    this.stale = true;
  }

  /** Brings the order up to date. @returns {boolean} true if rows may have moved */
  settle() {
    if (!this.stale) return false;
    this.stale = false;
    const shown = [...this.views.values()].filter((view) => matches(view, this.filter));
    // Equal ones in the order in which they came, so that nothing jumps.
    const by = ORDERS[this.sort] ?? ORDERS.newest;
    if (by) shown.sort((a, b) => by(a, b) || b.added_ms - a.added_ms || (a.uuid < b.uuid ? -1 : 1));
    const row = this.cursor === null ? -1 : (this.rows.get(this.cursor) ?? -1);
    this.order = shown.map(({ uuid }) => uuid);
    this.rows = new Map(this.order.map((uuid, i) => [uuid, i]));
    for (const uuid of this.chosen) if (!this.rows.has(uuid)) this.chosen.delete(uuid);
    if (this.anchor !== null && !this.rows.has(this.anchor)) this.anchor = null;
    // The cursor's row went away: it stands on the one that took its place.
    if (this.cursor !== null && !this.rows.has(this.cursor)) this.cursor = this.order[Math.min(row, this.order.length - 1)] ?? null;
    return true;
  }

  /** How many transfers each group has under the other filters. @returns {Record<string, number>} */
  counts() {
    const others = { ...this.filter, group: "all" };
    /** @type {Record<string, number>} */
    const counts = { all: 0 };
    for (const group of Object.keys(GROUPS)) counts[group] = 0;
    for (const view of this.views.values()) {
      if (!matches(view, others)) continue;
      counts.all = (counts.all ?? 0) + 1;
      for (const [group, states] of Object.entries(GROUPS)) if (states.includes(view.status)) counts[group] = (counts[group] ?? 0) + 1;
    }
    return counts;
  }

  /** @returns {string[]} every site that has transfers, sorted */
  sites() {
    return [...new Set([...this.views.values()].map(({ origin }) => origin))].sort(collator.compare);
  }

  /** @returns {TransferView[]} in the order shown */
  selected() {
    const rows = [...this.chosen].filter((uuid) => this.rows.has(uuid));
    rows.sort((a, b) => (this.rows.get(a) ?? 0) - (this.rows.get(b) ?? 0));
    return rows.flatMap((uuid) => this.views.get(uuid) ?? []);
  }

  /** Chooses one alone. @param {string} uuid */
  only(uuid) {
    this.cursor = this.anchor = uuid;
    this.chosen = new Set([uuid]);
  }

  /** Adds one or takes it away. @param {string} uuid */
  toggle(uuid) {
    this.cursor = this.anchor = uuid;
    if (!this.chosen.delete(uuid)) this.chosen.add(uuid);
  }

  /** Chooses all rows from where the range began. @param {string} uuid */
  rangeTo(uuid) {
    const from = this.rows.get(this.anchor ?? uuid) ?? 0;
    const to = this.rows.get(uuid) ?? 0;
    this.cursor = uuid;
    this.anchor ??= uuid;
    this.chosen = new Set(this.order.slice(Math.min(from, to), Math.max(from, to) + 1));
  }

  all() {
    this.chosen = new Set(this.order);
  }

  none() {
    this.chosen = new Set();
  }

  /** Moves the cursor by rows. @param {number} rows @param {{range?: boolean, keep?: boolean}} [how] */
  move(rows, { range = false, keep = false } = {}) {
    if (this.order.length === 0) return;
    const from = this.cursor === null ? (rows > 0 ? -1 : this.order.length) : (this.rows.get(this.cursor) ?? 0);
    const uuid = this.order[Math.min(Math.max(from + rows, 0), this.order.length - 1)];
    if (uuid === undefined) return;
    if (range) this.rangeTo(uuid);
    else if (keep) this.cursor = uuid;
    else this.only(uuid);
  }
}

/**
 * Where a waiting transfer goes in the queue: directly before another, or to the end. Null: it stands there already, or does not wait.
 * @param {Iterable<TransferView>} views @param {string} uuid @param {"first" | "up" | "down" | "last"} where
 * @returns {{uuid: string, before?: string} | null}
 */
export function place(views, uuid, where) {
  const waiting = [...views].filter(({ status }) => status === "queued").sort((a, b) => (a.queue_order ?? 0) - (b.queue_order ?? 0));
  const at = waiting.findIndex((view) => view.uuid === uuid);
  const last = waiting.length - 1;
  if (at < 0 || (at === 0 && (where === "first" || where === "up")) || (at === last && (where === "last" || where === "down"))) return null;
  const before = { first: waiting[0], up: waiting[at - 1], down: waiting[at + 2], last: undefined }[where];
  return before === undefined ? { uuid } : { uuid, before: before.uuid };
}

/** What can be done with a transfer now. @param {TransferView} view @returns {Record<string, boolean>} */
export function abilities({ status, folder, unlocked, unlocking }) {
  return {
    stop: ["initiating", "running", "queued", "willretry"].includes(status),
    resume: ["failed", "cancelled", "queued", "willretry"].includes(status),
    unlock: status === "completed" && (unlocked?.kept ?? 0) > 0 && !unlocking,
    reveal: folder !== null,
    remove: true,
  };
}
