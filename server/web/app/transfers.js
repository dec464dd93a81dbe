// @ts-check
// The transfers of this page: how far they are, and what can be done with them.

import { byId, h, icon } from "../ui/dom.js";
import * as format from "../ui/format.js";
import { words } from "./sdk.js";
import { counted, language, t } from "./text.js";

/** @typedef {import("./sdk.js").TransferInfo} TransferInfo */

const ACTIVE = ["initiating", "queued", "running", "willretry"];
const ENDED = ["completed", "failed", "cancelled"];

/** @type {Record<string, import("./text.js").Key>} */
const WORDS = {
  initiating: "stateInitiating",
  queued: "stateQueued",
  running: "stateRunning",
  willretry: "stateWillRetry",
  completed: "stateCompleted",
  failed: "stateFailed",
  cancelled: "stateCancelled",
};

export class Transfers {
  /**
   * @param {import("./sdk.js").Godwit} godwit
   * @param {{token: (info: TransferInfo) => Promise<string>, completed: (info: TransferInfo) => void, complain: (text: string) => void}} handlers
   */
  constructor(godwit, handlers) {
    this.godwit = godwit;
    this.handlers = handlers;
    /** @type {Map<string, TransferInfo>} */
    this.all = new Map();
    /** Those whose end was told. @type {Set<string>} */
    this.told = new Set();
    /** @type {Map<string, {element: HTMLElement, update: (info: TransferInfo) => void}>} */
    this.lines = new Map();
    byId("clear").addEventListener("click", () => this.#clear());
  }

  /** Nobody is signed in any more: nothing of it stays on the page. */
  forget() {
    this.all.clear();
    this.#show();
  }

  /** @param {TransferInfo[]} changed */
  update(changed) {
    for (const info of changed) {
      const before = this.all.get(info.uuid)?.status;
      if (info.status === "removed") this.all.delete(info.uuid);
      else this.all.set(info.uuid, info);
      // A small one may be over before it is seen; what was over when the page came is no news.
      const news = before === undefined ? !this.told.has(info.uuid) && this.godwit.started.has(info.uuid) : before !== info.status;
      if (!news || !ENDED.includes(info.status)) continue;
      this.told.add(info.uuid);
      byId("spoken").textContent = `${info.title}: ${t(WORDS[info.status] ?? "stateRunning")}`;
      if (info.status === "completed") this.handlers.completed(info);
    }
    this.#show();
  }

  #show() {
    const list = byId("transfer-list");
    for (const [uuid, line] of this.lines) {
      if (this.all.has(uuid)) continue;
      line.element.remove();
      this.lines.delete(uuid);
    }
    for (const [uuid, info] of this.all) {
      let line = this.lines.get(uuid);
      if (line === undefined) {
        line = this.#line(uuid);
        this.lines.set(uuid, line);
        list.prepend(line.element);
      }
      line.update(info);
    }
    byId("no-transfers").hidden = this.all.size > 0;
    byId("clear").hidden = ![...this.all.values()].some((info) => ENDED.includes(info.status));
  }

  /** @param {string} uuid */
  #line(uuid) {
    const way = h("span", { class: "way" });
    const title = h("span", { class: "title" });
    const bar = h("progress", { max: "1" });
    const facts = h("span", { class: "facts muted" });
    const error = h("span", { class: "error" });
    const actions = h("span", { class: "actions" });
    const element = h("li", { "data-uuid": uuid }, way, title, bar, facts, error, actions);
    let offered = "";
    const update = (/** @type {TransferInfo} */ info) => {
      const up = info.transfer_spec?.direction !== "receive";
      if (element.dataset.status === undefined) {
        way.append(icon(up ? "up" : "down"), h("span", { class: "visually-hidden" }, t(up ? "isUpload" : "isDownload")));
      }
      element.dataset.status = info.status;
      const seconds = Number(info.elapsed_usec ?? 0) / 1e6;
      element.dataset.seconds = String(seconds);
      title.textContent = info.title;
      const done = info.status === "completed";
      bar.value = done ? 1 : Number(info.percentage ?? 0);
      bar.setAttribute("aria-label", info.title);
      facts.textContent = this.#facts(info, seconds).join(" · ");
      error.textContent = info.error_desc ?? "";
      const state = ACTIVE.includes(info.status) ? "active" : info.status;
      if (state === offered) return;
      offered = state;
      const focused = actions.contains(document.activeElement);
      actions.replaceChildren(...this.#actions(info, uuid));
      if (focused) /** @type {HTMLElement | null} */ (actions.querySelector("button"))?.focus();
    };
    return { element, update };
  }

  /** @param {TransferInfo} info @param {number} seconds */
  #facts(info, seconds) {
    const done = info.status === "completed";
    const written = format.bytes(info.bytes_written ?? 0, language);
    const facts = [t(WORDS[info.status] ?? "stateRunning")];
    facts.push(done ? written : t("bytesOf", written, format.bytes(info.bytes_expected ?? 0, language)));
    const files = info.file_counts?.completed ?? 0;
    if (files > 1) facts.push(counted(files, "fileOne", "fileMany", format.number(files, language)));
    const average = done && seconds > 0 ? (info.bytes_written * 8) / seconds / 1000 : 0;
    const rate = info.status === "running" ? Number(info.calculated_rate_kbps ?? 0) : average;
    if (rate > 0) facts.push(format.rate(rate, language));
    const left = Number(info.remaining_usec ?? 0) / 1e6;
    if (info.status === "running" && left > 0) facts.push(t("timeLeft", format.duration(left, language)));
    return facts;
  }

  /** @param {TransferInfo} info @param {string} uuid */
  #actions(info, uuid) {
    const button = (/** @type {import("./text.js").Key} */ key, /** @type {string} */ name, /** @type {() => Promise<unknown>} */ act) => {
      const made = h("button", { type: "button", class: "quiet", "data-action": name, "aria-label": `${t(key)}: ${info.title}` }, t(key));
      made.addEventListener("click", () => act().catch((error) => this.handlers.complain(words(error))));
      return made;
    };
    if (ACTIVE.includes(info.status)) return [button("stop", "stop", () => this.godwit.stop(uuid))];
    const found = [];
    if (info.status === "failed" || info.status === "cancelled") found.push(button("resume", "resume", () => this.#resume(uuid)));
    if (info.status === "completed" && info.transfer_spec?.direction === "receive") {
      found.push(button("showFolder", "folder", () => this.godwit.showFolder(uuid)));
    }
    found.push(button("remove", "remove", () => this.godwit.remove(uuid)));
    return found;
  }

  /** With a new token: the old one may have expired. @param {string} uuid */
  async #resume(uuid) {
    const info = this.all.get(uuid);
    if (info === undefined) return;
    const token = await this.handlers.token(info);
    await this.godwit.resume(uuid, { token });
  }

  async #clear() {
    const ended = [...this.all.values()].filter((info) => info.status === "completed" || info.status === "cancelled" || info.status === "failed");
    await Promise.allSettled(ended.map((info) => this.godwit.remove(info.uuid)));
  }
}
