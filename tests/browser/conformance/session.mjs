// @ts-check
// Session, status, events, version, and what a site may do before and after the user was asked.

import assert from "node:assert/strict";
import { until } from "../harness/wait.mjs";
import { oneOf } from "./match.mjs";
import { activity, APP_ID, COMMON, errorBody, version } from "./shapes.mjs";

const VERSION = { request: "GET /connect/info/version", status: 200, success: version };
const ABOUT = { request: "GET /connect/windows/about", status: 200, success: {} };
/** What the SDK itself makes for a page that calls it wrongly. */
const OWN_ERROR = { error: { code: -1, internal_message: "Invalid request", user_message: /** @param {any} v */ (v) => (typeof v === "string" ? [] : ["no text"]) } };

/** @param {import("./bench.mjs").Bench} bench */
export function session(bench) {
  bench.row("initSession", "with an app id: Connect is found, its version asked, RUNNING", async ({ says }) => {
    const page = await bench.page();
    assert.deepEqual(await page.told("STATUS"), ["INITIALIZING", "RUNNING"]);
    await until("drag and drop is prepared", async () =>
      (await page.wire("requests")).some((request) => request.uri_reference === "/connect/file/initialize-drag-drop"));
    const [detection, ...rest] = await page.wire("requests");
    const check = rest.find((request) => request.request_id !== 10_500);
    const frame = { min_version: "3.9.0", method: "GET", uri_reference: "/connect/info/version", body: "" };
    assert.deepEqual(detection, { request_id: 10_500, ...frame }, "the fixed id of the detection");
    assert.deepEqual(check, { request_id: 10_000, ...frame });
    const responses = await until("drag and drop is answered", async () => {
      const all = await page.wire("responses");
      return all.length === (await page.wire("requests")).length ? all : undefined;
    });
    assert.deepEqual([...new Set(responses.map((response) => response.status))], [200]);
    const preparing = (await page.wire("requests")).find((request) => request.uri_reference === "/connect/file/initialize-drag-drop");
    const drop = responses.find((response) => response.request_id === preparing.request_id);
    assert.equal(drop.body, "{}", "initialize-drag-drop needs no consent");
    assert.equal((await bench.world.browser.windows("consent")).length, 0, "nobody was asked anything");
    says("RUNNING, no question to the user");
    await page.close();
  });
  bench.row("initSession", "a second time", async ({ sees }) => {
    const page = await bench.page();
    await sees(page.call("initSession", [APP_ID], "plain"), { request: null, returned: OWN_ERROR });
    await page.close();
  });
  bench.row("start", "before initSession", async ({ sees }) => {
    const page = await bench.page({ appId: null });
    await sees(page.call("start", [], "plain"), { request: null, returned: OWN_ERROR });
    await page.close();
  });
  bench.row("stop", "every call is refused by the SDK afterwards", async ({ sees }) => {
    const page = await bench.page();
    await sees(page.call("stop", [], "plain"), { request: null, returned: true });
    await sees(page.call("version", [], "promise"), { request: null, error: OWN_ERROR });
    await page.close();
  });
  bench.row("start", "after stop: RUNNING again", async ({ sees, says }) => {
    const page = await bench.page();
    await page.call("stop", [], "plain");
    await page.call("start", [], "plain");
    await until("RUNNING again", async () => (await page.status()) === "RUNNING" && (await page.told("STATUS")).length >= 4);
    await sees(page.call("version", [], "promise"), VERSION);
    says("RUNNING");
    await page.close();
  });
  bench.row("getStatus", "while it runs", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("getStatus", [], "plain"), { request: null, returned: "RUNNING" });
  });
  bench.row("version", "before the user was asked about the site", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("version", [], "promise"), VERSION);
    await sees(page.call("version", [], "last"), VERSION);
    assert.equal((await bench.world.browser.windows("consent")).length, 0);
  });
  bench.row("getAllTransfers", "a page polls before it was allowed: an empty list and no question", async ({ sees }) => {
    const page = await bench.site();
    const expected = { request: "POST /connect/transfers/activity", body: { iteration_token: 0, ...COMMON }, status: 200, success: activity([]) };
    await sees(page.call("getAllTransfers", [], "first"), expected);
    assert.equal((await bench.world.browser.windows("consent")).length, 0);
  });
  bench.row("showAbout", "the user does not allow the site", async ({ sees }) => {
    const page = await bench.page({ origin: await bench.world.newOrigin() });
    const called = page.call("showAbout", [], "last");
    await bench.decides("#deny");
    await sees(called, { ...ABOUT, status: 403, success: undefined, error: errorBody(403) });
    assert.equal((await bench.world.browser.windows("about")).length, 0);
    await page.close();
  });
  bench.row("showAbout", "the user allows the site, and is not asked again", async ({ sees }) => {
    const page = await bench.site();
    const called = page.call("showAbout", [], "promise");
    await bench.decides("#allow-always");
    await sees(called, ABOUT);
    await bench.windowOpens("about");
    await sees(page.call("showAbout", [], "last"), ABOUT);
    await bench.windowOpens("about");
  });
  events(bench);
  servers(bench);
}

/** @param {import("./bench.mjs").Bench} bench */
function events(bench) {
  bench.row("addEventListener", "transfer: the list is polled and the listener told", async ({ says }) => {
    const page = await bench.page();
    await page.call("addEventListener", ["transfer", { listener: "poll" }], "plain");
    const [[type, list]] = await until("the listener is told", async () => {
      const told = await page.told("poll");
      return told.length > 0 ? told : undefined;
    });
    assert.deepEqual([type, list.transfers, list.result_count], ["transfer", [], 0]);
    const [poll] = (await page.wire("requests")).filter((request) => request.uri_reference === "/connect/transfers/activity");
    assert.deepEqual(JSON.parse(poll.body), { iteration_token: 0, ...COMMON });
    says("told");
    await page.close();
  });
  bench.row("addEventListener", "something that is no listener", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("addEventListener", ["transfer", 5], "plain"), { request: null, returned: OWN_ERROR });
  });
  bench.row("removeEventListener", "one that was added, then one that was not", async ({ sees }) => {
    const page = await bench.page();
    await page.call("addEventListener", ["all", { listener: "gone" }], "plain");
    await sees(page.call("removeEventListener", ["all", { listener: "never" }], "plain"), { request: null, returned: false });
    await sees(page.call("removeEventListener", ["all", { listener: "gone" }], "plain"), { request: null, returned: true });
    await page.close();
  });
}

/** @param {import("./bench.mjs").Bench} bench */
function servers(bench) {
  const ports = "POST /connect/info/ports";
  const login = "POST /connect/info/authenticate";
  bench.row("testSshPorts", "a port that answers", async ({ sees }) => {
    const page = await bench.site();
    const { tcpPort } = bench.world.server;
    const body = { remote_host: "127.0.0.1", ssh_port: tcpPort, timeout_sec: 3, ...COMMON };
    for (const style of /** @type {const} */ (["promise", "last"])) {
      await sees(page.call("testSshPorts", [{ remote_host: "127.0.0.1", ssh_port: tcpPort }], style), { request: ports, body, status: 200, success: {} });
    }
  });
  bench.row("testSshPorts", "a port that is closed, with the SDK's defaults", async ({ sees }) => {
    const page = await bench.site();
    const body = { remote_host: "127.0.0.1", ssh_port: 33001, timeout_sec: 3, ...COMMON };
    await sees(page.call("testSshPorts", [{ remote_host: "127.0.0.1" }], "last"), { request: ports, body, status: 502, error: errorBody(502) });
  });
  bench.row("testSshPorts", "without a host", async ({ sees }) => {
    const page = await bench.site();
    const body = { ssh_port: 33001, timeout_sec: 3, ...COMMON };
    await sees(page.call("testSshPorts", [{}], "last"), { request: ports, body, status: 400, error: errorBody(400) });
  });
  bench.row("authenticate", "the right password", async ({ sees }) => {
    const page = await bench.site();
    const { user, password, port, fingerprint } = bench.world.server;
    const spec = { remote_host: "127.0.0.1", ssh_port: port, remote_user: user, remote_password: password, sshfp: fingerprint };
    const expected = { request: login, body: { ...spec, ...COMMON }, status: 200, success: {} };
    for (const style of /** @type {const} */ (["promise", "last"])) await sees(page.call("authenticate", [spec], style), expected);
  });
  bench.row("authenticate", "a wrong password", async ({ sees }) => {
    const page = await bench.site();
    const { user, port, fingerprint } = bench.world.server;
    const spec = { remote_host: "127.0.0.1", ssh_port: port, remote_user: user, remote_password: "wrong", sshfp: fingerprint };
    const expected = { request: login, body: { ...spec, ...COMMON }, status: 401, error: errorBody(401) };
    const { error } = await sees(page.call("authenticate", [spec], "last"), expected);
    assert.ok(!JSON.stringify(error).includes('"wrong"'), "the password is not repeated");
  });
  bench.row("authenticate", "without a host", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("authenticate", [{ remote_user: "u" }], "last"), { request: null, thrown: oneOf("ValidationError: Invalid authSpec parameter: remote_host is missing or invalid") });
  });
}
