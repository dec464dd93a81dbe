import assert from "node:assert/strict";
import test from "node:test";
import { FRAGMENTS, classify, textForPages } from "../background/disconnect.js";

const known = (text) => FRAGMENTS.some((fragment) => text.includes(fragment));

/** What the browsers say (Chromium 156, Firefox 153), and what it means. */
const LASTING = [
  ["Specified native messaging host not found.", "missing"],
  ["No such native application io.godwit.host", "missing"],
  ["Access to the specified native messaging host is forbidden.", "forbidden"],
  ["This extension does not have permission to use native application io.godwit.host", "forbidden"],
  ["Access to the native messaging host was disabled by the system administrator.", "disabled"],
  ["Failed to start native messaging host.", "broken"],
  ['File at path "/opt/godwit-host" does not exist, or is not executable', "broken"],
];

test("a host that cannot be there makes the SDK report FAILED, in every wording", () => {
  for (const [text, kind] of LASTING) {
    const reason = classify(text, false);
    assert.equal(reason.kind, kind, text);
    assert.equal(reason.lasting, true);
    assert.ok(known(textForPages(reason)), text);
  }
});

test("the browser's own words are passed on if the SDK knows them, and always kept for the popup", () => {
  assert.equal(textForPages(classify(LASTING[0][0], false)), LASTING[0][0]);
  assert.equal(textForPages(classify(LASTING[1][0], false)), LASTING[1][0]);
  for (const [text] of LASTING) assert.equal(classify(text, false).text, text);
});

test("a host that ran and stopped is no reason to report FAILED", () => {
  for (const text of ["Native host has exited.", "", "An unexpected error occurred"]) {
    for (const spoke of [true, false]) {
      const reason = classify(text, spoke);
      assert.equal(reason.lasting, false, text);
      assert.equal(known(textForPages(reason)), false, text);
    }
  }
});

test("a broken conversation lasts only if it never began", () => {
  const text = "Error when communicating with the native messaging host.";
  assert.equal(classify(text, false).kind, "broken");
  assert.equal(known(textForPages(classify(text, true))), false);
});
