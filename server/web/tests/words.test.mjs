// @ts-check
// The page's words. That both languages have all of them is the type checker's business.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { de } from "../app/de.js";
import { en } from "../app/en.js";

const WEB = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const page = fs.readFileSync(path.join(WEB, "index.html"), "utf8");
const scripts = fs
  .readdirSync(path.join(WEB, "app"))
  .filter((name) => name.endsWith(".js") && name !== "en.js" && name !== "de.js")
  .map((name) => fs.readFileSync(path.join(WEB, "app", name), "utf8"))
  .join("\n");

test("every word that the page names is there", () => {
  for (const [, key] of page.matchAll(/data-t(?:-label|-title)?="([^"]*)"/g)) assert.ok(key && key in en, key);
});

test("no word is without use", () => {
  const unused = Object.keys(en).filter((key) => !page.includes(`"${key}"`) && !scripts.includes(`"${key}"`));
  assert.deepEqual(unused, []);
});

test("both languages put the same values in", () => {
  const places = (/** @type {string} */ text) => [...text.matchAll(/\$\d/g)].map(String).sort().join();
  for (const [key, text] of Object.entries(en)) {
    const german = de[/** @type {keyof typeof en} */ (key)];
    assert.equal(places(german), places(text), key);
    assert.notEqual(german, "", key);
  }
});
