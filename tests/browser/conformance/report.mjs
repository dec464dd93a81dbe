// @ts-check
// docs/conformance.md: written from what was seen, and compared with it, so that it cannot go stale.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { ROOT } from "../harness/machine.mjs";

const FILE = path.join(ROOT, "docs/conformance.md");
const BROWSERS = /** @type {const} */ (["chromium", "firefox"]);
const HEAD = `# Conformance with the vendor's SDK

Written by \`tests/browser/tests/conformance.test.mjs\`, which drives the unmodified \`@ibm-aspera/connect-sdk-js\` 5.0.3 in both
browsers and compares each request, status, answer and error with the page API as it is known. Not to be edited:
\`GODWIT_BLESS=1\` writes it anew; without it the test fails if this file is not what it saw.

A row names the function of the SDK, what was tried, the request that the SDK sent, and per browser the status of the answer and
how the SDK handed it to the page.

`;

/** @typedef {Record<string, import("./bench.mjs").Row[]>} Seen rows by browser */

/**
 * Compares the file with what was seen, or writes it (GODWIT_BLESS). Columns of browsers that did not run stay as they are.
 * @param {Seen} seen
 */
export function report(seen) {
  const ran = Object.values(seen).filter((rows) => rows.length > 0);
  const [rows = []] = ran;
  for (const other of ran) assert.deepEqual(other.map(key), rows.map(key), "both browsers run the same cases");
  const present = fs.existsSync(FILE) ? fs.readFileSync(FILE, "utf8") : "";
  const old = cells(present);
  const lines = rows.map((row, index) => {
    const columns = BROWSERS.map((name) => seen[name]?.[index]?.seen ?? old.get(key(row))?.[name] ?? "not run");
    return `| ${[row.method, row.what, row.request === "none" ? "none" : `\`${row.request}\``, ...columns].join(" | ")} |`;
  });
  const wanted = `${HEAD}| Function | Case | Request | Chromium | Firefox |\n|---|---|---|---|---|\n${lines.join("\n")}\n`;
  if (process.env.GODWIT_BLESS) {
    assert.ok(!wanted.includes("| failed |"), "a table with failures is not written");
    fs.writeFileSync(FILE, wanted);
  } else {
    assert.equal(present, wanted, "docs/conformance.md is stale: run this test with GODWIT_BLESS=1");
  }
}

/** @param {{method: string, what: string}} row */
const key = (row) => `${row.method} | ${row.what}`;

/** What the file says now, by row and browser. @param {string} text @returns {Map<string, Record<string, string>>} */
function cells(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const [, method, what, , chromium, firefox] = line.split("|").map((each) => each.trim());
    if (firefox !== undefined) found.set(`${method} | ${what}`, { chromium, firefox });
  }
  return found;
}
