// Windows that must be there at once fetch all their modules together: one that is forgotten costs a round trip.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { modules } from "./modules.mjs";

const ROOT = path.join(import.meta.dirname, "..");

for (const page of ["activity", "popup"]) {
  test(`the ${page} window names all its modules, and no other`, () => {
    const html = fs.readFileSync(path.join(ROOT, "pages", `${page}.html`), "utf8");
    const named = [...html.matchAll(/<link rel="modulepreload" href="([^"]+)"/g)].map(([, name]) => name);
    const needed = [...modules(path.join(ROOT, "pages", `${page}.js`))].map((file) => path.relative(path.join(ROOT, "pages"), file));
    assert.deepEqual(named.sort(), needed.sort());
  });
}
