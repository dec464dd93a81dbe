import assert from "node:assert/strict";
import test from "node:test";
import { TransferModel, abilities, matches, place, share, EVERYTHING } from "../ui/transfer-model.js";

const view = (n, more = {}) => ({
  uuid: `u${n}`, title: `file ${n}`, direction: "send", origin: "https://a.example", remote_host: "srv.example", status: "running",
  bytes_expected: 100 * n, bytes_written: n, rate_kbps: n, seconds_left: null, files_expected: 1, files_completed: 0, files_failed: 0,
  current_file: "", folder: null, error: null, attempts: 1, added_ms: n, ...more,
});

const model = (...views) => {
  const made = new TransferModel();
  made.replaceAll(views);
  made.settle();
  return made;
};

test("the newest is first until another order is wished", () => {
  const m = model(view(2), view(10), view(1));
  assert.deepEqual(m.order, ["u10", "u2", "u1"]);
  m.setSort("name");
  m.settle();
  assert.deepEqual(m.order, ["u1", "u2", "u10"], "numbers in names count as numbers");
  m.setSort("nonsense");
  assert.equal(m.sort, "name");
});

test("every word must be found somewhere in title, server, site or error", () => {
  const failed = view(1, { error: { code: 19, message: "Wrong password" } });
  assert.ok(matches(failed, { ...EVERYTHING, text: "PASSWORD file" }));
  assert.ok(!matches(failed, { ...EVERYTHING, text: "password clip" }));
});

test("groups, direction and site narrow the list, and the counts follow the other filters", () => {
  const m = model(view(1), view(2, { status: "failed" }), view(3, { status: "queued", direction: "receive", origin: "https://b.example" }));
  m.setFilter({ group: "trouble" });
  m.settle();
  assert.deepEqual(m.order, ["u2"]);
  assert.deepEqual(m.counts(), { all: 3, active: 1, waiting: 1, done: 0, trouble: 1 });
  m.setFilter({ group: "all", site: "https://b.example" });
  m.settle();
  assert.deepEqual([m.order, m.counts().all], [["u3"], 1]);
  assert.deepEqual(m.sites(), ["https://a.example", "https://b.example"]);
});

test("a change of numbers that moves no row is not a new order", () => {
  const m = model(view(1), view(2));
  m.change([view(1, { bytes_written: 50 })], []);
  assert.equal(m.settle(), false);
  m.setSort("progress");
  assert.equal(m.settle(), true);
  m.change([view(1, { bytes_written: 60 })], []);
  assert.equal(m.settle(), true);
});

test("the choice follows its rows when they move, and leaves with them", () => {
  const m = model(view(1), view(2), view(3));
  m.only("u2");
  m.rangeTo("u1");
  assert.deepEqual(m.selected().map((v) => v.uuid), ["u2", "u1"]);
  m.setSort("oldest");
  m.settle();
  assert.deepEqual(m.selected().map((v) => v.uuid), ["u1", "u2"]);
  m.change([], ["u1"]);
  m.settle();
  assert.deepEqual(m.selected().map((v) => v.uuid), ["u2"]);
  assert.equal(m.cursor, "u2", "the cursor stands on the row that took the place");
});

test("keys move the cursor, extend the range and stop at both ends", () => {
  const m = model(view(1), view(2), view(3));
  m.move(1);
  assert.equal(m.cursor, "u3");
  m.move(1, { range: true });
  assert.deepEqual([...m.chosen], ["u3", "u2"]);
  m.move(99, { keep: true });
  assert.deepEqual([m.cursor, m.chosen.size], ["u1", 2]);
  m.toggle("u1");
  m.all();
  assert.equal(m.chosen.size, 3);
});

test("only what can be done is offered", () => {
  assert.deepEqual(abilities(view(1)), { stop: true, resume: false, unlock: false, reveal: false, remove: true });
  assert.deepEqual(abilities(view(1, { status: "failed", folder: "/x" })), { stop: false, resume: true, unlock: false, reveal: true, remove: true });
  const unlocked = { opened: 0, kept: 2, why: null, wrong_passphrase: false };
  const unlocking = { done: 1, total: 4 };
  assert.equal(abilities(view(1, { status: "completed", unlocked })).unlock, true);
  assert.equal(abilities(view(1, { status: "failed", unlocked })).unlock, false, "it is not complete");
  assert.equal(abilities(view(1, { status: "completed", unlocked, unlocking })).unlock, false, "it happens already");
  assert.equal(abilities(view(1, { status: "completed", unlocked: { ...unlocked, kept: 0 } })).unlock, false);
  assert.equal(share(view(1, { status: "completed", unlocked, unlocking })), 0.25);
});

test("a waiting transfer moves within the queue, whatever order is shown, and stays where it stands at an end", () => {
  const waiting = [3, 1, 2].map((n) => view(n, { status: "queued", queue_order: n * 10 }));
  const all = [view(9), ...waiting];
  assert.deepEqual(place(all, "u3", "first"), { uuid: "u3", before: "u1" });
  assert.deepEqual(place(all, "u3", "up"), { uuid: "u3", before: "u2" });
  assert.deepEqual(place(all, "u1", "down"), { uuid: "u1", before: "u3" });
  assert.deepEqual(place(all, "u2", "down"), { uuid: "u2" });
  assert.deepEqual(place(all, "u1", "last"), { uuid: "u1" });
  for (const [uuid, where] of [["u1", "first"], ["u1", "up"], ["u3", "last"], ["u3", "down"], ["u9", "first"], ["none", "up"]]) assert.equal(place(all, uuid, where), null);
});

test("the order by state keeps the queue's own order", () => {
  const m = model(view(1), ...[3, 2, 4].map((n) => view(n, { status: "queued", queue_order: 100 - n })));
  m.setSort("state");
  m.settle();
  assert.deepEqual(m.order, ["u1", "u4", "u3", "u2"]);
  m.change([view(2, { status: "queued", queue_order: 1 })], []);
  assert.equal(m.settle(), true);
  assert.deepEqual(m.order, ["u1", "u2", "u4", "u3"]);
});
