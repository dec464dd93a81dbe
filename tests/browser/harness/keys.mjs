// @ts-check
// A walk through a window by the Tab key alone.

import assert from "node:assert/strict";
import { until } from "./wait.mjs";

/** Everything a person can stop at. */
const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";

/**
 * Presses Tab until every stop in sight has had the focus; fails if one is never reached, or if nothing shows where the focus is.
 * @param {import("./window.mjs").ExtensionWindow} window
 */
export async function walk(window) {
  await takeKeys(window);
  // A busy machine may answer late: asked again, nothing is lost.
  const begin = () => window.evaluate((stops) => {
    const seen = /** @type {any} */ (globalThis);
    seen.reached = new WeakSet();
    // What is there now: a list may be drawn anew while we walk. A stop taken away on purpose is none.
    seen.left = () =>
      [...document.querySelectorAll(stops)].filter((each) => {
        const element = /** @type {HTMLInputElement} */ (each);
        const stop = element.tabIndex >= 0 && !element.disabled && element.checkVisibility({ visibilityProperty: true });
        return stop && !seen.reached.has(element);
      });
    seen.unseen = [];
    seen.way = [];
    document.addEventListener("focusin", ({ target }) => {
      seen.reached.add(target);
      seen.way.push(/** @type {Element} */ (target).outerHTML.slice(0, 80));
      const element = /** @type {HTMLElement} */ (target);
      const { outlineStyle, boxShadow } = getComputedStyle(element);
      if (element.tabIndex >= 0 && outlineStyle === "none" && boxShadow === "none") seen.unseen.push(element.outerHTML.slice(0, 120));
    });
    // Tab goes on from here: Firefox leaves the document at its end for its own buttons.
    const start = document.createElement("span");
    start.tabIndex = -1;
    document.body.prepend(start);
    start.focus();
    seen.start = start;
    return seen.left().length;
  }, STOPS);
  const count = await until("the window has something to stop at", begin);
  for (let presses = 0; presses < count * 2 + 40; presses += 1) {
    await window.press("Tab");
    if ((await left(window)).length === 0) break;
    // The keys belong to the browser's own buttons now, or to a window that came to the front late: from the beginning again.
    const here = () => window.evaluate(() => document.hasFocus() && document.activeElement !== document.body);
    if (await here()) continue;
    await takeKeys(window);
    await window.evaluate(() => /** @type {any} */ (globalThis).start.focus());
  }
  const way = await window.evaluate(() => /** @type {any} */ (globalThis).way.slice(-12).join("\n"));
  assert.deepEqual(await left(window), [], `reached by Tab; the last stops were\n${way}`);
  assert.deepEqual(await window.evaluate(() => /** @type {any} */ (globalThis).unseen), [], "the focus is seen");
}

/**
 * The keys go to this window: in a new tab they may belong to the field for addresses, and a window that is just closing may give
 * them to another.
 * @param {import("./window.mjs").ExtensionWindow} window
 */
const takeKeys = (window) =>
  until("the window has the keys", async () => {
    await window.page.bringToFront().catch(() => {});
    return window.evaluate(() => document.hasFocus());
  });

/** @param {import("./window.mjs").ExtensionWindow} window @returns {Promise<string[]>} */
const left = (window) =>
  until("the window says what is left", () =>
    window.evaluate(() => /** @type {any} */ (globalThis).left().map((/** @type {Element} */ element) => element.outerHTML.slice(0, 120))),
  );
