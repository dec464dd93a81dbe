// @ts-check
// The list of transfers: one subscription at the agent for all windows that follow it.
//
// A snapshot, then numbered changes. A gap, or a new connection, means a new snapshot. A window gets a first page at once and
// the rest in pieces behind it, so that it can paint before ten thousand transfers have been copied to it.

import * as agent from "./agent.js";

/** More than a screen is high. */
const FIRST_PAGE = 100;
/** Transfers in one message after that: some milliseconds for the window each. */
const PIECE = 1000;

/** In no order: windows have their own. @type {Map<string, TransferView>} */
let list = new Map();
/** Number of the last change seen; null while not subscribed. @type {number | null} */
let seq = null;
/** Changes that came while the snapshot was on its way. @type {{seq: number, data: any}[]} */
let early = [];
/** @type {Promise<void> | null} */
let subscribing = null;
let wanted = false;
/** @typedef {(event: "snapshot" | "changed", data: any) => void} Listener */
/** @type {Listener[]} */
const listeners = [];

/** @param {Listener} listener */
export const onChange = (listener) => listeners.push(listener);

/**
 * Starts following. The newest are the answer; the others follow as changes.
 * @param {Listener} rest hears of them, as long as it is worth it
 * @returns {Promise<{transfers: TransferView[]}>}
 */
export async function follow(rest) {
  wanted = true;
  if (seq === null) await subscribe();
  return inPieces(rest);
}

/** @param {Listener} rest @returns {{transfers: TransferView[]}} the first page */
function inPieces(rest) {
  const newest = [...list.values()].sort((a, b) => b.added_ms - a.added_ms);
  const later = newest.slice(FIRST_PAGE).map(({ uuid }) => uuid);
  const next = () => {
    // As it is by then: what was removed meanwhile must not come back.
    const changed = later.splice(0, PIECE).flatMap((uuid) => list.get(uuid) ?? []);
    rest("changed", { changed, removed: [] });
    if (later.length > 0) setTimeout(next);
  };
  if (later.length > 0) setTimeout(next);
  return { transfers: newest.slice(0, FIRST_PAGE) };
}

/** @param {boolean} stillWanted */
export function settle(stillWanted) {
  wanted = stillWanted;
  if (stillWanted || seq === null) return;
  forget();
  agent.request("ui.unsubscribe", {}).catch(() => {});
}

agent.onEvent("transfers", (data, number) => {
  if (seq === null) {
    if (subscribing !== null) early.push({ seq: number, data });
    return;
  }
  apply(data, number);
});

agent.onState(() => {
  const { phase } = agent.state();
  if (phase === "ready") {
    if (wanted && seq === null) subscribe().catch(() => {});
  } else {
    forget();
  }
});

function forget() {
  seq = null;
  early = [];
  list = new Map();
}

function subscribe() {
  subscribing ??= load().finally(() => (subscribing = null));
  return subscribing;
}

async function load() {
  early = [];
  const snapshot = await agent.request("ui.subscribe", {});
  list = new Map(snapshot.transfers.map((/** @type {TransferView} */ t) => [t.uuid, t]));
  seq = snapshot.seq;
  tell("snapshot", inPieces(tell));
  const missed = early;
  early = [];
  for (const event of missed) apply(event.data, event.seq);
}

/** @param {{changed: TransferView[], removed: string[]}} data @param {number} number */
function apply(data, number) {
  if (seq === null || number <= seq) return;
  if (number !== seq + 1) {
    seq = null;
    subscribe().catch(() => {});
    return;
  }
  seq = number;
  for (const uuid of data.removed) list.delete(uuid);
  for (const transfer of data.changed) list.set(transfer.uuid, transfer);
  tell("changed", { changed: data.changed, removed: data.removed });
}

/** @param {"snapshot" | "changed"} event @param {any} data */
function tell(event, data) {
  for (const listener of listeners) listener(event, data);
}
