import assert from "node:assert/strict";
import test from "node:test";
import { crumbs, fits, isAbsolute, isName, join, split } from "../ui/paths.js";

test("paths are joined and split without doubled slashes", () => {
  assert.equal(join("/", "etc"), "/etc");
  assert.equal(join("/etc", "hosts"), "/etc/hosts");
  assert.deepEqual(split("/etc/hosts"), { folder: "/etc", name: "hosts" });
  assert.deepEqual(split("/etc"), { folder: "/", name: "etc" });
  assert.ok(isAbsolute("/x") && !isAbsolute("x") && !isAbsolute(""));
});

test("each crumb leads to its folder", () => {
  assert.deepEqual(crumbs("/a/b c"), [
    { name: "/", path: "/" },
    { name: "a", path: "/a" },
    { name: "b c", path: "/a/b c" },
  ]);
  assert.equal(crumbs("/").length, 1);
});

test("names that no file can have are refused, lengths counted in bytes", () => {
  for (const name of ["", ".", "..", "a/b", "a\0b", "ü".repeat(128)]) assert.equal(isName(name), false, name);
  for (const name of ["a", "...", ".x", "ü".repeat(127), "a\\b"]) assert.equal(isName(name), true, name);
});

test("filters compare endings without regard to case, and a star lets all through", () => {
  const filter = (...extensions) => ({ filter_name: "", extensions });
  assert.ok(fits("A.MXF", filter("mxf")));
  assert.ok(fits("a.tar.gz", filter("tar.gz", ".zip")));
  assert.ok(fits("a.zip", filter("tar.gz", ".zip")));
  assert.ok(!fits("mxf", filter("mxf")));
  assert.ok(fits("any", filter("*")) && fits("any", null) && fits("any", filter()));
});
