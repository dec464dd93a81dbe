import assert from "node:assert/strict";
import test from "node:test";
import { Selection } from "../ui/selection.js";

const chosen = (selection) => [...selection.chosen].sort((a, b) => a - b);

test("moving chooses the row it reaches, and stops at both ends", () => {
  const s = new Selection(3, true);
  s.moveTo(s.cursor + 1);
  assert.deepEqual([s.cursor, chosen(s)], [0, [0]]);
  s.moveTo(99);
  assert.deepEqual([s.cursor, chosen(s)], [2, [2]]);
  s.moveTo(-99);
  assert.deepEqual([s.cursor, chosen(s)], [0, [0]]);
});

test("Shift chooses from where the range began, in both directions", () => {
  const s = new Selection(6, true);
  s.only(3);
  s.moveTo(5, { range: true });
  assert.deepEqual(chosen(s), [3, 4, 5]);
  s.moveTo(1, { range: true });
  assert.deepEqual(chosen(s), [1, 2, 3]);
});

test("Ctrl moves without choosing, and Space then adds and takes away", () => {
  const s = new Selection(6, true);
  s.only(1);
  s.moveTo(4, { keep: true });
  assert.deepEqual([s.cursor, chosen(s)], [4, [1]]);
  s.toggle(4);
  assert.deepEqual(chosen(s), [1, 4]);
  s.toggle(1);
  assert.deepEqual(chosen(s), [4]);
});

test("where one choice is allowed, no way leads to two", () => {
  const s = new Selection(6, false);
  s.only(1);
  s.toggle(3);
  assert.deepEqual(chosen(s), [3]);
  s.rangeTo(5);
  assert.deepEqual(chosen(s), [5]);
  s.all();
  assert.deepEqual(chosen(s), [5]);
  s.moveTo(0, { keep: true });
  assert.deepEqual(chosen(s), [0]);
});

test("an empty list takes every key", () => {
  const s = new Selection(0, true);
  s.moveTo(1);
  s.moveTo(0, { range: true });
  s.all();
  assert.equal(s.type("a", 0, []), false);
  assert.deepEqual([s.cursor, chosen(s)], [-1, []]);
});

test("typing finds the name, one letter again and again goes through the names", () => {
  const names = ["alpha", "Beta", "bravo", "brim", "gamma"];
  const s = new Selection(names.length, true);
  assert.ok(s.type("b", 0, names));
  assert.equal(s.cursor, 1);
  assert.ok(s.type("r", 100, names));
  assert.ok(s.type("i", 200, names));
  assert.equal(s.cursor, 3);
  s.type("b", 5000, names);
  assert.equal(s.cursor, 1, "after a pause a new word begins; from the last b-name it wraps around");
  s.type("b", 5100, names);
  assert.equal(s.cursor, 2);
  assert.equal(s.type("x", 9000, names), false);
  assert.equal(s.cursor, 2);
});
