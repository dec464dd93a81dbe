// Every text that is asked for exists in every language, and none is kept that nobody asks for.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { ERROR_CODES, STEP_KEYS } from "../ui/report.js";
import { SETTING_KEYS } from "../ui/settings-catalog.js";

const ROOT = path.join(import.meta.dirname, "..");
const read = (...names) => fs.readFileSync(path.join(ROOT, ...names), "utf8");
const locale = (name) => JSON.parse(read("_locales", name, "messages.json"));
const languages = fs.readdirSync(path.join(ROOT, "_locales"));
const english = locale("en");

const sources = ["background", "content", "pages", "ui"].flatMap((folder) =>
  fs.readdirSync(path.join(ROOT, folder)).filter((name) => /\.(js|html)$/.test(name)).map((name) => read(folder, name)),
);
sources.push(read("manifest.template.json"));

/** Keys where they are plainly asked for. */
const asked = new Set(
  sources.flatMap((text) =>
    [/\bt\("(\w+)"/g, /data-t(?:-label|-title)?="(\w+)"/g, /__MSG_(\w+)__/g, /getMessage\("(\w+)"/g].flatMap((pattern) =>
      [...text.matchAll(pattern)].map((match) => match[1]),
    ),
  ),
);

/** Keys that are made from numbers. */
const made = ERROR_CODES.map((code) => `error${code}`);
for (const key of [...made, ...STEP_KEYS, ...SETTING_KEYS]) asked.add(key);

test("every error that a transfer can have has a sentence", () => {
  const all = JSON.parse(read("..", "protocol", "golden", "error-codes.json"));
  assert.deepEqual([0, ...ERROR_CODES], all);
});

test("every text asked for exists", () => {
  assert.ok(asked.size > 50);
  for (const key of asked) assert.ok(english[key], key);
});

test("every text is used somewhere", () => {
  const all = sources.join("\n");
  for (const key of Object.keys(english)) assert.ok(made.includes(key) || all.includes(key), key);
});

test("every language has the same texts with the same placeholders", () => {
  assert.ok(languages.length >= 2);
  const marks = (text) => [...text.matchAll(/\$(\w+)\$/g)].map((match) => match[1]).sort();
  for (const language of languages) {
    const texts = locale(language);
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(english).sort(), language);
    for (const [key, { message, placeholders }] of Object.entries(texts)) {
      assert.ok(message.trim() !== "", `${language} ${key}`);
      assert.deepEqual(marks(message), marks(english[key].message), `${language} ${key}`);
      assert.deepEqual(placeholders, english[key].placeholders, `${language} ${key}`);
      for (const mark of marks(message)) assert.ok(placeholders[mark.toLowerCase()], `${language} ${key}`);
    }
  }
});

test("translators are told what every text is for", () => {
  for (const [key, { description }] of Object.entries(english)) assert.ok(description, key);
});
