// @ts-check
// The server's own web application in a tab, and what a person does in it.

import assert from "node:assert/strict";
import { TRANSFER, until } from "./wait.mjs";
import { ExtensionWindow } from "./window.mjs";

export class App extends ExtensionWindow {
  /**
   * Opens it in a new tab.
   * @param {Pick<import("./world.mjs").World, "browser" | "server">} world @param {string} [more] of the address, such as `?lang=de`
   */
  static async open(world, more = "") {
    const app = new App(await world.browser.driver.newPage());
    await app.page.goto(`${world.server.web}${more}`);
    await app.ready();
    return app;
  }

  /** @param {string} user @param {string} password */
  async signIn(user, password) {
    await this.fill("#sign-in-user", user);
    await this.fill("#sign-in-password", password);
    await this.click("#sign-in button.primary");
  }

  /** Waits until a folder is shown. @param {string} folder */
  async at(folder) {
    await until(`the page shows ${folder}`, () =>
      this.evaluate((path) => document.body.dataset.path === path && !document.querySelector("#scroller[aria-busy]"), folder),
    );
  }

  /** Waits until Godwit is ready for this page. */
  async running() {
    await until("Godwit is ready", async () => (await this.status()) === "RUNNING");
  }

  /** @returns {Promise<string>} */
  status() {
    return this.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#godwit-state")).dataset.status ?? "");
  }

  /** The names in sight, in their order. @returns {Promise<string[]>} */
  names() {
    return this.evaluate(() => [...document.querySelectorAll("#rows [data-name]")].map((row) => row.getAttribute("data-name") ?? ""));
  }

  /** The selector of an entry. @param {string} name */
  named(name) {
    return `#rows [data-name="${name}"]`;
  }

  /** Marks entries. @param {string[]} names */
  async mark(names) {
    let first = true;
    for (const name of names) {
      await this.click(this.named(name), { ctrl: !first });
      first = false;
    }
  }

  /** Opens a folder that is in sight. @param {string} name @param {string} path */
  async enterFolder(name, path) {
    await this.click(`${this.named(name)} .open`);
    await this.at(path);
  }

  /** Answers the page's question with the button of this value. @param {string} value */
  async answer(value) {
    await this.click(`#ask[open] button[value="${value}"]`);
    await until("the question is gone", async () => !(await this.shows("#ask[open]")));
  }

  /** What the page shows of its transfers, newest first. @returns {Promise<{uuid: string, status: string, title: string}[]>} */
  transfers() {
    return this.evaluate(() =>
      [...document.querySelectorAll("#transfer-list li")].map((line) => {
        const { uuid = "", status = "" } = /** @type {HTMLElement} */ (line).dataset;
        return { uuid, status, title: line.querySelector(".title")?.textContent ?? "" };
      }),
    );
  }

  /** Waits for a transfer that was not there before, and for its end. @param {{uuid: string}[]} before @param {string} [status] */
  async finishes(before, status = "completed") {
    const known = before.map(({ uuid }) => uuid);
    const found = await until(
      "the transfer ends",
      async () => (await this.transfers()).find((each) => !known.includes(each.uuid) && ["completed", "failed", "cancelled"].includes(each.status)),
      TRANSFER,
    );
    const said = await this.text(`#transfer-list [data-uuid="${found.uuid}"]`);
    assert.equal(found.status, status, said);
    return found;
  }
}
