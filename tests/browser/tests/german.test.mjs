// @ts-check
// A person who reads German: the question, the list, an error and its remedy, and what the agent refuses, in the catalogue's words.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { look } from "../harness/look.mjs";
import { ROOT } from "../harness/machine.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const catalogue = JSON.parse(fs.readFileSync(path.join(ROOT, "extension/_locales/de/messages.json"), "utf8"));
/** @param {string} key @param {...string} parts @returns {string} */
function german(key, ...parts) {
  const { message, placeholders } = catalogue[key];
  return message.replace(/\$(\w+)\$/gu, (/** @type {string} */ _, /** @type {string} */ name) => parts[Number(placeholders[name.toLowerCase()].content.slice(1)) - 1]);
}

inEachBrowser("in German", (name) => {
  const world = new World(name);
  const notes = path.join(world.machine.files, "notes.txt");
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  /** The agent's settings file. */
  const file = path.join(world.machine.godwitHome, "settings.toml");

  before(async () => {
    makeRandomFile(notes, 1_000);
    fs.mkdirSync(world.machine.godwitHome, { recursive: true });
    fs.writeFileSync(file, "[retry]\nattempts = 0\n");
    await world.start({ language: "de" });
    site = await world.openSite();
  });
  after(() => world.end());

  test("the question says what the site wants, may and may not", async () => {
    const picked = site.first("showSelectFileDialog", {});
    const consent = await world.browser.window("consent");
    assert.equal(await consent.evaluate(() => document.documentElement.lang), "de");
    const shown = await consent.evaluate(() => document.body.innerText);
    for (const key of ["consentQuestion", "purposeFiles", "consentMayMove", "consentMayNot", "deny", "allowOnce"]) {
      assert.ok(shown.includes(german(key)), `${german(key)} in ${shown}`);
    }
    await consent.click("#allow-always");
    const picker = await world.browser.window("picker");
    await picker.enter("#path-input", path.join(world.machine.files, "no such folder", "x"));
    await until("what is not there is told", async () => /gibt es nicht/.test(await picker.evaluate(() => document.body.innerText)));
    await picker.enter("#path-input", notes);
    await world.browser.noWindow("picker");
    await picked;
  });

  test("the list, an error's cause and its remedy", async () => {
    const upload = (/** @type {object} */ more, settings = {}) =>
      site.start({ ...world.server.spec(), direction: "send", paths: [{ source: notes }], destination_root: "/in", create_dir: true, ...more }, settings);
    await site.reaches(await upload({}), "completed");
    const failed = await upload({ remote_password: "falsch" }, { allow_dialogs: false });
    await site.reaches(failed, "failed");
    const activity = await world.browser.open("activity");
    await until("both are listed", () => activity.evaluate(() => document.querySelectorAll("#transfers [data-uuid]").length === 2));
    assert.equal((await activity.row(failed))?.state, german("stateFailed"));
    assert.ok((await activity.row(failed))?.error.startsWith(german("error19")), "in the list");
    await activity.click(`[data-uuid="${failed}"] .title`);
    await until("the details are shown", () => activity.shows("#details .fault"));
    const details = await activity.text("#details");
    for (const key of ["error19", "stepLogin"]) assert.ok(details.includes(german(key)), `${german(key)} in ${details}`);
    await activity.close();
    const popup = await world.browser.open("popup");
    await until("the panel has it", async () => (await popup.row(failed))?.error.startsWith(german("error19")));
    await popup.close();
  });

  test("what is wrong in the settings file, and what the agent refuses", async () => {
    const preferences = await world.browser.open("preferences");
    const attempts = `${german("setRetryAttempts")} (retry.attempts)`;
    const problem = `${file}: ${attempts}: ${german("reasonSettingRange", "1", "1000", "0")}`;
    await until("the file's mistake is told", async () => (await preferences.text("#problems")) === problem);
    await preferences.fill("#trusted-new", "https://*.kawasaki.jp");
    await preferences.click("#trusted ~ .adder button");
    const refusal = await until("the site is refused with a reason", () => preferences.text("#trusted-error"));
    assert.equal(refusal, german("reasonSitePublic", "https://*.kawasaki.jp", "kawasaki.jp"));
    await preferences.click('[data-section="transfers"]');
    await look(preferences, name, "preferences-problems", { width: 860, height: 700 }, "de");
    await preferences.close();
  });
});
