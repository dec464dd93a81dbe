// @ts-check
// What works between this person's machine and the server, seen from that machine, and whom to ask about what does not.

import { byId, h, icon } from "../ui/dom.js";
import * as api from "./api.js";
import { until } from "./patience.js";
import { words } from "./sdk.js";
import { t } from "./text.js";
import { judge } from "./verdict.js";

/** @typedef {import("./verdict.js").Result} Result */
/** @typedef {import("./verdict.js").Results} Results */
/** @typedef {import("./text.js").Key} Key */

/** How long the SDK may look for Godwit, ms; it gives up after five seconds itself. */
const LOOKING = 15_000;

/** The tests in their order. @type {[keyof Results, Key][]} */
const TESTS = [
  ["http", "testHttp"],
  ["extension", "testExtension"],
  ["agent", "testAgent"],
  ["tcp", "testTcp"],
  ["udp", "testUdp"],
];

/** @type {Record<Result, {icon: string, key: Key}>} */
const SHOWN = {
  waiting: { icon: "clock", key: "resultWaiting" },
  running: { icon: "clock", key: "resultRunning" },
  good: { icon: "done", key: "resultGood" },
  bad: { icon: "warning", key: "resultBad" },
  unknown: { icon: "about", key: "resultUnknown" },
};

export class Diagnostics {
  /** @param {import("./sdk.js").Godwit} godwit @param {() => api.State | undefined} state */
  constructor(godwit, state) {
    this.godwit = godwit;
    this.state = state;
    /** Counts the runs: what an older one finds out is of no interest. */
    this.run = 0;
    /** @type {Results} */
    this.results = { http: "waiting", extension: "waiting", agent: "waiting", tcp: "waiting", udp: "waiting" };
    /** What was heard, for the report. @type {Partial<Record<keyof Results, string>>} */
    this.heard = {};
    byId("diagnose-again").addEventListener("click", () => this.start());
    byId("diagnose-copy").addEventListener("click", () => this.#copy());
  }

  get #host() {
    return location.hostname.replace(/^\[|\]$/g, "");
  }

  /** Makes all tests, one after the other. */
  async start() {
    const run = ++this.run;
    this.results = { http: "waiting", extension: "waiting", agent: "waiting", tcp: "waiting", udp: "waiting" };
    this.heard = {};
    byId("diagnose-copied").textContent = "";
    const again = /** @type {HTMLButtonElement} */ (byId("diagnose-again"));
    again.disabled = true;
    for (const [name] of TESTS) {
      this.results[name] = "running";
      this.#show(false);
      const [result, heard] = await this.#test(name).catch((error) => /** @type {[Result, string]} */ (["bad", words(error)]));
      if (run !== this.run) return;
      this.results[name] = result;
      this.heard[name] = heard;
    }
    again.disabled = false;
    this.#show(true);
  }

  /** @param {keyof Results} name @returns {Promise<[Result, string]>} */
  async #test(name) {
    const { godwit } = this;
    const port = this.state()?.data_port ?? 33001;
    switch (name) {
      case "http": {
        const began = performance.now();
        const response = await fetch("/ping", { cache: "no-store" });
        return [response.ok ? "good" : "bad", `${response.status}, ${Math.round(performance.now() - began)} ms`];
      }
      case "extension": {
        const settled = () => !["INITIALIZING", "RETRYING"].includes(godwit.status);
        await until(settled, LOOKING);
        if (godwit.status === "MISSING") return ["unknown", "no SDK"];
        return [godwit.status === "EXTENSION_INSTALL" ? "bad" : settled() ? "good" : "unknown", godwit.status];
      }
      case "agent": {
        if (this.results.extension !== "good") return ["unknown", ""];
        if (godwit.status !== "RUNNING") return ["bad", godwit.status];
        return ["good", String((await godwit.version()).version)];
      }
      case "tcp":
        if (this.results.agent !== "good") return ["unknown", ""];
        await godwit.testPort(this.#host, port);
        return ["good", ""];
      case "udp":
        if (this.results.agent !== "good") return ["unknown", ""];
        return this.#udp();
    }
  }

  /** A login over the data port. Refused is as good as accepted: the server has answered. @returns {Promise<[Result, string]>} */
  async #udp() {
    const spec = await this.#spec();
    try {
      await this.godwit.testLogin(spec);
      return ["good", ""];
    } catch (error) {
      const code = /** @type {any} */ (error)?.error?.code;
      // The person did not let this page use Godwit.
      if (code === 403) return ["unknown", words(error)];
      return [code === 401 ? "good" : "bad", words(error)];
    }
  }

  /** @returns {Promise<object>} */
  async #spec() {
    const state = this.state();
    const { data_port: port = 33001, fingerprint = "", transfer_user: user = "" } = state ?? {};
    const frame = { remote_host: this.#host, fasp_port: port, ssh_port: port, sshfp: fingerprint, remote_user: user, authentication: "token" };
    if (state?.user === undefined) return { ...frame, token: "diagnostics" };
    const { token } = await (state.rights?.view ? api.downloadSpec(["/"]) : api.uploadSpec("/"));
    return { ...frame, token };
  }

  /** @param {boolean} ended */
  #show(ended) {
    const port = this.state()?.data_port ?? 33001;
    const items = TESTS.map(([name, key]) => {
      const result = this.results[name];
      const shown = SHOWN[result];
      const note = result === "good" || result === "bad" ? (this.heard[name] ?? "") : "";
      return h(
        "li",
        { "data-test": name, "data-result": result },
        icon(shown.icon),
        h("span", { class: "label" }, t(key, port)),
        h("span", { class: "result" }, t(shown.key)),
        h("span", { class: "muted heard" }, note),
      );
    });
    byId("diagnose-tests").replaceChildren(...items);
    const verdict = byId("diagnose-verdict");
    verdict.hidden = !ended;
    (/** @type {HTMLButtonElement} */ (byId("diagnose-copy"))).disabled = !ended;
    if (!ended) return;
    const { found, ask } = judge(this.results, this.godwit.status);
    verdict.dataset.found = found;
    verdict.replaceChildren(h("h3", {}, t(found)), h("p", {}, t(ask, this.#host, port)));
  }

  async #copy() {
    const { found, ask } = judge(this.results, this.godwit.status);
    const port = this.state()?.data_port ?? 33001;
    const lines = [
      `${t("diagnosticsTitle")}: ${location.origin}, ${new Date().toISOString()}`,
      navigator.userAgent,
      ...TESTS.map(([name, key]) => `${t(key, port)}: ${t(SHOWN[this.results[name]].key)} ${this.heard[name] ?? ""}`.trimEnd()),
      t(found),
      t(ask, this.#host, port),
    ];
    const field = /** @type {HTMLTextAreaElement} */ (byId("diagnose-report"));
    field.hidden = false;
    field.value = lines.join("\n");
    field.select();
    const done = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
    byId("diagnose-copied").textContent = t(done ? "copied" : "copyByKeys");
  }
}
