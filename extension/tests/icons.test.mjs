// A name without a picture draws nothing.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { ICONS, STYLES } from "../ui/icons.js";

const ROOT = path.join(import.meta.dirname, "../..");
const FOLDERS = ["extension/pages", "extension/ui", "server/web", "server/web/app"];

test("every icon that a page or a script names has its picture", () => {
  const named = new Set();
  for (const folder of FOLDERS) {
    for (const file of fs.readdirSync(path.join(ROOT, folder)).filter((name) => /\.(html|js)$/.test(name))) {
      const text = fs.readFileSync(path.join(ROOT, folder, file), "utf8");
      for (const [, inPage, inScript] of text.matchAll(/data-icon="([a-z]+)"|\bicon\("(\w+)"\)/g)) named.add(inPage ?? inScript);
    }
  }
  assert.ok(named.size > 10, [...named].join());
  assert.deepEqual([...named].filter((name) => !Object.hasOwn(ICONS, name)), []);
  assert.deepEqual(Object.keys(STYLES).filter((name) => !Object.hasOwn(ICONS, name)), []);
});
