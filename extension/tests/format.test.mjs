import assert from "node:assert/strict";
import test from "node:test";
import { bytes, duration, number, percent, rate } from "../ui/format.js";
import { FIRST_WAIT_MS, LONGEST_WAIT_MS, waitAfter } from "../background/backoff.js";

test("sizes are binary and rates decimal", () => {
  assert.equal(bytes(0, "en"), "0 B");
  assert.equal(bytes(1023, "en"), "1,023 B");
  assert.equal(bytes(1024, "en"), "1 KiB");
  assert.equal(bytes(1.5 * 2 ** 30, "en"), "1.5 GiB");
  assert.equal(bytes(2 ** 60, "en"), "1,024 PiB");
  assert.equal(rate(0, "en"), "0 kbit/s");
  assert.equal(rate(941_200, "en"), "941 Mbit/s");
  assert.equal(rate(9_412_000, "en"), "9.41 Gbit/s");
});

test("numbers follow the language", () => {
  assert.equal(bytes(1.5 * 2 ** 30, "de"), "1,5 GiB");
  assert.equal(number(1234567, "de"), "1.234.567");
});

test("times show the two largest units and never nothing", () => {
  assert.equal(duration(0, "en"), "1 sec");
  assert.equal(duration(59.6, "en"), "1 min");
  assert.equal(duration(3 * 3600 + 5 * 60 + 7, "en"), "3 hr 5 min");
  assert.equal(duration(86400 + 61, "en"), "1 day");
});

test("100 % means done", () => {
  assert.equal(percent(0.9999, "en"), "99%");
  assert.equal(percent(1, "en"), "100%");
  assert.equal(percent(1.7, "en"), "100%");
  assert.equal(percent(-1, "en"), "0%");
});

test("the wait before the next start grows, and not for ever", () => {
  assert.equal(waitAfter(1), FIRST_WAIT_MS);
  assert.ok(waitAfter(3) > waitAfter(2));
  assert.equal(waitAfter(1000), LONGEST_WAIT_MS);
});
