// The same golden messages through the built module, as the extension calls it: needs
// `cargo xtask build --extension-only` first.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";

const ROOT = path.join(import.meta.dirname, "../..");
const WASM = path.join(ROOT, "dist/extension-chromium/wasm");
const golden = (name) => JSON.parse(fs.readFileSync(path.join(ROOT, "protocol/golden", name), "utf8"));

const wasm = await import(pathToFileURL(path.join(WASM, "godwit_core.js")).href);
await wasm.default({ module_or_path: fs.readFileSync(path.join(WASM, "godwit_core_bg.wasm")) });

const names = fs.readdirSync(path.join(ROOT, "protocol/golden"));

test("WebAssembly reads what the agent may send, unchanged", () => {
  for (const name of names.filter((each) => /^message-(hello-(agent|host)|response|part|event)/.test(each))) {
    assert.deepEqual(JSON.parse(wasm.parse_message(JSON.stringify(golden(name)))), { message: golden(name) }, name);
  }
});

test("WebAssembly refuses what only the other direction may carry", () => {
  for (const name of names.filter((each) => /^message-(hello-(cli|extension|forwarded)|request)/.test(each))) {
    assert.equal(typeof JSON.parse(wasm.parse_message(JSON.stringify(golden(name)))).error, "string", name);
  }
});

test("WebAssembly makes the golden calls from a page's requests", () => {
  for (const name of ["page-call.json", "page-call-dialog.json"]) {
    const { uri, ...rest } = golden(name);
    const request = JSON.stringify({ request_id: 1, uri_reference: uri, ...rest });
    assert.deepEqual(JSON.parse(wasm.check_request(request, "https://example.com")), { call: golden(name) }, name);
  }
});

test("text of any kind comes back as an answer, never as an exception", () => {
  const texts = ["", "null", "[]", "{", "\u0000", "\ud800", "{\"a\":".repeat(5000), "9".repeat(10000)];
  for (const text of texts) {
    for (const result of [
      wasm.check_request(text, "https://example.com"),
      wasm.check_request("{}", text),
      wasm.precheck(text, text, text),
      wasm.parse_message(text),
      wasm.answer_for_error(text, text),
    ]) {
      assert.equal(typeof JSON.parse(result), "object");
    }
  }
});
