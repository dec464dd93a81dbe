// @ts-check
// Reading and summing files that were chosen.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { like } from "./match.mjs";
import { COMMON, content, errorBody } from "./shapes.mjs";

const READ = "POST /connect/file/read-as-array-buffer/";
const CHUNK = "POST /connect/file/read-chunk-as-array-buffer/";
const SUM = "POST /connect/file/checksum/";

/** @param {import("./bench.mjs").Bench} bench */
export function files(bench) {
  const alpha = () => bench.path("alpha.txt");
  bench.row("readAsArrayBuffer", "a file that was chosen", async ({ sees }) => {
    const page = await bench.site();
    const expected = { request: READ, body: { path: alpha(), ...COMMON }, status: 200, success: content("text/plain", Buffer.from("alpha")) };
    for (const style of /** @type {const} */ (["promise", "last"])) await sees(page.call("readAsArrayBuffer", [{ path: alpha() }], style), expected);
  });
  bench.row("readAsArrayBuffer", "larger than a frame: the answer comes in parts that join", async ({ sees }) => {
    const page = await bench.site();
    const large = bench.path("large.bin");
    const expected = { request: READ, body: { path: large, ...COMMON }, status: 200, parts: true, success: content("application/octet-stream", fs.readFileSync(large)) };
    const { responses } = await sees(page.call("readAsArrayBuffer", [{ path: large }], "promise"), expected);
    for (const { body64 } of responses) assert.ok(body64.length <= 1024 * 1024, `a part of ${body64.length}`);
  });
  bench.row("readChunkAsArrayBuffer", "from the middle; beyond the end", async ({ sees }) => {
    const page = await bench.site();
    for (const [offset, chunkSize, wanted] of /** @type {[number, number, string][]} */ ([[1, 3, "lph"], [3, 100, "ha"], [100, 5, ""]])) {
      const wish = { path: alpha(), offset, chunkSize };
      const expected = { request: CHUNK, body: { ...wish, ...COMMON }, status: 200, success: content("text/plain", Buffer.from(wanted)) };
      for (const style of /** @type {const} */ (["promise", "last"])) await sees(page.call("readChunkAsArrayBuffer", [wish], style), expected);
    }
  });
  bench.row("readChunkAsArrayBuffer", "offsets that are none", async ({ sees }) => {
    const page = await bench.site();
    for (const [offset, chunkSize] of [[-1, 5], [0, -5], ["x", 5]]) {
      const wish = { path: alpha(), offset, chunkSize };
      await sees(page.call("readChunkAsArrayBuffer", [wish], "last"), { request: CHUNK, body: { ...wish, ...COMMON }, status: 400, error: errorBody(400) });
    }
  });
  bench.row("getChecksum", "all four methods; the default; a part of the file", async ({ sees }) => {
    const page = await bench.site();
    const sum = (/** @type {string} */ method, /** @type {string} */ of) => ({ checksumMethod: method, checksum: createHash(method).update(of).digest("hex") });
    for (const checksumMethod of ["md5", "sha1", "sha256", "sha512"]) {
      const body = { path: alpha(), offset: 0, chunkSize: 0, checksumMethod };
      await sees(page.call("getChecksum", [{ path: alpha(), checksumMethod }], "promise"), { request: SUM, body: { ...body, ...COMMON }, status: 200, success: sum(checksumMethod, "alpha") });
    }
    const part = { path: alpha(), offset: 1, chunkSize: 3 };
    await sees(page.call("getChecksum", [part], "last"), { request: SUM, body: { ...part, checksumMethod: "md5", ...COMMON }, status: 200, success: sum("md5", "lph") });
  });
  bench.row("getChecksum", "a method that is none", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("getChecksum", [{ path: alpha(), checksumMethod: "crc32" }], "last"), { request: null, thrown: like(/not a supported checksum method/) });
  });
  for (const [name, request, more] of /** @type {[string, string, object][]} */ ([
    ["readAsArrayBuffer", READ, {}],
    ["readChunkAsArrayBuffer", CHUNK, { offset: 0, chunkSize: 5 }],
    ["getChecksum", SUM, { offset: 0, chunkSize: 0, checksumMethod: "md5" }],
  ])) {
    bench.row(name, "a file that nobody chose, or that does not exist: the same answer", async ({ sees }) => {
      const page = await bench.site();
      for (const path of [bench.path("secret.txt"), "/etc/passwd", bench.path("no such file")]) {
        const body = { path, ...more };
        const { error } = await sees(page.call(name, [body], "last"), { request, body: { ...body, ...COMMON }, status: 406, error: errorBody(406) });
        assert.ok(!JSON.stringify(error).includes("nobody picked this"));
      }
    });
    bench.row(name, "no path", async ({ sees }) => {
      const page = await bench.site();
      await sees(page.call(name, [{ ...more }], "last"), { request: null, thrown: like(/path is missing/) });
    });
  }
}
