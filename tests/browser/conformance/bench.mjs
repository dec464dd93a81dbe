// @ts-check
// One browser in which the unmodified SDK is driven: pages, people, and what each case has shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { makeRandomFile } from "../harness/tree.mjs";
import { World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";
import { match } from "./match.mjs";
import { APP_ID, file } from "./shapes.mjs";

/** What the SDK sends with each request, apart from the path and the body. */
const MIN_VERSION = "3.9.0";

/** @typedef {"first" | "last" | "promise" | "plain"} Style where callbacks go; `plain`: the function answers at once */
/**
 * @typedef {object} Expected
 * @property {string | null} request method and path; null if nothing may be sent
 * @property {any} [body] of the request; a GET has none
 * @property {any} [timeout] of the request; absent unless it is a dialog
 * @property {number} [status] of the answer
 * @property {any} [success] what the SDK gave to the page, or
 * @property {any} [error] this, or
 * @property {any} [thrown] this, or
 * @property {any} [returned] this
 * @property {boolean} [parts] true if the answer has to come in parts
 */
/** @typedef {{method: string, what: string, request: string, seen: string}} Row */

export class Bench {
  /** @param {import("../harness/browser.mjs").BrowserName} name */
  constructor(name) {
    this.name = name;
    this.world = new World(name);
    /** @type {Row[]} */
    this.rows = [];
    /** A transfer that has completed and stays on the list. */
    this.kept = "";
    /** One that was stopped. */
    this.stopped = "";
    this.folder = "";
    /** Where the names of opened folders are written. */
    this.opened = "";
    /** @type {WirePage | undefined} */
    this.shared = undefined;
  }

  /** Starts everything; folders are opened by a program that writes down which. */
  async start() {
    const { machine } = this.world;
    this.folder = path.join(machine.files, "work");
    fs.mkdirSync(this.path("deeper"), { recursive: true });
    fs.writeFileSync(this.path("alpha.txt"), "alpha");
    fs.writeFileSync(this.path("secret.txt"), "nobody picked this");
    makeRandomFile(this.path("large.bin"), 1_500_000);
    makeRandomFile(this.path("film.bin"), 24_000_000);
    this.opened = path.join(machine.folder, "opened");
    fs.writeFileSync(this.opened, "");
    const opener = path.join(machine.made("bin"), "xdg-open");
    fs.writeFileSync(opener, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${this.opened}'\n`, { mode: 0o755 });
    /** @type {any} */ (machine.environment).PATH = `${path.dirname(opener)}:${process.env.PATH}`;
    await this.world.start();
  }

  /** The folder that the user works in, or something in it. @param {string} name */
  path(name) {
    return path.join(this.folder, name);
  }

  /** What a dialog says of a file in there. @param {string} name */
  file(name) {
    const type = name.endsWith(".txt") ? "text/plain" : "application/octet-stream";
    return file(this.path(name), fs.statSync(this.path(name)).size, type);
  }

  /** @param {any} value @param {any} shape */
  fits(value, shape) {
    assert.deepEqual(match(shape, value), [], JSON.stringify(value));
  }

  /** The tab with a running SDK that most rows share: opening one for each takes longer than what is tested. */
  async site() {
    this.shared ??= await this.page();
    return this.shared;
  }

  /**
   * A new tab with the SDK.
   * @param {{origin?: string, options?: object, appId?: string | null}} [how] without app id no session is begun
   */
  async page({ origin = this.world.pages.address, options = {}, appId = APP_ID } = {}) {
    const tab = await this.world.browser.driver.newPage();
    await tab.goto(`${origin}conformance.html`);
    const page = new WirePage(tab);
    await page.make({ minVersion: MIN_VERSION, dragDropEnabled: true, pollingTime: 500, ...options }, appId);
    if (appId !== null) await until("the SDK is RUNNING", async () => (await page.status()) === "RUNNING");
    return page;
  }

  /**
   * One row of the table. The body drives the SDK and has `sees` compare.
   * @param {string} method @param {string} what
   * @param {(row: {sees: (call: Promise<Call> | Call, expected: Expected) => Promise<Call>, says: (seen: string) => void}) => Promise<unknown>} body
   */
  row(method, what, body) {
    /** @type {Row} */
    const row = { method, what, request: "", seen: "failed" };
    this.rows.push(row);
    test(`${method}: ${what}`, async () => {
      let seen = "";
      const sees = async (/** @type {Promise<Call> | Call} */ pending, /** @type {Expected} */ expected) => {
        const call = await pending;
        compare(call, expected);
        row.request ||= (expected.request ?? "none").replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, "{id}");
        seen = summary(call);
        return call;
      };
      await body({ sees, says: (words) => (seen = words) });
      row.seen = seen || "as described";
    });
  }

  /** One of the extension's windows of these kinds is opened by what the page asks, and closed again. @param {...string} kinds */
  async windowOpens(...kinds) {
    const { browser } = this.world;
    const window = await until(`a window opens: ${kinds}`, async () => (await Promise.all(kinds.map((kind) => browser.windows(kind)))).flat()[0]);
    await window.ready();
    await window.close();
    for (const kind of kinds) await browser.noWindow(kind);
  }

  /** The user chooses in the picker. @param {(picker: import("../harness/window.mjs").ExtensionWindow) => Promise<unknown>} choice */
  async picks(choice) {
    await choice(await this.world.browser.window("picker"));
    await this.world.browser.noWindow("picker");
  }

  /** No window of Godwit asks anything. */
  async noPrompt() {
    for (const kind of ["consent", "picker", "certificate", "credentials"]) {
      assert.equal((await this.world.browser.windows(kind)).length, 0, `a ${kind} window is open`);
    }
  }

  /** The user answers the question about a site. @param {"#allow-once" | "#allow-always" | "#deny"} button */
  async decides(button) {
    await (await this.world.browser.window("consent")).click(button);
    await this.world.browser.noWindow("consent");
  }
}

/**
 * What happened in the page by one call.
 * @typedef {object} Call
 * @property {any[]} requests @property {any[]} responses
 * @property {any} [success] @property {any} [error] @property {string} [thrown] @property {any} [returned]
 * @property {any} [also] what the function returned beside its callbacks
 */

/** A tab with pages/conformance.html. */
export class WirePage {
  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  /** @param {object} options @param {string | null} appId */
  make(options, appId) {
    return this.page.evaluate((o, id) => /** @type {any} */ (globalThis).wire.make(o, id ?? undefined), options, appId);
  }

  /** @param {string} name @param {any[]} args @param {Style} style @param {string} [object] @returns {Promise<Call>} */
  call(name, args, style, object = "connect") {
    return this.page.evaluate(
      (o, n, a, s) => /** @type {any} */ (globalThis).wire.call(o, n, a, s),
      object,
      name,
      args,
      style,
    );
  }

  /** @returns {Promise<string>} */
  status() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).wire.objects.connect.getStatus());
  }

  /** What a listener of the page was told so far. @param {string} listener @returns {Promise<any[]>} */
  told(listener) {
    return this.page.evaluate(
      (name) => /** @type {any} */ (globalThis).wire.told.filter((/** @type {any[]} */ each) => each[0] === name).map((/** @type {any[]} */ each) => each[1]),
      listener,
    );
  }

  /** @param {"requests" | "responses" | "disconnects"} what @returns {Promise<any[]>} */
  wire(what) {
    return this.page.evaluate((name) => /** @type {any} */ (globalThis).wire[name], what);
  }

  /** TransferInfo as it is now. @param {string} id */
  async info(id) {
    const { success, error } = await this.call("getTransfer", [id], "promise");
    assert.ok(success, JSON.stringify(error));
    return success.transfer_info;
  }

  /** Waits until a transfer is in this state. @param {string} id @param {string} status */
  reaches(id, status) {
    return until(`transfer ${id} is ${status}`, async () => {
      const info = await this.info(id);
      return info.status === status ? info : undefined;
    });
  }

  /** Sends request objects as the SDK does. @param {any[]} requests */
  send(requests) {
    return this.page.evaluate((all) => {
      for (const detail of all) document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail }));
    }, requests);
  }

  /** Waits for so many answers to requests with these ids. @param {number[]} ids @param {number} [count] @param {number} [from] @returns {Promise<any[]>} */
  answers(ids, count = ids.length, from = 0) {
    return until(`${count} answers come`, async () => {
      const answers = (await this.wire("responses")).slice(from).filter((each) => ids.includes(each.request_id));
      return answers.length >= count ? answers : undefined;
    });
  }

  /** Sends request objects as the SDK does; their answers. @param {any[]} requests @returns {Promise<any[]>} */
  async raw(requests) {
    const from = (await this.wire("responses")).length;
    await this.send(requests);
    return this.answers(requests.map((each) => each.request_id), requests.length, from);
  }

  /** Makes the SDK's installer. @param {object} [options] */
  install(options = {}) {
    return this.page.evaluate((o) => /** @type {any} */ (globalThis).wire.install(o), options);
  }

  close() {
    return this.page.close();
  }
}

/** @param {Call} call @param {Expected} expected */
function compare(call, expected) {
  const outcomes = /** @type {const} */ (["success", "error", "thrown", "returned"]);
  // A success that is undefined is one; beside an expected error it only takes back a common expectation.
  const given = outcomes.filter((key) => key in expected && !(key === "success" && "error" in expected));
  const outcome = Object.fromEntries(given.map((key) => [key, expected[key]]));
  const { requests, responses, also: _, ...rest } = call;
  assert.deepEqual(match(outcome, rest), [], `${JSON.stringify(rest).slice(0, 2000)}`);
  if (expected.request === null) {
    assert.deepEqual(requests, [], "nothing may be sent");
    return;
  }
  assert.equal(requests.length, 1, JSON.stringify(requests));
  const [request] = requests;
  const [method = "", uri = ""] = expected.request.split(" ");
  const wanted = { request_id: request.request_id, min_version: MIN_VERSION, method, uri_reference: uri, body: request.body, "timeout?": expected.timeout };
  assert.deepEqual(match(wanted, request), []);
  assert.equal("timeout" in request, expected.timeout !== undefined, "a time-out for dialogs only");
  if (method === "GET") assert.equal(request.body, "");
  else assert.deepEqual(match(expected.body, JSON.parse(request.body)), [], request.body);
  assert.ok(responses.length > 0, "an answer came");
  for (const response of responses) {
    const parts = "body64" in response;
    assert.equal(parts, expected.parts ?? false, `parts: ${JSON.stringify(response).slice(0, 200)}`);
    const form = parts
      ? { request_id: request.request_id, status: expected.status, body64: /** @param {any} v */ (v) => (typeof v === "string" ? [] : ["body64 is no text"]), complete: response === responses.at(-1) }
      : { request_id: request.request_id, status: expected.status, body: response.body };
    assert.deepEqual(match(form, response), []);
    if (!parts) JSON.parse(response.body);
  }
  assert.equal(responses.length > 1, expected.parts ?? false, "parts are several messages, other answers one");
}

/** @param {Call} call */
function summary({ responses, requests: _, ...rest }) {
  const outcome = ["success", "error", "thrown", "returned"].find((key) => key in rest) ?? "nothing";
  const words = { success: "success", error: "error", thrown: "the SDK throws", returned: "returned" }[outcome] ?? outcome;
  const parts = responses.length > 1 ? " in parts" : "";
  return responses.length > 0 ? `${responses[0].status}${parts}, ${words}` : words;
}
