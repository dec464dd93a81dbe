// Styles that hold in both directions of writing and in the user's own colours.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";

const UI = path.join(import.meta.dirname, "../ui");
const sheets = fs.readdirSync(UI).filter((name) => name.endsWith(".css")).map((name) => [name, fs.readFileSync(path.join(UI, name), "utf8")]);

test("no style names left or right: languages that are written from the right mirror the windows", () => {
  const physical = /^\s*(?:(?:margin|padding|border|inset|scroll-margin|scroll-padding)-(?:left|right)\b|left\s*:|right\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)\b|border-(?:top|bottom)-(?:left|right)-radius)/m;
  const lopsided = /^[ \t]*(?:margin|padding|border-radius)[ \t]*:[ \t]*([^\s;]+)[ \t]+([^\s;]+)[ \t]+([^\s;]+)[ \t]+([^\s;]+);/gm;
  assert.ok(sheets.length >= 8);
  for (const [name, text] of sheets) {
    assert.doesNotMatch(text, physical, name);
    for (const [rule, , right, , left] of text.matchAll(lopsided)) assert.equal(right, left, `${name}: ${rule.trim()}`);
  }
});

test("colours come from the common list, so that dark and forced colours reach everything", () => {
  for (const [name, text] of sheets) {
    if (name === "base.css") continue;
    const own = text.split("\n").filter((line) => /#[0-9a-f]{3,8}\b|rgb\(|hsl\(/i.test(line) && !/backdrop|0 0 0/.test(line));
    assert.deepEqual(own.filter((line) => /:\s/.test(line) && !line.trim().endsWith("{") && !line.trim().endsWith(",")), [], name);
  }
});

test("nothing polls: windows and background wait for events, and no timer repeats itself", () => {
  const root = path.join(import.meta.dirname, "..");
  const scripts = ["background", "content", "pages", "ui"].flatMap((folder) =>
    fs.readdirSync(path.join(root, folder)).filter((name) => name.endsWith(".js")).map((name) => [`${folder}/${name}`, fs.readFileSync(path.join(root, folder, name), "utf8")]),
  );
  assert.ok(scripts.length > 60);
  for (const [name, text] of scripts) assert.doesNotMatch(text, /setInterval|alarms\.create/, name);
});
