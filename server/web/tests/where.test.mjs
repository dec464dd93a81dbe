// @ts-check
// Addresses of the page, and folders of the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf, join, parent, read, steps } from "../app/where.js";

test("every folder has an address that leads back to it", () => {
  for (const path of ["/", "/a", "/a b/ü/漢字", "/100%/#x?y", "/diagnostics", "/share=1"]) {
    assert.deepEqual(read(hashOf(path)), { view: "files", path }, path);
  }
});

test("addresses that this page did not write lead to the root or to a folder", () => {
  for (const [hash, path] of [["", "/"], ["#", "/"], ["#%", "/"], ["#a//b/", "/a/b"], ["#/a/", "/a"]]) {
    assert.deepEqual(read(/** @type {string} */ (hash)), { view: "files", path }, hash);
  }
  assert.deepEqual(read("#share=v4.public.x"), { view: "share", token: "v4.public.x" });
  assert.deepEqual(read("#diagnostics"), { view: "diagnostics" });
});

test("folders are joined, left and named", () => {
  assert.equal(join("/", "a"), "/a");
  assert.equal(join("/a", "b"), "/a/b");
  assert.equal(parent("/a/b"), "/a");
  assert.equal(parent("/a"), "/");
  assert.deepEqual(steps("/a/b").map(({ path }) => path), ["/a", "/a/b"]);
  assert.deepEqual(steps("/"), []);
});
