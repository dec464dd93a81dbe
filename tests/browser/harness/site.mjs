// @ts-check
// A tab with the test page, driven the way its author's code would drive the SDK.

import assert from "node:assert/strict";
import { SOON, TRANSFER, until } from "./wait.mjs";

export class Site {
  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * Starts the SDK and waits until it runs.
   * @param {string} [appId]
   */
  async open(appId = "dGVzdHMtb2YtR29kd2l0LTk4NDctaGFyZC10by1ndWVzcw==") {
    await this.begin(appId);
    await this.running();
  }

  /** Starts the SDK. @param {string} [appId] */
  async begin(appId = "dGVzdHMtb2YtR29kd2l0LTk4NDctaGFyZC10by1ndWVzcw==") {
    this.appId = await this.page.evaluate((id) => /** @type {any} */ (globalThis).site.open(id), appId);
  }

  async running() {
    await until("the SDK is RUNNING", async () => (await this.status()) === "RUNNING");
  }

  /** @returns {Promise<string>} */
  status() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).site.connect.getStatus());
  }

  /** @returns {Promise<string[]>} */
  statuses() {
    return this.page.evaluate(() => /** @type {any} */ (globalThis).site.statuses);
  }

  /**
   * An SDK function with callbacks in front: version, dialogs, getAllTransfers.
   * @param {string} name @param {...any} rest
   * @returns {Promise<{ok?: any, error?: any}>}
   */
  first(name, ...rest) {
    return this.page.evaluate((n, r) => /** @type {any} */ (globalThis).site.first(n, ...r), name, rest);
  }

  /**
   * An SDK function with callbacks at the end: startTransfer, getTransfer, stopTransfer, …
   * @param {string} name @param {...any} before
   * @returns {Promise<{ok?: any, error?: any}>}
   */
  last(name, ...before) {
    return this.page.evaluate((n, b) => /** @type {any} */ (globalThis).site.last(n, ...b), name, before);
  }

  /** Starts a transfer that must be accepted. @param {object} spec @param {object} [settings] @returns {Promise<string>} its uuid */
  async start(spec, settings = {}) {
    const answer = await this.last("startTransfer", spec, settings);
    assert.ok(answer.ok, `startTransfer was refused: ${JSON.stringify(answer.error)}`);
    return answer.ok.transfer_specs[0].uuid;
  }

  /** What the listener knows of a transfer. @param {string} uuid */
  seen(uuid) {
    return this.page.evaluate((id) => /** @type {any} */ (globalThis).site.transfers[id], uuid);
  }

  /** The page's clock. @returns {Promise<number>} */
  now() {
    return this.page.evaluate(() => performance.now());
  }

  /**
   * Waits until the listener has seen the transfer in this state; fails at once in an end state that is another.
   * @param {string} uuid @param {string} status @param {number} [deadline]
   */
  async reaches(uuid, status, deadline = TRANSFER) {
    let wrong = "";
    const info = await until(
      `transfer ${uuid} is ${status}`,
      async () => {
        const seen = await this.seen(uuid);
        if (seen && seen.status !== status && status !== "removed" && ["completed", "failed"].includes(seen.status)) {
          wrong = JSON.stringify(seen);
          return { status: seen.status };
        }
        return seen?.status === status ? seen : undefined;
      },
      deadline,
    );
    assert.equal(info.status, status, wrong);
    return info;
  }

  /** Waits until the transfer runs and has moved some bytes, but not all. @param {string} uuid */
  async midway(uuid) {
    return until(
      `transfer ${uuid} is in the middle`,
      async () => {
        const { ok } = await this.last("getTransfer", uuid);
        const info = ok?.transfer_info;
        if (info?.status === "completed" || info?.status === "failed") {
          throw new Error(`too late: ${info.status} ${info.error_desc}`);
        }
        return info?.status === "running" && info.bytes_written > 0 ? info : undefined;
      },
      SOON,
    );
  }
}
