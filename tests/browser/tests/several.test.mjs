// @ts-check
// Several browsers and several profiles of one browser at the same time: one agent, and each browser session for itself.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { Browser, BROWSERS } from "../harness/browser.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { World } from "../harness/world.mjs";

/** Slow enough to be seen in the middle, and to end within the test. */
const SLOW = { rate_policy: "fixed", target_rate_kbps: 16_000 };
/** Slow enough to be stopped in the middle, however slow the machine. */
const ENDLESS = { rate_policy: "fixed", target_rate_kbps: 500 };

/** @type {[import("../harness/browser.mjs").BrowserName, import("../harness/browser.mjs").BrowserName][]} */
const PAIRS = [["chromium", "firefox"], ["chromium", "chromium"], ["firefox", "firefox"]];

for (const [first, second] of PAIRS.filter((pair) => pair.every((name) => BROWSERS.includes(name)))) {
  describe(`several: ${first} and ${second === first ? "a second profile of it" : second}`, { concurrency: false }, () => {
    const here = new World(first);
    /** The same machine, seen through the second browser. @type {World} */
    let there;
    const film = path.join(here.machine.files, "film.bin");
    const notes = path.join(here.machine.files, "notes.txt");
    before(async () => {
      makeRandomFile(film, 24_000_000);
      fs.writeFileSync(notes, "notes");
      await here.start();
      const browser = await Browser.launch(here.machine, second, { profile: "profile-second" });
      there = Object.create(here, { browser: { value: browser } });
    });
    after(async () => {
      await there?.browser.close();
      await here.end();
    });

    const upload = (/** @type {string} */ source, more = {}) => ({
      ...here.server.spec(), direction: "send", paths: [{ source }], destination_root: "/in", create_dir: true, ...more,
    });

    test("both find Godwit; there is one agent, and a host for each", async () => {
      await here.openSite();
      await there.openSite();
      const names = here.machine.processes().map((each) => each.name);
      assert.equal(names.filter((name) => name === "godwit-agent").length, 1);
      assert.equal(names.filter((name) => name === "godwit-host").length, 2);
    });

    test("a site that was allowed once in one is asked about in the other, and a question opens where it was caused", async () => {
      const origin = await here.newOrigin();
      const mine = await here.openSite(origin);
      const theirs = await there.openSite(origin);
      const about = mine.first("showAbout");
      await (await here.browser.window("consent")).click("#allow-once");
      assert.ok((await about).ok);
      await (await here.browser.window("about")).close();
      assert.equal((await there.browser.windows("consent")).length, 0, "the other browser shows nothing");
      const asked = theirs.first("showAbout");
      await (await there.browser.window("consent")).click("#deny");
      assert.equal((await asked).error?.error?.code, 403);
      assert.equal((await here.browser.windows("consent")).length, 0);
      const again = await mine.first("showAbout");
      assert.ok(again.ok, "what the other refused once does not hold here");
      await (await here.browser.window("about")).close();
    });

    test("a site that is allowed for good in one is allowed in the other, where the open question closes by itself", async () => {
      const mine = await here.openSite();
      const theirs = await there.openSite();
      const [one, two] = [mine.first("showAbout"), theirs.first("showAbout")];
      await there.browser.window("consent");
      await (await here.browser.window("consent")).click("#allow-always");
      assert.ok((await one).ok);
      assert.ok((await two).ok, "nobody answered there");
      await there.browser.noWindow("consent");
      for (const world of [here, there]) await (await world.browser.window("about")).close();
    });

    test("a file that was picked in one is not given to the same site in the other", async () => {
      const mine = await here.openSite();
      const theirs = await there.openSite();
      await here.pickFile(mine, notes);
      const refused = await theirs.last("startTransfer", upload(notes), {});
      assert.equal(refused.error?.error?.code, 406, JSON.stringify(refused));
      assert.equal((await theirs.last("readAsArrayBuffer", { path: notes })).error?.error?.code, 406);
      assert.ok((await mine.last("readAsArrayBuffer", { path: notes })).ok);
    });

    test("dialogs in both at once are answered each in its own browser", async () => {
      const mine = await here.openSite();
      const theirs = await there.openSite();
      const [one, two] = [mine.first("showSelectFileDialog", {}), theirs.first("showSelectFileDialog", {})];
      await (await there.browser.window("picker")).enter("#path-input", notes);
      assert.equal((await two).ok.dataTransfer.files[0].name, notes);
      await (await here.browser.window("picker")).enter("#path-input", film);
      assert.equal((await one).ok.dataTransfer.files[0].name, film);
      for (const world of [here, there]) await world.browser.noWindow("picker");
    });

    test("a transfer is seen by its site and application in both, by no other, and in the windows of both", async () => {
      const mine = await here.openSite();
      const theirs = await there.openSite();
      await here.pickFile(mine, film);
      const uuid = await mine.start(upload(film, ENDLESS));
      await mine.midway(uuid);
      assert.equal((await theirs.last("getTransfer", uuid)).ok?.transfer_info.uuid, uuid);
      const stranger = await there.browser.site(here.pages.address);
      await stranger.open("YW5vdGhlci1hcHBsaWNhdGlvbi1oYXJkLXRvLWd1ZXNz");
      assert.equal((await stranger.last("getTransfer", uuid)).error?.error?.code, 404);

      const popups = [await here.browser.open("popup"), await there.browser.open("popup")];
      for (const popup of popups) await until("it is listed", async () => (await popup.row(uuid))?.status === "running");
      await popups[1]?.click(`[data-uuid="${uuid}"] .stop`);
      for (const popup of popups) await until("both show it stopped", async () => (await popup.row(uuid))?.status === "cancelled");
      await mine.reaches(uuid, "cancelled");
      for (const popup of popups) await popup.close();
    });

    test("when one browser is killed, the other's dialog and transfer go on", async () => {
      const theirs = await there.openSite();
      await there.pickFile(theirs, film);
      const uuid = await theirs.start(upload(film, { ...SLOW, destination_root: "/second" }));
      await theirs.midway(uuid);
      const picked = theirs.first("showSelectFileDialog", {});
      const picker = await there.browser.window("picker");
      await here.browser.kill();
      await picker.enter("#path-input", notes);
      assert.equal((await picked).ok.dataTransfer.files[0].name, notes);
      await theirs.reaches(uuid, "completed");
      const agents = here.machine.processes().filter((each) => each.name === "godwit-agent");
      assert.equal(agents.length, 1);
    });
  });
}
