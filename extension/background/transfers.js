// @ts-check
// The list of transfers: one subscription at the agent for all windows that follow it.
//
// A snapshot, then numbered changes. A gap, or a new connection, means a new snapshot.

import * as agent from "./agent.js";

/** Newest first. @type {Map<string, TransferView>} */
let list = new Map();
/** Number of the last change seen; null while not subscribed. @type {number | null} */
let seq = null;
/** Changes that came while the snapshot was on its way. @type {{seq: number, data: any}[]} */
let early = [];
/** @type {Promise<void> | null} */
let subscribing = null;
let wanted = false;
/** @type {((event: "snapshot" | "changed", data: any) => void)[]} */
const listeners = [];

/** @param {(event: "snapshot" | "changed", data: any) => void} listener */
export const onChange = (listener) => listeners.push(listener);

/** Starts following; the list so far. @returns {Promise<{transfers: TransferView[]}>} */
export async function follow() {
  wanted = true;
  if (seq === null) await subscribe();
  return { transfers: [...list.values()] };
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
  tell("snapshot", { transfers: snapshot.transfers });
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
  for (const transfer of data.changed) {
    // A new one goes first: the list is newest first.
    if (list.has(transfer.uuid)) list.set(transfer.uuid, transfer);
    else list = new Map([[transfer.uuid, transfer], ...list]);
  }
  tell("changed", { changed: data.changed, removed: data.removed });
}

/** @param {"snapshot" | "changed"} event @param {any} data */
function tell(event, data) {
  for (const listener of listeners) listener(event, data);
}
