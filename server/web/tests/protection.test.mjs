// What is asked to be decrypted: encrypted files, and folders where nothing else can be; a passphrase is asked for no other download.
import assert from "node:assert/strict";
import test from "node:test";
import { decrypting } from "../app/protection.js";

test("a download is decrypted if a name says that it is encrypted, or if nothing else can lie in a folder", () => {
  const [plain, encrypted, folder] = [{ name: "age.mov", type: "file" }, { name: "film.mov.age", type: "file" }, { name: "old.age", type: "directory" }];
  const asks = (entries, required) => decrypting({ token: "t" }, entries, required).content_protection === "decrypt";
  assert.ok(!asks([plain], false) && !asks([plain], true));
  assert.ok(asks([plain, encrypted], false) && asks([encrypted], true));
  assert.ok(!asks([folder], false), "nobody knows what is in it");
  assert.ok(asks([folder], true));
  assert.deepEqual(decrypting({ token: "t" }, [encrypted], false), { token: "t", content_protection: "decrypt" });
});
