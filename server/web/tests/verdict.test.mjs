// @ts-check
// The verdict of the diagnostics page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../app/verdict.js";

const good = /** @type {import("../app/verdict.js").Results} */ ({ http: "good", extension: "good", agent: "good", tcp: "good", udp: "good" });

test("the first thing in the way is named, whatever follows from it", () => {
  for (const [changes, status, found] of /** @type {[object, string, string][]} */ ([
    [{}, "RUNNING", "foundGood"],
    [{ http: "bad", udp: "bad" }, "RUNNING", "foundHttp"],
    [{ extension: "unknown", agent: "unknown", tcp: "unknown", udp: "unknown" }, "MISSING", "foundSdk"],
    [{ extension: "bad", agent: "unknown", tcp: "unknown", udp: "unknown" }, "EXTENSION_INSTALL", "foundExtension"],
    [{ agent: "bad", tcp: "unknown", udp: "unknown" }, "FAILED", "foundAgent"],
    [{ agent: "bad", tcp: "unknown", udp: "unknown" }, "OUTDATED", "foundOld"],
    [{ tcp: "bad" }, "RUNNING", "foundTcp"],
    [{ udp: "bad" }, "RUNNING", "foundUdp"],
    [{ tcp: "bad", udp: "bad" }, "RUNNING", "foundBoth"],
  ])) {
    assert.equal(judge({ ...good, ...changes }, status).found, found);
  }
});

test("what could not be tested is never called good", () => {
  const all = /** @type {const} */ (["waiting", "running", "good", "bad", "unknown"]);
  for (const extension of all)
    for (const agent of all)
      for (const udp of all)
        for (const http of all) {
          const { found } = judge({ http, extension, agent, tcp: "good", udp }, "RUNNING");
          const whole = [http, extension, agent, udp].every((each) => each === "good");
          assert.equal(found === "foundGood", whole, JSON.stringify({ http, extension, agent, udp, found }));
        }
});
