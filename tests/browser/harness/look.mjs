// @ts-check
// Looking at a window: WCAG 2.2 AA by axe-core, and a picture when pictures are wanted.

import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const AXE = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
/** Folder for pictures; none are made without it. */
const PICTURES = process.env.GODWIT_SCREENSHOTS;
/** In which Firefox is, whose driver cannot ask for it. */
const SCHEME = process.env.GODWIT_SCHEME ?? "light";
/** Language of the browser, for the pictures' names. */
const LANGUAGE = process.env.GODWIT_LANGUAGE ?? "en";

/**
 * Looks at a window in light and dark; in Firefox in what the whole browser is (`GODWIT_SCHEME`).
 * @param {import("./window.mjs").ExtensionWindow} window
 * @param {string} browser @param {string} name of the picture
 * @param {{width: number, height: number}} size
 * @param {string} [language] of the window, for the picture's name
 */
export async function look(window, browser, name, size, language = LANGUAGE) {
  for (const scheme of browser === "firefox" ? [SCHEME] : ["light", "dark"]) {
    if (browser !== "firefox") await window.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await check(window, `${browser} ${name} ${scheme}`);
    if (PICTURES === undefined) continue;
    fs.mkdirSync(PICTURES, { recursive: true });
    await window.screenshot(path.join(PICTURES, `${name}-${browser}-${language}-${scheme}.png`), size);
  }
}

/**
 * Looks at a window in the user's own colours, which the linter cannot see: it does not judge contrast then.
 * @param {import("./window.mjs").ExtensionWindow} window
 * @param {string} browser @param {string} name of the picture
 * @param {{width: number, height: number}} size
 */
export async function lookForced(window, browser, name, size) {
  await check(window, `${browser} ${name}`, false);
  if (PICTURES === undefined) return;
  fs.mkdirSync(PICTURES, { recursive: true });
  await window.screenshot(path.join(PICTURES, `${name}-${browser}-${LANGUAGE}.png`), size);
}

/** @param {import("./window.mjs").ExtensionWindow} window @param {string} name @param {boolean} [contrast] */
async function check(window, name, contrast = true) {
  await window.page.evaluate(AXE);
  const faults = await window.page.evaluate(async (rules, enabled) => {
    // Colours that are still fading in would be measured half-way.
    await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})));
    const { violations } = await /** @type {any} */ (globalThis).axe.run(document, { runOnly: rules, rules: { "color-contrast": { enabled } } });
    return violations.map((/** @type {any} */ v) => `${v.id}: ${v.help}: ${v.nodes.map((/** @type {any} */ n) => `${n.html} (${n.any[0]?.message ?? ""})`).join(" | ")}`);
  }, RULES, contrast);
  assert.deepEqual(faults, [], name);
}
