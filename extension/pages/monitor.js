// @ts-check
// One transfer in full: how fast it goes and went, its limits to be moved, its sessions and files. Its id is the fragment.

import { ask, on } from "../ui/background.js";
import { Curve, top } from "../ui/curve.js";
import { byId, drawIcons, h, ready } from "../ui/dom.js";
import { errorText, refusalText } from "../ui/errors.js";
import { follow } from "../ui/follow.js";
import * as format from "../ui/format.js";
import { LimitsPanel } from "../ui/limits-panel.js";
import { showFiles, showSessions } from "../ui/monitor-tables.js";
import { RateGraph } from "../ui/rate-graph.js";
import { RateLine } from "../ui/rate-line.js";
import { language, localize, t } from "../ui/text.js";
import { TransferModel, abilities, share } from "../ui/transfer-model.js";
import { amountOf, filesOf, perform, set, stateOf } from "../ui/transfer-row.js";

/** What is read aloud of a running transfer, at most this often. */
const SPOKEN_MS = 5000;

localize();
drawIcons();

const model = new TransferModel();
const curve = new Curve();
let uuid = decodeURIComponent(location.hash.slice(1));
/** @type {Limits | null} */
let limits = null;
/** What the history that is shown was asked for; another means asking again. */
let asked = "";
let limitsVersion = -1;
let spokenAt = 0;

const box = /** @type {HTMLElement} */ (byId("graph").parentElement);
byId("content").hidden = false;
const graph = new RateGraph(byId("graph"), () => placeLines());
const lines = {
  target: new RateLine(box, graph, { name: "target", label: t("limitTarget"), wish: (kbps) => void wish({ target_rate_kbps: kbps }) }),
  minimum: new RateLine(box, graph, { name: "minimum", label: t("limitMinimum"), wish: (kbps) => void wish({ min_rate_kbps: kbps }) }),
};
const panel = new LimitsPanel(byId("limits"), (change) => void wish(change));

for (const action of ["stop", "resume", "reveal"]) byId(action).addEventListener("click", () => void perform(action, uuid));
byId("open-activity").addEventListener("click", () => void ask("open", { page: "activity", fragment: uuid }).catch(() => {}));
byId("others").addEventListener("change", (event) => choose(/** @type {HTMLSelectElement} */ (event.target).value));
on("fragment", (fragment) => choose(String(fragment)));
follow({ model, connection: () => {}, changed });

/** Shows another transfer. @param {string} other */
function choose(other) {
  if (other === "" || other === uuid) return;
  uuid = other;
  history.replaceState(null, "", `#${encodeURIComponent(other)}`);
  asked = "";
  changed();
}

function changed() {
  const view = model.views.get(uuid);
  byId("content").hidden = view === undefined;
  byId("gone").hidden = view !== undefined || !byId("agent-missing").hidden;
  if (view === undefined) {
    document.title = t("monitorTitle");
    set(byId("title"), t("monitorTitle"));
    set(byId("where"), "");
    for (const action of ["stop", "resume", "reveal"]) byId(action).hidden = true;
    offerOthers();
    return ready();
  }
  showHead(view);
  // A new session, or the end of one, is in the history only.
  const wanted = `${view.uuid} ${view.status} ${view.attempts} ${view.files_completed + view.files_failed > 0 && view.status !== "running"}`;
  if (asked !== wanted) void load(view, wanted);
  else if (view.live) live(view, view.live);
}

/** @param {TransferView} view @param {string} wanted */
async function load(view, wanted) {
  asked = wanted;
  try {
    const found = /** @type {TransferHistory} */ (await ask("ui.history", { uuid: view.uuid }));
    if (view.uuid !== uuid) return;
    curve.load(found.samples, found.step_ms, found.sessions.at(-1)?.lost ?? 0);
    limits = found.limits;
    limitsVersion = view.live?.limits_version ?? -1;
    showSessions(byId("sessions"), found.sessions);
    showFiles(byId("files"), found.files);
    byId("files-part").hidden = found.files.length === 0;
    if (document.body.dataset.connection === "ready") byId("notice").textContent = "";
  } catch (error) {
    byId("notice").textContent = refusalText(error);
  }
  show();
  ready();
}

/** @param {TransferView} view @param {Live} moment */
function live(view, moment) {
  if (moment.limits_version !== limitsVersion) {
    limitsVersion = moment.limits_version;
    // Without a wish it is a question.
    void wish({});
  }
  if (!curve.add(moment)) return;
  show();
  if (performance.now() - spokenAt < SPOKEN_MS) return;
  spokenAt = performance.now();
  set(byId("spoken"), t("spokenRate", format.percent(share(view), language), format.rate(view.rate_kbps, language)));
}

/** @param {Record<string, string | number>} change */
async function wish(change) {
  try {
    limits = /** @type {Limits} */ (await ask("ui.set-rate", { uuid, ...change }));
    byId("notice").textContent = "";
  } catch (error) {
    byId("notice").textContent = refusalText(error);
  }
  show();
}

function show() {
  const view = model.views.get(uuid);
  if (view === undefined) return;
  const wished = limits?.wished;
  if (!lines.target.dragging && !lines.minimum.dragging) {
    graph.show(curve.columns(), top(curve.samples, [wished?.target, wished?.minimum, curve.samples.at(-1)?.limit_kbps]));
  }
  const usable = view.status !== "completed";
  if (limits !== null) {
    const { locked_by_site: site, locked_by_server: server } = limits;
    lines.target.show(limits.wished.target, site.target || server.target, usable);
    lines.minimum.show(limits.wished.minimum, site.minimum || server.minimum, usable);
    panel.show(limits, usable);
  }
  showFigures(view);
}

function placeLines() {
  lines?.target.place();
  lines?.minimum.place();
}

/** @param {TransferView} view */
function showHead(view) {
  document.title = view.title;
  set(byId("title"), view.title);
  set(byId("where"), t("whereLine", view.remote_host, view.origin));
  const running = view.status === "running";
  const progress = /** @type {HTMLProgressElement} */ (byId("progress"));
  progress.value = share(view);
  document.body.dataset.status = view.status;
  const error = view.error !== null && (view.status === "failed" || view.status === "willretry") ? `: ${errorText(view.error)}` : "";
  set(byId("state"), running ? `${format.percent(share(view), language)} · ${format.rate(view.rate_kbps, language)}` : `${stateOf(view)}${error}`);
  set(byId("amount"), [amountOf(view), filesOf(view)].filter((text) => text !== "").join(" · "));
  set(byId("left"), running && view.seconds_left !== null ? `· ${t("timeLeft", format.duration(view.seconds_left, language))}` : "");
  const can = abilities(view);
  for (const action of ["stop", "resume", "reveal"]) byId(action).hidden = !can[action];
}

/** @param {TransferView} view */
function showFigures(view) {
  const { peak, average, lost } = curve.summary();
  const last = curve.samples.at(-1);
  const rate = (/** @type {number} */ kbps) => format.rate(kbps, language);
  const ms = (/** @type {number} */ us) => t("milliseconds", format.number(Math.round(us / 100) / 10, language));
  /** @type {[string, string][]} */
  const figures = [
    ["figureAverage", rate(average)],
    ["figurePeak", rate(peak)],
    ["figureLost", format.number(lost, language)],
    ["figureQueue", last && last.queue_us > 0 ? ms(last.queue_us) : "–"],
    ["figureTrip", last && last.rtt_us > 0 ? ms(last.rtt_us) : "–"],
    ["figureConnections", view.live ? format.number(view.live.connections, language) : "–"],
  ];
  const list = byId("facts");
  if (list.children.length === 0) list.append(...figures.map(([key]) => h("div", { class: "figure", "data-figure": key }, h("dt", {}, t(key)), h("dd", {}))));
  figures.forEach(([, text], i) => set(/** @type {HTMLElement} */ (list.children[i]?.lastElementChild), text));
  byId("graph").setAttribute("aria-label", t("graphSpoken", rate(view.rate_kbps), rate(average), rate(peak), format.number(lost, language)));
}

/** Nothing to show: the transfers there are. */
function offerOthers() {
  const others = /** @type {HTMLSelectElement} */ (byId("others"));
  const views = [...model.views.values()].slice(0, 200);
  if (others.options.length === views.length + 1) return;
  others.replaceChildren(h("option", { value: "" }, "–"), ...views.map((view) => h("option", { value: view.uuid }, view.title)));
}
