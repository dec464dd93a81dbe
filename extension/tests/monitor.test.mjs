// What the monitor computes: curves that stay small, a scale that shows the rate, steps of keys.
import assert from "node:assert/strict";
import test from "node:test";
import { Curve, MOST, nudge, round, top } from "../ui/curve.js";

const sample = (at_ms, more = {}) => ({ at_ms, rate_kbps: 1000, limit_kbps: 0, lost: 0, queue_us: 0, rtt_us: 0, bytes_written: at_ms * 125, ...more });

test("live samples follow the history without counting a loss twice or a moment again", () => {
  const curve = new Curve();
  curve.load([sample(250, { lost: 2 }), sample(500, { lost: 3 })], 250, 5);
  assert.equal(curve.add(sample(500, { lost: 5 })), false, "older than the history");
  assert.equal(curve.add(sample(750, { lost: 9 })), true);
  curve.add(sample(1000, { lost: 1 }));
  assert.deepEqual(curve.samples.map(({ lost }) => lost), [2, 3, 4, 1], "a new session counts from nothing");
  assert.deepEqual(curve.columns()[4], [8, 12, 16, 4], "per second");
  assert.deepEqual(curve.summary(), { peak: 1000, average: 1000, lost: 10 });
});

test("a day fits in as many points as the screen has, in order, with every loss", () => {
  const curve = new Curve();
  for (let n = 1; n <= 100_000; n += 1) {
    curve.add(sample(n * 864, { lost: n }));
    assert.ok(curve.samples.length <= MOST);
  }
  assert.ok(curve.samples.length > MOST / 4);
  assert.ok(curve.samples.every(({ at_ms }, i) => i === 0 || at_ms > curve.samples[i - 1].at_ms));
  assert.equal(curve.summary().lost, 100_000);
  assert.equal(curve.columns()[0].length, curve.columns()[4].length);
});

test("an empty curve has figures too", () => {
  assert.deepEqual(new Curve().summary(), { peak: 0, average: 0, lost: 0 });
  assert.deepEqual(new Curve().columns(), [[], [], [], [], []]);
});

test("limits are in the picture until they would press the rate flat", () => {
  const samples = [sample(1, { rate_kbps: 10_000 })];
  assert.ok(top(samples, [20_000]) > 20_000);
  assert.ok(top(samples, [1_000_000, null, undefined]) < 20_000);
  assert.ok(top([], [1_000_000]) > 1_000_000, "nothing measured: the limit alone");
  assert.ok(top([], []) > 0);
});

test("keys move by a tenth in round numbers and always move", () => {
  assert.equal(nudge(1_000, 1), 1_100);
  assert.equal(nudge(1_100, -1), 1_000);
  for (const kbps of [10, 11, 37, 12_345, 1_000_000]) {
    assert.ok(nudge(kbps, 1) > kbps, String(kbps));
    assert.ok(nudge(kbps, -1) < kbps, String(kbps));
  }
  assert.deepEqual([round(3), round(123_456), round(99)], [0, 123_000, 100]);
});
