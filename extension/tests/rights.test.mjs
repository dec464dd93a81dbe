// A window that asks what it may not ask gets a refusal in place of an answer: a button that does nothing.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { ALLOWED } from "../background/rights.js";
import { modules } from "./modules.mjs";

const ROOT = path.join(import.meta.dirname, "..");

test("each window may ask the agent just what its modules ask", () => {
  for (const [page, allowed] of Object.entries(ALLOWED)) {
    const file = path.join(ROOT, "pages", `${page}.js`);
    // What others wrote is fetched by the build; it asks nothing.
    const own = [file, ...modules(file, { later: true })].filter((name) => !name.includes("/vendor/"));
    const texts = own.map((name) => fs.readFileSync(name, "utf8")).join("\n");
    const asked = new Set([...texts.matchAll(/"(ui\.[a-z-]+)"/g)].map(([, kind]) => kind));
    // The rows of transfers make these from parts.
    if (texts.includes("`ui.${name}`")) for (const name of ["stop", "resume", "remove", "reveal", "unlock"]) asked.add(`ui.${name}`);
    assert.deepEqual([...asked].sort(), [...allowed].sort(), page);
  }
});
