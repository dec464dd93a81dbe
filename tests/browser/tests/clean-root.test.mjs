// @ts-check
// As on a new machine: a user who has nothing yet, the real installer from a stick, both browsers with their sandboxes, a real server,
// an upgrade in the middle of a transfer, and a removal after which every file is as before.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "../harness/clean-root.mjs";
import { inEachBrowser } from "../harness/world.mjs";

/** Of the transfer in which the upgrade falls. `cargo xtask soak upgrade` has the large one. */
const BYTES = process.env.GODWIT_SOAK === undefined ? 200_000_000 : 1_000_000_000;

inEachBrowser("clean root", (name) => {
  test("a new user installs, both browsers transfer, an upgrade falls into a large transfer, and the removal leaves every file as before", async () => {
    const { code, said } = await visit(name, BYTES);
    assert.equal(code, 0, said);
    assert.match(said, /as before: \d+ entries\n$/);
    console.log(said);
  });
});
