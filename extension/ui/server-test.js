// @ts-check
// Diagnostics: does a server answer, over UDP and over TCP? The agent tries; nobody logs in.

import { ask } from "./background.js";
import { byId, h, icon } from "./dom.js";
import { errorText, refusalText } from "./errors.js";
import * as format from "./format.js";
import { language, t } from "./text.js";

/** @typedef {{reached: boolean, ms: number | null, code: number | null, message: string}} PortTest */
/** @typedef {{tcp: PortTest, udp: PortTest, fingerprint: string | null}} ServerTest */

/** The last result, for the report. @type {string[]} */
let lines = [];

/** What was found out last, in English, for support. */
export const testReport = () => lines;

export function offerServerTest() {
  const form = /** @type {HTMLFormElement} */ (byId("server-test"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void run();
  });
}

async function run() {
  const [host, udp, tcp] = ["test-host", "test-udp", "test-tcp"].map((id) => /** @type {HTMLInputElement} */ (byId(id)).value.trim());
  const button = /** @type {HTMLButtonElement} */ (byId("test-run"));
  const result = byId("test-result");
  if (!host) return;
  button.disabled = true;
  result.replaceChildren(h("p", { class: "muted" }, t("serverTestRuns")));
  try {
    const found = /** @type {ServerTest} */ (await ask("ui.test-server", { host, data_port: Number(udp), tcp_port: Number(tcp) }));
    result.replaceChildren(...shown(found, String(udp), String(tcp)));
    const line = (/** @type {string} */ name, /** @type {PortTest} */ port) => `${name}: ${port.reached ? `reached${port.ms === null ? "" : ` in ${port.ms} ms`}` : `not reached (${port.code}: ${port.message})`}`;
    lines = [`Test of ${host}`, line(`UDP ${udp}`, found.udp), line(`TCP ${tcp}`, found.tcp)];
  } catch (error) {
    result.replaceChildren(h("p", { class: "error" }, refusalText(error)));
  }
  result.dataset.done = String(Number(result.dataset.done ?? 0) + 1);
  button.disabled = false;
}

/** @param {ServerTest} found @param {string} udpPort @param {string} tcpPort */
function shown({ udp, tcp, fingerprint }, udpPort, tcpPort) {
  const verdict = udp.reached ? "serverTestGood" : tcp.reached ? "serverTestBlocked" : "serverTestNone";
  return [
    h("p", { class: "verdict", "data-verdict": verdict }, icon(udp.reached ? "done" : "warning"), t(verdict)),
    h(
      "dl",
      {},
      ...port("udp", t("serverTestUdp", udpPort), udp),
      ...port("tcp", t("serverTestTcp", tcpPort), tcp),
      ...(fingerprint === null ? [] : [h("dt", {}, t("serverTestCertificate")), h("dd", { class: "code" }, fingerprint)]),
    ),
  ];
}

/** @param {string} name @param {string} label @param {PortTest} test */
function port(name, label, { reached, ms, code, message }) {
  const text = !reached ? errorText({ code: code ?? 0, message }) : ms === null ? t("serverTestReached") : t("serverTestReachedIn", format.number(ms, language));
  return [h("dt", {}, label), h("dd", { "data-port": name, "data-reached": String(reached) }, text)];
}
