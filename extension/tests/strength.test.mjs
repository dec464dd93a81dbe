// How a passphrase is judged.
import assert from "node:assert/strict";
import test from "node:test";
import { strengthOf } from "../ui/strength.js";

test("what everybody tries first is worth nothing, and rows and repetitions little", () => {
  for (const weak of ["", "a", "password", "Passwort1", "qwertz", "12345678", "aaaaaaaaaaaaaaaaaaaa", "abcdefgh", "swordfish"]) {
    assert.ok(strengthOf(weak) <= 1, `${weak}: ${strengthOf(weak)}`);
  }
});

test("length counts most, and several words are strong", () => {
  for (const strong of ["correct horse battery staple", "gelber Anorak tanzt im Mai", "v7#Kq2!mZx9&Lp4w"]) {
    assert.equal(strengthOf(strong), 4, strong);
  }
  for (const fair of ["hamster-77", "Oktoberfest"]) assert.ok([1, 2, 3].includes(strengthOf(fair)), `${fair}: ${strengthOf(fair)}`);
});

test("more never makes it weaker", () => {
  let before = 0;
  for (let length = 1; length <= 40; length += 1) {
    const now = strengthOf("Zug um Zug nach Wien, dann weiter an die See".slice(0, length));
    assert.ok(now >= before, `${length}`);
    before = now;
  }
});
