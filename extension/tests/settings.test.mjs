// What the preferences window computes: units, the catalogue of settings, files to keep them in.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { SECTIONS, SETTINGS, SETTING_KEYS, namesOf, ruleOf, unknown } from "../ui/settings-catalog.js";
import { read, usable, write } from "../ui/settings-file.js";
import { RATES, TIMES, join, split } from "../ui/units.js";

const english = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "../_locales/en/messages.json"), "utf8"));

test("a rate is shown in the unit that needs the fewest digits and read back as the same rate", () => {
  assert.deepEqual(split(20_000, RATES), { value: 20, unit: "Mbit/s" });
  assert.deepEqual(split(1_500, RATES), { value: 1.5, unit: "Mbit/s" });
  assert.deepEqual(split(1_500_000, RATES), { value: 1.5, unit: "Gbit/s" });
  for (const rate of [1, 7, 999, 1_000, 1_001, 123_456, 700_000, 10_000_000]) {
    const { value, unit } = split(rate, RATES);
    assert.equal(join(String(value), unit, RATES), rate);
  }
  for (const seconds of [1, 30, 60, 90, 3600, 86_400]) {
    const { value, unit } = split(seconds, TIMES);
    assert.equal(join(String(value), unit, TIMES), seconds);
  }
});

test("what people type is read, and what is no number is not taken for one", () => {
  assert.equal(join(" 1,5 ", "Mbit/s", RATES), 1_500);
  assert.equal(join(".5", "unitMinutes", TIMES), 30);
  for (const text of ["", "-1", "fast", "1e3", "1.2.3", "٣"]) assert.ok(Number.isNaN(join(text, "kbit/s", RATES)), text);
});

test("every setting stands in a section and every text it names exists", () => {
  for (const setting of SETTINGS) {
    assert.ok(SECTIONS.includes(setting.section), setting.name);
    const rule = ruleOf(setting);
    if (rule) assert.ok(english[rule[0]], setting.name);
    if (setting.needs) assert.ok(SETTINGS.some(({ name, kind }) => name === setting.needs && kind === "switch"), setting.name);
  }
  for (const key of SETTING_KEYS) assert.ok(english[key], key);
  assert.equal(new Set(SETTINGS.map(({ name }) => name)).size, SETTINGS.length);
});

test("settings of a newer agent come last and can be changed in the form that they have", () => {
  const values = { queue: { active: 3 }, moon: { phase: "full", bright: true, size_kbps: 4 } };
  assert.deepEqual(namesOf(values), ["queue.active", "moon.phase", "moon.bright", "moon.size_kbps"]);
  assert.deepEqual(["full", true, 4].map((value, i) => unknown(namesOf(values)[i + 1], value).kind), ["suffix", "switch", "rate"]);
});

const view = (more = {}) => ({
  values: { queue: { active: 5, enabled: true }, downloads: { folder: "/data" }, log: { level: "info" } },
  defaults: { queue: { active: 3, enabled: true }, downloads: { folder: null }, log: { level: "info" } },
  locked: [],
  file: "/x",
  problems: [],
  ...more,
});

test("a file holds what was changed and nothing else, and is taken over where it fits", () => {
  const text = write(view(), { trusted: ["https://a.example"], restricted: [] });
  const content = read(text);
  assert.deepEqual(content, { settings: { "downloads.folder": "/data", "queue.active": 5 }, sites: { trusted: ["https://a.example"], restricted: [], ask: [] } });
  const { changes, left } = usable({ ...content, settings: { ...content.settings, "no.such": 1 } }, view({ locked: ["queue.active"] }));
  assert.deepEqual([changes, left], [{ "downloads.folder": "/data" }, ["queue.active", "no.such"]]);
});

test("a file that is none of ours, or damaged, or hostile, is refused or loses what is wrong", () => {
  for (const text of ["", "{}", "[]", "null", "7", '{"godwit-settings":2}', `{"godwit-settings":1,"x":"${"y".repeat(1_000_000)}"}`]) assert.equal(read(text), null, text.slice(0, 40));
  const odd = read('{"godwit-settings":1,"settings":{"a.b":[1],"__proto__":{"x":1},"c.d":2},"sites":{"trusted":"all","ask":[1,"https://x.example"]}}');
  assert.deepEqual(odd?.settings, { "c.d": 2 });
  assert.deepEqual(odd?.sites, { trusted: [], restricted: [], ask: ["https://x.example"] });
  assert.equal(read('{"godwit-settings":1,"settings":7,"sites":null}')?.settings["x"], undefined);
});
