// @ts-check
// A folder of many thousands: what is fetched, and what not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Listing, PAGE } from "../app/listing.js";

/** A server's folder; answers come when the test says so. @param {number} total */
function folder(total) {
  /** @type {{skip: number, answer: (total?: number) => void, fail: () => void}[]} */
  const asked = [];
  /** @type {import("../app/listing.js").Fetch} */
  const fetch = (skip, count) =>
    new Promise((done, failed) => {
      asked.push({
        skip,
        answer: (now = total) => {
          const items = Array.from({ length: Math.max(0, Math.min(count, now - skip)) }, (_, i) => ({ basename: `f${skip + i}` }));
          done(/** @type {any} */ ({ items, total_count: now }));
        },
        fail: () => failed(new Error("no")),
      });
    });
  return { asked, fetch };
}

const settled = () => new Promise((done) => setTimeout(done));

test("only what is looked at is fetched, the last wish first, and two at once", async () => {
  const { asked, fetch } = folder(100_000);
  let changed = 0;
  const listing = new Listing(fetch, () => (changed += 1), assert.fail);
  const started = listing.start();
  asked[0]?.answer();
  await started;
  assert.deepEqual([listing.total, listing.entry(0)?.basename, asked.length], [100_000, "f0", 1]);
  // Somebody drags the bar from the top to the bottom.
  for (let row = PAGE; row < 100_000; row += PAGE) assert.equal(listing.entry(row), undefined);
  assert.equal(asked.length, 3);
  for (let at = 1; at < asked.length; at += 1) {
    asked[at]?.answer();
    await settled();
  }
  assert.ok(asked.length <= 7, `${asked.length} pages were fetched`);
  assert.equal(listing.entry(99_999)?.basename, "f99999");
  assert.equal(changed, asked.length);
});

test("rows that are chosen are fetched before something is done with them", async () => {
  const { asked, fetch } = folder(2 * PAGE);
  const listing = new Listing(fetch, () => {}, assert.fail);
  const started = listing.start();
  asked[0]?.answer();
  await started;
  const wanted = listing.entries([PAGE + 1, 3]);
  await settled();
  asked[1]?.answer();
  assert.deepEqual((await wanted).map((entry) => entry.basename), ["f3", `f${PAGE + 1}`]);
});

test("of a folder that changed meanwhile nothing older stays", async () => {
  const { asked, fetch } = folder(3 * PAGE);
  const listing = new Listing(fetch, () => {}, assert.fail);
  const started = listing.start();
  asked[0]?.answer();
  await started;
  assert.equal(listing.entry(PAGE), undefined);
  asked[1]?.answer(3 * PAGE - 1);
  await settled();
  assert.equal(listing.total, 3 * PAGE - 1);
  assert.equal(listing.entry(0), undefined, "fetched again");
});

test("what fails is told, and what was left is not", async () => {
  const { asked, fetch } = folder(3 * PAGE);
  let failures = 0;
  const listing = new Listing(fetch, () => {}, () => (failures += 1));
  const started = listing.start();
  asked[0]?.answer();
  await started;
  listing.entry(PAGE);
  asked[1]?.fail();
  await settled();
  assert.equal(failures, 1);
  listing.entry(PAGE);
  listing.end();
  asked[2]?.fail();
  await settled();
  assert.equal(failures, 1);
});
