// @ts-check
// The popup's list: what runs or waits, and the newest of the rest.

import { follow } from "./follow.js";
import { byId, ready } from "./dom.js";
import { t } from "./text.js";
import { GROUPS, TransferModel } from "./transfer-model.js";
import { makeRow } from "./transfer-row.js";

/** Rows at most; the window with all of them is one click away. */
const MOST = 30;

const model = new TransferModel();
model.setSort("state");
/** @type {Map<string, import("./transfer-row.js").Row>} */
const rows = new Map();

/** Starts showing the list in `#transfers`, `#more`, `#empty` (`#welcome` the first time) and `#agent-missing`. @param {(model: TransferModel) => void} changed */
export function start(changed) {
  follow({
    model,
    connection: refreshEmpty,
    changed: () => {
      show();
      changed(model);
      ready();
    },
  });
}

function show() {
  model.settle();
  const busy = model.order.filter((uuid) => isBusy(uuid));
  const rest = model.order.filter((uuid) => !isBusy(uuid));
  rest.sort((a, b) => (model.views.get(b)?.added_ms ?? 0) - (model.views.get(a)?.added_ms ?? 0));
  const shown = [...busy, ...rest].slice(0, MOST);
  const list = byId("transfers");
  const wanted = new Set(shown);
  for (const [uuid, row] of rows) {
    if (wanted.has(uuid)) continue;
    row.element.remove();
    rows.delete(uuid);
  }
  shown.forEach((uuid, place) => {
    const view = model.views.get(uuid);
    if (view === undefined) return;
    let row = rows.get(uuid);
    if (row === undefined) rows.set(uuid, (row = makeRow(view, "listitem")));
    else row.update(view);
    // Moved only when it must be: moving takes the focus away.
    if (list.children[place] !== row.element) list.insertBefore(row.element, list.children[place] ?? null);
  });
  const more = model.order.length - shown.length;
  const line = byId("more");
  line.hidden = more === 0;
  if (more > 0) line.textContent = t("moreTransfers", String(more));
  refreshEmpty();
}

/** @param {string} uuid */
function isBusy(uuid) {
  const status = model.views.get(uuid)?.status ?? "";
  return [...(GROUPS.active ?? []), ...(GROUPS.waiting ?? [])].includes(status);
}

function refreshEmpty() {
  const { connection } = document.body.dataset;
  const nothing = model.views.size === 0 && connection === "ready" && byId("agent-missing").hidden;
  const first = document.body.dataset.first === "true";
  byId("welcome").hidden = !nothing || !first;
  byId("empty").hidden = !nothing || first;
}
