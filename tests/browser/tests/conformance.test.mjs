// @ts-check
// The unmodified SDK, function by function: what it sends, what it is answered, what the page gets (docs/conformance.md).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Bench } from "../conformance/bench.mjs";
import { dialogs } from "../conformance/dialogs.mjs";
import { faults } from "../conformance/faults.mjs";
import { files } from "../conformance/files.mjs";
import { installer } from "../conformance/installer.mjs";
import { report } from "../conformance/report.mjs";
import { session } from "../conformance/session.mjs";
import { transfers } from "../conformance/transfers.mjs";
import { windows } from "../conformance/windows.mjs";
import { BROWSERS } from "../harness/browser.mjs";

const TYPES = path.join(path.dirname(createRequire(import.meta.url).resolve("@ibm-aspera/connect-sdk-js/package.json")), "dist/esm/core/types.d.ts");

/** @type {Record<string, import("../conformance/bench.mjs").Row[]>} */
const seen = {};

for (const name of BROWSERS) {
  describe(`conformance (${name})`, { concurrency: false }, () => {
    const bench = new Bench(name);
    seen[name] = bench.rows;
    before(() => bench.start());
    after(() => bench.world.end());
    // The first of these lets the user allow the site.
    for (const group of [session, dialogs, files, transfers, windows, faults, installer]) group(bench);
  });
}

test("every function that the SDK declares is driven", () => {
  const declared = [...functions("ConnectClientType"), ...functions("ConnectInstallerClientType").map((each) => `Installer.${each}`)];
  assert.ok(declared.length > 50, `the declarations were read: ${declared.length}`);
  for (const rows of Object.values(seen)) {
    const driven = new Set(rows.map((row) => row.method));
    assert.deepEqual(declared.filter((each) => !driven.has(each)), []);
  }
});

test("docs/conformance.md says what was seen", () => report(seen));

/** Names of an interface's functions. @param {string} of */
function functions(of) {
  const [, block = ""] = fs.readFileSync(TYPES, "utf8").split(`export interface ${of} {`);
  const [body = ""] = block.split("\n}");
  return [...new Set([...body.matchAll(/^ {4}(\w+)(?:\(|: \()/gm)].map((found) => String(found[1])))];
}
