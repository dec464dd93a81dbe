// What notifications and diagnostics say.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { summary } from "../background/notes.js";
import { diagnosis, notices, reportOf } from "../ui/diagnostics.js";
import { WORDS, noteText, sentence } from "../ui/reasons.js";

const text = (key, substitutions = []) => [key, ...substitutions].join(" ");
const view = (title, more = {}) => ({ title, status: "completed", direction: "send", remote_host: "srv", error: null, ...more });

test("one transfer is named with what became of it", () => {
  assert.deepEqual(summary([view("a.mov")], text, "en"), { title: "notifyDoneOne a.mov", message: "notifySent srv" });
  const failed = view("b", { status: "failed", error: { code: 25, message: "No space." } });
  assert.deepEqual(summary([failed], text, "en-GB"), { title: "notifyFailedOne b", message: "No space." });
});

test("many are one note with counts and some names", () => {
  const views = ["a", "b", "c", "d", "e"].map((name) => view(name));
  const { title, message } = summary([...views, view("f", { status: "failed" })], text, "de");
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
  assert.ok(diagnosis(there, text, String).some(([key, value]) => key === "factCounts" && value === "stateRunning: 2"));
  for (const part of ["/x/io.godwit.host.json", "Agent: 2", "Notice: Careful.", '{"running":2}']) assert.ok(reportOf(there).includes(part), part);
});

test("notices are told in the person's language, and unknown or old ones in the agent's", () => {
  const say = (key, ...parts) => `${key}(${parts.join()})`;
  const note = { code: "database-new", args: ["/x"], text: "The database …" };
  assert.deepEqual(notices({ notices: ["The database …"], more: { notes: [note, { code: "toString", args: [], text: "New." }] } }, say), ["noticeDatabaseNew(/x)", "New."]);
  assert.deepEqual(notices({ notices: ["Old."] }, say), ["Old."]);
  assert.deepEqual(notices(null, say), []);
});

const catalogue = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "../_locales/de/messages.json"), "utf8"));
/** As the browser does it, with the German catalogue. */
const german = (key, ...given) => {
  const { message, placeholders } = catalogue[key];
  const parts = given.flat();
  return message.replace(/\$(\w+)\$/gu, (_, name) => parts[Number(placeholders[name.toLowerCase()].content.slice(1)) - 1] ?? "");
};

test("a note about a failed transfer speaks German to who reads German, with the agent's detail", () => {
  const note = (code, message) => summary([view("b", { status: "failed", error: { code, message } })], german, "de").message;
  assert.equal(note(25, "There is no space left on the target disk."), catalogue.error25.message);
  assert.equal(note(25, "There is no space left on the target disk. (/mnt: os error 28)"), `${catalogue.error25.message} (/mnt: os error 28)`);
  assert.equal(note(9999, "An error of tomorrow."), "An error of tomorrow.");
});

test("a problem of the settings names file and setting, a refusal beside its field only the rule, both in German", () => {
  const args = ["settings.toml", "queue.active", "1", "100", "0"];
  const note = { code: "setting-range", args, text: "settings.toml: queue.active: it must be 1 to 100, not 0" };
  const whole = noteText(note, german);
  assert.match(whole, /^settings\.toml: .+ \(queue\.active\): Möglich ist 1 bis 100, nicht 0\.$/u);
  assert.equal(sentence(note, german), "Möglich ist 1 bis 100, nicht 0.");
  assert.equal(noteText({ code: "setting-unknown", args: ["/x", "a.b"], text: "" }, german), "/x: a.b: Diese Einstellung gibt es nicht.");
  assert.equal(noteText({ code: "site-public", args: ["https://*.kawasaki.jp", "kawasaki.jp"], text: "" }, german), "„https://*.kawasaki.jp“ träfe auch die Seiten Fremder: Unter „kawasaki.jp“ kann jeder einen Namen haben.");
  assert.equal(noteText({ code: "folder-missing", args: ["/no", "os error 2"], text: "" }, german), "/no gibt es nicht.");
  assert.equal(noteText({ code: "of tomorrow", args: [], text: "English." }, german), "English.");
});

test("the agent says no word to people that is unknown here, and none here is one that it never says", () => {
  const source = path.join(import.meta.dirname, "../../native-host/src");
  const files = fs.readdirSync(source, { recursive: true }).filter((name) => name.endsWith(".rs") && !name.includes("tests"));
  const text = files.map((name) => fs.readFileSync(path.join(source, name), "utf8")).join("\n");
  const found = (pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
  const said = new Set([
    ...found(/Notice::new\(\s*"([a-z-]+)"/gu),
    ...found(/refuse_word\([^"()]*"([a-z-]+)"/gu),
    ...found(/Reason::new\("([a-z-]+)"/gu).map((word) => `setting-${word}`),
    ...found(/\brefuse\("([a-z-]+)", /gu).map((word) => `setting-${word}`),
    ...found(/=> \(codes::\w+, "([a-z-]+)"/gu),
    ...found(/=> \("([a-z-]+)", vec!/gu),
    // Made from parts.
    ..."setting-range locked-by-site locked-by-server".split(" "),
  ]);
  assert.ok(said.size > 30, [...said].join());
  assert.deepEqual([...said].filter((word) => !WORDS.includes(word)), [], "unknown here");
  assert.deepEqual(WORDS.filter((word) => !said.has(word)), [], "never said");
});
