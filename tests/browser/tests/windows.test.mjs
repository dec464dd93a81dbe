// @ts-check
// Every window and state, as people with and without eyes meet it: no fault by WCAG 2.2 AA, in light and dark.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { walk } from "../harness/keys.mjs";
import { look, lookForced } from "../harness/look.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

const WIDE = { width: 960, height: 680 };
const POPUP = { width: 420, height: 580 };
const DIALOG = { width: 580, height: 540 };

inEachBrowser("windows", (name) => {
  const world = new World(name);
  const folder = path.join(world.machine.files, "Footage");
  const film = path.join(folder, "Reel 07, take 3.mov");
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  before(async () => {
    fs.mkdirSync(path.join(folder, "Proxies"), { recursive: true });
    makeRandomFile(film, 30_000_000);
    for (const each of ["Notes.txt", "Sound.wav", "Stills.zip"]) makeRandomFile(path.join(folder, each), 40_000);
    await world.start();
    site = await world.openSite();
  });
  after(() => world.end());

  /** @param {string} kind @param {string} as @param {{width: number, height: number}} size */
  const see = async (kind, as, size) => {
    const window = await world.browser.open(kind);
    await look(window, name, as, size);
    await window.close();
  };
  /** @param {object} more */
  const upload = (more) => ({ ...world.server.spec(), direction: "send", paths: [{ source: film }], destination_root: "/in", create_dir: true, ...more });

  test("the question whether a site may use Godwit, and the file dialog that follows", async () => {
    const picked = site.first("showSelectFileDialog", { title: "Choose footage", allowMultipleSelection: true });
    const consent = await world.browser.window("consent");
    await until("the buttons wake up", () => consent.evaluate(() => !(/** @type {any} */ (document.querySelector("#allow-always")).disabled)));
    await look(consent, name, "consent", DIALOG);
    await walk(consent);
    await consent.click("#allow-always");
    const picker = await world.browser.window("picker");
    await picker.goTo(folder);
    await picker.click('#list [data-name="Sound.wav"]');
    await look(picker, name, "picker", { width: 900, height: 640 });
    await walk(picker);
    await picker.enter("#path-input", film);
    await world.browser.noWindow("picker");
    await picked;
  });

  test("an empty list", async () => {
    await see("activity", "activity-empty", WIDE);
  });

  test("the question about an unknown server certificate", async () => {
    const { sshfp, ...spec } = /** @type {any} */ (upload({}));
    const started = site.start(spec);
    const window = await world.browser.window("certificate");
    await until("the buttons wake up", () => window.evaluate(() => !(/** @type {any} */ (document.querySelector("#allow-once")).disabled)));
    await look(window, name, "certificate", DIALOG);
    await walk(window);
    await window.click("#deny");
    await site.reaches(await started, "failed");
  });

  test("a server whose certificate was confirmed for good is listed, and once forgotten it is asked about again", async () => {
    const { sshfp, ...spec } = /** @type {any} */ (upload({ destination_root: "/known", paths: [{ source: path.join(folder, "Sound.wav") }] }));
    await world.pickFile(site, path.join(folder, "Sound.wav"));
    const first = await site.start(spec);
    await (await world.browser.window("certificate")).click("#allow-always");
    await site.reaches(first, "completed");
    const preferences = await world.browser.open("preferences");
    const entry = `#servers [data-name="127.0.0.1:${world.server.port}"]`;
    await until("the server is listed", () => preferences.evaluate((s) => document.querySelector(s) !== null, entry));
    assert.ok((await preferences.text(entry)).includes(world.server.fingerprint), "with what was confirmed");
    await preferences.evaluate((s) => document.querySelector(s)?.scrollIntoView({ block: "center" }), entry);
    await look(preferences, name, "preferences-servers", WIDE);
    await preferences.click(`${entry} .forget`);
    await until("it is gone from the list", () => preferences.evaluate((s) => document.querySelector(s) === null, entry));
    await preferences.close();
    const second = await site.start({ ...spec, destination_root: "/asked" });
    const window = await world.browser.window("certificate");
    await window.click("#deny");
    await site.reaches(second, "failed");
    for (const uuid of [first, second]) await site.last("removeTransfer", uuid);
  });

  test("running, stopped, failed and finished transfers in popup and activity window", async () => {
    await site.reaches(await site.start(upload({})), "completed");
    await site.reaches(await site.start(upload({ remote_password: "wrong" }), { allow_dialogs: false }), "failed");
    const slow = await site.start(upload({ destination_root: "/slow", rate_policy: "fixed", target_rate_kbps: 4_000 }));
    await site.midway(slow);
    await see("popup", "popup-transfers", POPUP);
    const activity = await world.browser.open("activity");
    await until("they are listed", () => activity.evaluate(() => document.querySelectorAll("[data-uuid]").length >= 3));
    await look(activity, name, "activity-transfers", WIDE);
    await activity.click('[data-status="failed"] .title');
    await until("the details are shown", () => activity.shows("#details .fault"));
    await look(activity, name, "activity-details", WIDE);
    await activity.evaluate(() => document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "a", ctrlKey: true, bubbles: true, cancelable: true })));
    await until("the bar for several is shown", () => activity.shows("#bulk"));
    await look(activity, name, "activity-several", WIDE);
    await activity.click('[data-status="failed"] .title');
    await until("the details are shown again", () => activity.shows("#details .fault"));
    await walk(activity);
    await activity.close();
  });

  test("every part, also in the user's own colours and written from the right", async () => {
    const gallery = await world.browser.open("gallery");
    const size = { width: 1180, height: 1500 };
    await look(gallery, name, "gallery", size);
    await gallery.evaluate(() => (document.documentElement.dir = "rtl"));
    await look(gallery, name, "gallery-rtl", size);
    await gallery.evaluate(() => (document.documentElement.dir = "ltr"));
    if (name === "chromium") {
      const session = await gallery.page.createCDPSession();
      await session.send("Emulation.setEmulatedMedia", { features: [{ name: "forced-colors", value: "active" }] });
      await lookForced(gallery, name, "gallery-forced", size);
    }
    await gallery.close();
  });
});
