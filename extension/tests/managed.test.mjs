// What administrators may set through the browser's policies. That it is what the agent has is tested there
// (native-host/src/settings/tests/schema.rs); here, that Chromium finds it and that Preferences tells the same limits.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { ALLOWED } from "../background/rights.js";
import { SETTINGS } from "../ui/settings-catalog.js";

const ROOT = path.join(import.meta.dirname, "..");
const json = (name) => JSON.parse(fs.readFileSync(path.join(ROOT, name), "utf8"));
const manifest = json("manifest.template.json");
const { properties } = json(manifest.chromium.storage.managed_schema);

test("the limits and words of Preferences are those of the policies", () => {
  assert.equal(SETTINGS.length * 2 + 3, Object.keys(properties).length);
  for (const { name, kind, least, most, choices } of SETTINGS) {
    const { type, minimum, maximum, enum: words } = properties[`lock.${name}`];
    assert.equal(type, { switch: "boolean", count: "integer", rate: "integer", time: "integer" }[kind] ?? "string", name);
    assert.deepEqual([minimum, maximum], kind === "rate" ? [0, undefined] : [least, most], name);
    assert.deepEqual(words, choices?.map(([value]) => value), name);
  }
});

test("the templates for administrators name only policies that there are", () => {
  const template = (name) => JSON.parse(fs.readFileSync(path.join(ROOT, "../manifests/policies", name), "utf8"));
  const chromium = template("chromium.json")["3rdparty"].extensions["@EXTENSION_ID@"];
  const firefox = template("firefox.json").policies["3rdparty"].Extensions[manifest.firefox.browser_specific_settings.gecko.id];
  assert.deepEqual(chromium, firefox);
  assert.ok(Object.keys(chromium).length > 0);
  for (const name of Object.keys(chromium)) assert.ok(name in properties, name);
});

test("no window may speak for the browser's administrator", () => {
  for (const [page, allowed] of Object.entries(ALLOWED)) assert.ok(!allowed.includes("ui.browser-policy"), page);
});
