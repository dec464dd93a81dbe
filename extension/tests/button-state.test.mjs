// The toolbar button says the most important thing.
import assert from "node:assert/strict";
import test from "node:test";
import { button } from "../background/button-state.js";

const READY = { phase: "ready", reason: null };
const told = (more) => button({ line: READY, active: 0, failed: 0, slow: false, ...more });

test("with nothing to tell it is the mark alone", () => {
  assert.deepEqual(told({}), { state: "idle", badge: "", title: ["actionTitle"] });
});

test("running transfers are counted, slow or not", () => {
  assert.deepEqual(told({ active: 3 }), { state: "running", badge: "3", title: ["buttonRunning", "3"] });
  assert.deepEqual(told({ active: 3, slow: true }), { state: "slow", badge: "3", title: ["buttonRunningSlow", "3"] });
  assert.deepEqual(told({ slow: true }), { state: "slow", badge: "", title: ["buttonSlow"] });
});

test("a failure is seen also while others run and in slow mode", () => {
  assert.deepEqual(told({ failed: 2, slow: true }), { state: "failed", badge: "!", title: ["buttonFailed", "2"] });
  assert.deepEqual(told({ failed: 2, active: 1 }), { state: "failed", badge: "1", title: ["buttonRunningFailed", "1", "2"] });
});

test("an application that cannot be started is told; one that is not needed just now is not", () => {
  const line = (phase, lasting) => ({ line: { phase, reason: { lasting } }, active: 2, failed: 1 });
  assert.equal(told(line("failed", true)).state, "missing");
  assert.equal(told(line("failed", true)).badge, "?");
  assert.equal(told(line("connecting", true)).state, "missing", "it does not flicker while it is tried again");
  for (const other of [line("failed", false), { line: { phase: "connecting", reason: null } }]) assert.equal(told(other).state, "idle");
});
