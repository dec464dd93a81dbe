// @ts-check
// The window with all transfers: filters, sorting, choosing many, and the details of one.
// A transfer's id in the fragment is shown first. What no row needs (details, words for refusals) is loaded behind them.

import { ask, on } from "../ui/background.js";
import { byId, h, ready } from "../ui/dom.js";
import { follow } from "../ui/follow.js";
import * as format from "../ui/format.js";
import { GridKeys } from "../ui/grid-keys.js";
import { openMenu } from "../ui/menu.js";
import { language, t } from "../ui/text.js";
import { GROUPS, SORTS, TransferModel, abilities, place } from "../ui/transfer-model.js";
import { ACTIONS, makeRow, notify, perform, set } from "../ui/transfer-row.js";
import { VirtualList } from "../ui/virtual-list.js";

/** Height of a row, px; the same in activity.css. */
const ROW = 84;
/** What is read aloud of running transfers, at most this often. */
const SPOKEN_MS = 5000;
const KEPT = "activity-view";
/** @type {["first" | "up" | "down" | "last", string, string][]} */
const MOVES = [["first", "first", "moveFirst"], ["up", "up", "moveUp"], ["down", "down", "moveDown"], ["last", "last", "moveLast"]];

/** What was chosen the last time; asked for at once, for the rows wait for it: the browser reads it from the disk. */
const kept = chrome.storage.local.get(KEPT).catch(() => ({}));
const model = new TransferModel();
const list = new VirtualList(byId("scroller"), byId("transfers"), ROW, {
  count: () => model.order.length,
  key: (index) => model.order[index] ?? "",
  has: (uuid) => model.rows.has(uuid),
  orphaned: () => grid.focus(),
  make: (index) => {
    const row = makeRow(/** @type {TransferView} */ (model.views.get(model.order[index] ?? "")), "row");
    return {
      element: row.element,
      show: (now) => {
        const view = model.views.get(model.order[now] ?? "");
        if (view) row.update(view);
      },
    };
  },
  place: (element) => {
    const uuid = element.dataset.uuid ?? "";
    const selected = String(model.chosen.has(uuid));
    if (element.getAttribute("aria-selected") !== selected) element.setAttribute("aria-selected", selected);
    const here = uuid === (model.cursor ?? model.order[0]);
    if (here === (element.tabIndex === 0)) return;
    element.tabIndex = here ? 0 : -1;
    for (const button of element.querySelectorAll("button")) button.tabIndex = here ? 0 : -1;
  },
});
const grid = new GridKeys(byId("transfers"), model, {
  page: () => Math.max(1, Math.floor(byId("scroller").clientHeight / ROW) - 1),
  moved: (index) => {
    list.reveal(index);
    show();
  },
  open: () => void details().then((loaded) => loaded.focus()),
  remove: () => void bulk("remove"),
  menu: (x, y) => menu(x, y),
  reorder: (direction) => void move(direction < 0 ? "up" : "down"),
});

/** @type {string | null} */
let wanted = decodeURIComponent(location.hash.slice(1)) || null;
let spokenAt = 0;
/** Transfers whose files are being decrypted. @type {Set<string>} */
const unlocking = new Set();

/** The pane of details, once it is loaded. @type {import("../ui/details.js").Details | undefined} */
let pane;
/** @type {Promise<import("../ui/details.js").Details> | undefined} */
let loading;

/** Whether the model knows what was chosen the last time, and whether the first transfers came before that. */
let restored = false;
let early = false;

fillFilters();
wire();
void kept.then(restore);
follow({ model, connection: refreshEmpty, changed });

/** Loads the pane of details if it is not there yet. */
function details() {
  loading ??= import("../ui/details.js").then(({ Details }) => {
    pane = new Details(byId("details"), () => grid.focus());
    pane.show(onlyChosen());
    return pane;
  });
  return loading;
}

/** @returns {TransferView | null} */
function onlyChosen() {
  const [one, ...more] = model.selected();
  return one !== undefined && more.length === 0 ? one : null;
}

function changed() {
  if (!restored) {
    early = true;
    return;
  }
  const first = document.body.dataset.ready === undefined;
  ready();
  model.settle();
  if (wanted !== null && model.rows.has(wanted)) {
    model.only(wanted);
    list.reveal(model.rows.get(wanted) ?? 0);
    wanted = null;
  }
  show();
  tellUnlocked();
  refreshSites();
  if (!first) return;
  performance.mark("rows");
  // The first click will need it, and is answered at once.
  requestIdleCallback(() => void details());
}

function show() {
  list.show();
  const chosen = model.selected();
  byId("bulk").hidden = chosen.length < 2;
  if (chosen.length > 1) showBulk(chosen);
  if (pane !== undefined) pane.show(onlyChosen());
  else if (chosen.length === 1) void details();
  const counts = model.counts();
  for (const button of byId("groups").querySelectorAll("button")) {
    const group = button.dataset.group ?? "";
    const on = model.filter.group === group;
    button.setAttribute("aria-checked", String(on));
    button.tabIndex = on ? 0 : -1;
    const count = button.querySelector("span");
    if (count) set(count, format.number(counts[group] ?? 0, language));
  }
  showSummary();
  refreshEmpty();
}

/** @param {TransferView[]} chosen */
function showBulk(chosen) {
  set(byId("bulk-count"), t("chosenCount", format.number(chosen.length, language)));
  for (const button of byId("bulk").querySelectorAll("button")) {
    const { bulk: name } = button.dataset;
    if (name) button.hidden = !chosen.some((view) => abilities(view)[name]);
  }
}

function showSummary() {
  const running = [...model.views.values()].filter(({ status }) => status === "running");
  const rate = running.reduce((sum, { rate_kbps }) => sum + rate_kbps, 0);
  set(byId("total"), running.length === 0 ? "" : format.rate(rate, language));
  const text = t("summaryLine", format.number(model.order.length, language), format.number(running.length, language));
  set(byId("summary"), model.views.size === 0 ? "" : text);
  byId("clear-done").hidden = ![...model.views.values()].some(({ status }) => status === "completed");
  if (running.length > 0 && performance.now() - spokenAt > SPOKEN_MS) {
    spokenAt = performance.now();
    set(byId("spoken"), t("spokenLine", format.number(running.length, language), format.rate(rate, language)));
  }
}

/** Says how it went when files have been decrypted: the number that shows it has gone then. */
function tellUnlocked() {
  for (const uuid of unlocking) {
    const view = model.views.get(uuid);
    if (view?.unlocking) continue;
    unlocking.delete(uuid);
    if (view?.unlocked) set(byId("spoken"), t("unlockEnded", format.number(view.unlocked.opened, language), format.number(view.unlocked.kept, language)));
  }
  for (const view of model.views.values()) if (view.unlocking) unlocking.add(view.uuid);
}

function refreshEmpty() {
  const { connection, ready: told } = document.body.dataset;
  const quiet = told !== undefined && connection === "ready" && byId("agent-missing").hidden;
  byId("empty").hidden = model.views.size > 0 || !quiet;
  byId("nothing").hidden = model.order.length > 0 || model.views.size === 0;
}

function fillFilters() {
  const names = { all: "groupAll", active: "groupActive", waiting: "groupWaiting", done: "groupDone", trouble: "groupTrouble" };
  for (const group of ["all", ...Object.keys(GROUPS)]) {
    const key = names[/** @type {keyof typeof names} */ (group)];
    byId("groups").append(h("button", { type: "button", role: "radio", "data-group": group }, `${t(key)} `, h("span", { class: "count" })));
  }
  options("direction", [["all", t("directionAny")], ["send", t("directionSend")], ["receive", t("directionReceive")]], model.filter.direction);
  const sorts = { newest: "sortNewest", oldest: "sortOldest", name: "sortName", state: "sortState", progress: "sortProgress", rate: "sortRate", size: "sortSize" };
  options("sort", SORTS.map((sort) => [sort, t(sorts[/** @type {keyof typeof sorts} */ (sort)])]), model.sort);
  options("site", [["all", t("siteAny")]], "all");
}

/** The list of sites follows the transfers. */
function refreshSites() {
  const sites = model.sites();
  const select = /** @type {HTMLSelectElement} */ (byId("site"));
  if (select.options.length === sites.length + 1 && sites.every((site, i) => select.options[i + 1]?.value === site)) return;
  if (!sites.includes(model.filter.site) && model.filter.site !== "all") sites.push(model.filter.site);
  options("site", [["all", t("siteAny")], ...sites.map((site) => /** @type {[string, string]} */ ([site, site.replace(/^https?:\/\//u, "")]))], model.filter.site);
}

/** @param {string} id @param {[string, string][]} choices @param {string} value */
function options(id, choices, value) {
  const select = /** @type {HTMLSelectElement} */ (byId(id));
  select.replaceChildren(...choices.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
}

function wire() {
  byId("search").addEventListener("input", (event) => filter({ text: /** @type {HTMLInputElement} */ (event.target).value }));
  for (const key of ["direction", "site"]) {
    byId(key).addEventListener("change", (event) => filter({ [key]: /** @type {HTMLSelectElement} */ (event.target).value }));
  }
  byId("sort").addEventListener("change", (event) => {
    model.setSort(/** @type {HTMLSelectElement} */ (event.target).value);
    keep();
    changed();
  });
  byId("groups").addEventListener("click", (event) => {
    const group = /** @type {Element} */ (event.target).closest("button")?.dataset.group;
    if (group) filter({ group });
  });
  byId("groups").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const groups = ["all", ...Object.keys(GROUPS)];
    const group = groups.at((groups.indexOf(model.filter.group) + step) % groups.length) ?? "all";
    filter({ group });
    /** @type {HTMLElement | null} */ (byId("groups").querySelector(`[data-group="${group}"]`))?.focus();
  });
  byId("clear-filter").addEventListener("click", () => {
    filter({ group: "all", direction: "all", site: "all", text: "" });
    for (const id of ["direction", "site"]) /** @type {HTMLSelectElement} */ (byId(id)).value = "all";
    /** @type {HTMLInputElement} */ (byId("search")).value = "";
  });
  for (const button of byId("bulk").querySelectorAll("button")) {
    const { bulk: name } = button.dataset;
    if (name) button.addEventListener("click", () => void bulk(name));
  }
  byId("bulk-none").addEventListener("click", () => {
    model.none();
    show();
    grid.focus();
  });
  byId("confirm").addEventListener("close", questionClosed);
  byId("clear-done").addEventListener("click", async () => {
    for (const view of [...model.views.values()]) if (view.status === "completed") await perform("remove", view.uuid);
  });
  for (const page of ["preferences", "about"]) byId(`open-${page}`).addEventListener("click", () => void ask("open", { page }).catch(() => {}));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "f" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    byId("search").focus();
  });
  on("fragment", (uuid) => {
    wanted = uuid === "" ? null : uuid;
    changed();
  });
}

/** @param {Partial<import("../ui/transfer-model.js").Filter>} change */
function filter(change) {
  model.setFilter(change);
  keep();
  byId("scroller").scrollTop = 0;
  changed();
}

/** Does it to every chosen transfer that allows it. Removing what still runs asks first. @param {string} name */
async function bulk(name) {
  const chosen = model.selected().filter((view) => abilities(view)[name]);
  if (chosen.length === 0) return;
  if (name === "remove" && chosen.some((view) => abilities(view).stop) && !(await confirmed(chosen.length))) return;
  for (const { uuid } of chosen) await perform(name, uuid);
}

/** @type {((yes: boolean) => void) | null} */
let answer = null;

/** Asks one question at a time: a new one answers an open one with no. @param {number} count @returns {Promise<boolean>} */
function confirmed(count) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm"));
  answer?.(false);
  byId("confirm-text").textContent = t("confirmRemove", format.number(count, language));
  dialog.returnValue = "no";
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => (answer = resolve));
}

/** Browsers tell of a closed question some time after it closed, when the next may be open already. */
function questionClosed() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("confirm"));
  if (dialog.open) return;
  answer?.(dialog.returnValue === "yes");
  answer = null;
}

/** @param {number} x @param {number} y */
function menu(x, y) {
  const chosen = model.selected();
  const one = chosen.length === 1 ? chosen[0] : undefined;
  const items = ACTIONS.filter(([name]) => chosen.some((view) => abilities(view)[name]) && (!["reveal", "unlock"].includes(name) || one !== undefined)).map(
    ([name, picture, key]) => ({ picture, text: t(key), act: () => void bulk(name) }),
  );
  if (one?.status === "queued") {
    for (const [where, picture, key] of MOVES) {
      if (place(model.views.values(), one.uuid, where) !== null) items.push({ picture, text: t(key), act: () => void move(where) });
    }
  }
  if (one !== undefined) items.push({ picture: "graph", text: t("openMonitor"), act: () => void details().then((loaded) => loaded.monitor()) });
  if (one !== undefined) items.push({ picture: "copy", text: t("copyReport"), act: () => void details().then((loaded) => loaded.copy()) });
  openMenu(byId("menu"), x, y, items, () => grid.focus());
}

/** Puts the chosen transfer elsewhere in the queue. @param {"first" | "up" | "down" | "last"} where */
async function move(where) {
  const chosen = model.selected();
  const wish = chosen.length === 1 && chosen[0] ? place(model.views.values(), chosen[0].uuid, where) : null;
  if (wish === null) return;
  try {
    await ask("ui.move", wish);
    byId("notice").textContent = "";
  } catch (error) {
    await notify(error);
  }
}

/** The view is remembered on this machine; nothing of the transfers is. */
function keep() {
  const { group, direction } = model.filter;
  void chrome.storage.local.set({ [KEPT]: { group, direction, sort: model.sort } });
}

/** Shows what was chosen the last time, as far as it is a choice. @param {Record<string, any>} stored */
function restore({ [KEPT]: view }) {
  if (Object.hasOwn(GROUPS, String(view?.group))) model.setFilter({ group: view.group });
  if (view?.direction === "send" || view?.direction === "receive") model.setFilter({ direction: view.direction });
  model.setSort(String(view?.sort));
  for (const [id, value] of [["direction", model.filter.direction], ["sort", model.sort]]) /** @type {HTMLSelectElement} */ (byId(id)).value = value;
  restored = true;
  if (early) changed();
}
