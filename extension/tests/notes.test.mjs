// What notifications and diagnostics say.
import assert from "node:assert/strict";
import test from "node:test";
import { summary } from "../background/notes.js";
import { diagnosis, notices, reportOf } from "../ui/diagnostics.js";

const text = (key, substitutions = []) => [key, ...substitutions].join(" ");
const view = (title, more = {}) => ({ title, status: "completed", direction: "send", remote_host: "srv", error: null, ...more });

test("one transfer is named with what became of it", () => {
  assert.deepEqual(summary([view("a.mov")], text), { title: "notifyDoneOne a.mov", message: "notifySent srv" });
  const failed = view("b", { status: "failed", error: { code: 25, message: "No space." } });
  assert.deepEqual(summary([failed], text), { title: "notifyFailedOne b", message: "No space." });
});

test("many are one note with counts and some names", () => {
  const views = ["a", "b", "c", "d", "e"].map((name) => view(name));
  const { title, message } = summary([...views, view("f", { status: "failed" })], text);
  assert.equal(title, "notifyDoneMany 5 notifyFailedMany 1");
  assert.equal(message, "a, b, c, … (+3)");
});

const state = { phase: "failed", reason: { kind: "missing", text: "not found" } };

test("diagnostics say why the application is not there, and how it was found if it is", () => {
  const known = { extension: "1", api: "4", browser: "B", state, status: null };
  assert.deepEqual(diagnosis(known, text, String), [["factAgent", "agentNotReached"], ["factReason", "not found"]]);
  assert.match(reportOf(known), /Connection: failed \(missing: not found\)/);
  const host = { browser: "firefox", version: "2", pid: 5, manifest: "/x/io.godwit.host.json" };
  const status = { version: "2", pid: 7, home: "/h", uptime_seconds: 60, counts: { running: 2 }, notices: ["Careful."], more: { log: "/l", downloads: "/d", host } };
  const there = { ...known, state: { phase: "ready", reason: null }, status };
  assert.ok(diagnosis(there, text, String).some(([key, value]) => key === "factManifest" && value === host.manifest));
  for (const part of ["/x/io.godwit.host.json", "Agent: 2", "Notice: Careful.", '{"running":2}']) assert.ok(reportOf(there).includes(part), part);
});

test("notices are told in the person's language, and unknown or old ones in the agent's", () => {
  const say = (key, ...parts) => `${key}(${parts.join()})`;
  const note = { code: "database-new", args: ["/x"], text: "The database …" };
  assert.deepEqual(notices({ notices: ["The database …"], more: { notes: [note, { code: "toString", args: [], text: "New." }] } }, say), ["noticeDatabaseNew(/x)", "New."]);
  assert.deepEqual(notices({ notices: ["Old."] }, say), ["Old."]);
  assert.deepEqual(notices(null, say), []);
});
