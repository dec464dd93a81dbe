// @ts-check
// A window or page of the extension, by the contract in extension/README.md, and what a person does in it.

import path from "node:path";
import { until, withLimit } from "./wait.mjs";

const ANSWER = 5_000;
/** What drivers say when a window closed under them. */
const CLOSING = /closed|detached|destroyed|no such frame|discarded|no answer/i;

export class ExtensionWindow {
  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * Evaluates a function in the window.
   * @template T @param {(...args: any[]) => T} what @param {...any} args
   * @returns {Promise<Awaited<T>>}
   */
  evaluate(what, ...args) {
    return withLimit(/** @type {any} */ (this.page.evaluate(what, ...args)), ANSWER);
  }

  /** Waits for its first data. */
  ready() {
    return until("the window shows its first data", () => this.evaluate(() => document.body.dataset.ready === "true"));
  }

  /** The text of an element that must be there. @param {string} selector @returns {Promise<string>} */
  text(selector) {
    return this.evaluate((s) => document.querySelector(s)?.textContent?.trim() ?? "", selector);
  }

  /** Whether an element is there and can be seen. @param {string} selector @returns {Promise<boolean>} */
  shows(selector) {
    return this.evaluate((s) => {
      const element = document.querySelector(s);
      return element !== null && element.getClientRects().length > 0 && element.checkVisibility({ visibilityProperty: true });
    }, selector);
  }

  /**
   * Clicks an element as soon as it can be clicked. The window may close by it.
   * @param {string} selector @param {{ctrl?: boolean}} [options]
   */
  async click(selector, options = {}) {
    await until(`${selector} can be clicked`, async () => {
      try {
        return await this.evaluate(
          (s, ctrlKey) => {
            const element = document.querySelector(s);
            if (!(element instanceof HTMLElement) || element.getClientRects().length === 0) return false;
            if (/** @type {any} */ (element).disabled) return false;
            if (ctrlKey) element.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey }));
            else element.click();
            return true;
          },
          selector,
          options.ctrl ?? false,
        );
      } catch (error) {
        // Closing itself is an answer to the click.
        if (CLOSING.test(String(error))) return true;
        throw error;
      }
    });
  }

  /** Presses a key of the real keyboard. The window may close by it, before the key is up. @param {any} key */
  async press(key) {
    try {
      await withLimit(this.page.keyboard.press(key), ANSWER);
    } catch (error) {
      if (!CLOSING.test(String(error))) throw error;
    }
  }

  /** Puts a text in a field and presses Enter. @param {string} selector @param {string} text */
  async enter(selector, text) {
    await this.evaluate(
      (s, value) => {
        const field = /** @type {HTMLInputElement} */ (document.querySelector(s));
        field.focus();
        field.value = value;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter", bubbles: true, cancelable: true }));
      },
      selector,
      text,
    );
  }

  /** Puts a value in a field as a person does who types it and leaves the field. @param {string} selector @param {string | boolean} value */
  async fill(selector, value) {
    await until(`${selector} can be filled`, () =>
      this.evaluate(
        (s, v) => {
          const field = /** @type {HTMLInputElement | null} */ (document.querySelector(s));
          if (field === null || field.disabled) return false;
          if (typeof v === "boolean") field.checked = v;
          else field.value = v;
          field.dispatchEvent(new Event("input", { bubbles: true }));
          field.dispatchEvent(new Event("change", { bubbles: true }));
          return true;
        },
        selector,
        value,
      ),
    );
  }

  /** The value of a field. @param {string} selector @returns {Promise<string>} */
  value(selector) {
    return this.evaluate((s) => /** @type {HTMLInputElement | null} */ (document.querySelector(s))?.value ?? "", selector);
  }

  /** Picker: goes to a folder. @param {string} folder */
  async goTo(folder) {
    await this.enter("#path-input", folder);
    await until(
      `the picker shows ${folder}`,
      () => this.evaluate((f) => document.body.dataset.path === f && document.body.dataset.busy === undefined, folder),
    );
  }

  /** Picker: chooses names in a folder. @param {string} folder @param {string[]} names */
  async choose(folder, names) {
    await this.goTo(folder);
    let first = true;
    for (const name of names) {
      await this.click(`#list [data-name="${name.replaceAll('"', '\\"')}"]`, { ctrl: !first });
      first = false;
    }
    await this.click("#choose");
  }

  /** Popup: the state and texts of a transfer's row. @param {string} uuid */
  row(uuid) {
    return this.evaluate((id) => {
      const row = document.querySelector(`[data-uuid="${id}"]`);
      if (!(row instanceof HTMLElement)) return null;
      const of = (/** @type {string} */ s) => row.querySelector(s)?.textContent?.trim() ?? "";
      return { status: row.dataset.status, title: of(".title"), state: of(".state"), error: of(".error") };
    }, uuid);
  }

  /** A picture of it. @param {string} file @param {{width: number, height: number}} [size] as large as people see it */
  async screenshot(file, size) {
    // Not every driver can do this for every page; then the picture has the driver's size.
    if (size) await withLimit(this.page.setViewport(size), ANSWER).catch(() => {});
    await withLimit(this.page.screenshot({ path: /** @type {any} */ (path.resolve(file)) }), 20_000);
  }

  /** Closes it as a person does. */
  async close() {
    await withLimit(this.page.close(), ANSWER).catch(() => {});
  }
}
