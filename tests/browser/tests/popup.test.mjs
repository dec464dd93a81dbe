// @ts-check
// The toolbar's panel and what follows from it: first steps, slow mode, the order of the queue, notifications, diagnostics.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import path from "node:path";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

/** True if the toolbar button has this text. @param {string} key */
const buttonSays = async (key) => {
  const { action, i18n } = /** @type {any} */ (globalThis).chrome;
  return (await action.getTitle({})) === i18n.getMessage(key);
};
const SIZE = { width: 420, height: 580 };

inEachBrowser("popup", (name) => {
  const world = new World(name);
  const [film, notes] = ["film.bin", "notes.txt"].map((file) => path.join(world.machine.files, file));
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  /** @type {import("../harness/window.mjs").ExtensionWindow} */
  let popup;

  before(async () => {
    makeRandomFile(/** @type {string} */ (film), 48_000_000);
    makeRandomFile(/** @type {string} */ (notes), 1_000);
    await world.start();
    site = await world.openSite();
    popup = await world.browser.open("popup");
  });
  after(() => world.end());

  const upload = (/** @type {string | undefined} */ source, /** @type {object} */ more = {}) =>
    site.start({ ...world.server.spec(), direction: "send", paths: [{ source }], destination_root: "/in", create_dir: true, ...more });
  const pressed = () => popup.evaluate(() => document.querySelector("#slow")?.getAttribute("aria-pressed"));

  test("the first time it says what to do, once", async () => {
    await until("the first steps are shown", () => popup.shows("#welcome"));
    await look(popup, name, "popup-welcome", SIZE);
    await popup.click("#welcome-done");
    await until("the empty list is shown", () => popup.shows("#empty"));
    await popup.close();
    popup = await world.browser.open("popup");
    await until("it is not said again", () => popup.shows("#empty"));
    assert.equal(await popup.shows("#welcome"), false);
    await look(popup, name, "popup-empty", SIZE);
  });

  test("one click turns slow mode on, another off, and without limits it says so", async () => {
    await until("the button is there", () => popup.shows("#slow"));
    await popup.click("#slow");
    await until("it is pressed", async () => (await pressed()) === "true");
    await until("it says that there are no limits", () => popup.shows("#slow-note"));
    await until("the toolbar button says so", () => popup.evaluate(buttonSays, "buttonSlow"));
    await look(popup, name, "popup-slow", SIZE);
    await walk(popup);
    const preferences = await world.browser.open("preferences");
    await until("the preferences agree", () => preferences.evaluate(() => /** @type {HTMLInputElement} */ (document.querySelector("#set-bandwidth-slow-mode")).checked));
    await preferences.fill("#set-bandwidth-background-uploads-kbps", "4");
    await until("the note is gone", async () => !(await popup.shows("#slow-note")));
    await popup.click("#slow");
    await until("it is off", async () => (await pressed()) === "false");
    await until("the preferences agree again", () => preferences.evaluate(() => !(/** @type {HTMLInputElement} */ (document.querySelector("#set-bandwidth-slow-mode")).checked)));
    await preferences.fill("#set-queue-active", "1");
    await until("the queue is narrow", async () => (await preferences.evaluate(() => document.querySelector('[data-setting="queue.active"] .reset')?.checkVisibility({ visibilityProperty: true }))) === true);
    await preferences.close();
  });

  test("who waits can be put elsewhere in the queue, by menu and by keys", async () => {
    await world.pickAfterConsent(site, [/** @type {string} */ (film)]);
    await world.pickFile(site, /** @type {string} */ (notes));
    const running = await upload(film, { rate_policy: "fixed", target_rate_kbps: 4_000 });
    await site.midway(running);
    const waiting = [await upload(notes, { title: "first" }), await upload(notes, { title: "second" }), await upload(notes, { title: "third" })];
    const activity = await world.browser.open("activity");
    await activity.fill("#sort", "state");
    const order = () => activity.evaluate(() => [...document.querySelectorAll('#transfers [data-status="queued"]')].map((row) => row.getAttribute("data-uuid") ?? ""));
    await until("three wait in the order in which they came", async () => String(await order()) === String(waiting));
    await activity.click(`[data-uuid="${waiting[2]}"] .title`);
    await activity.evaluate((s) => document.querySelector(s)?.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 100, clientY: 100 })), `[data-uuid="${waiting[2]}"]`);
    await until("the menu is open", () => activity.shows("#menu button"));
    await look(activity, name, "activity-menu", { width: 960, height: 680 });
    await activity.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('#menu [data-icon="first"]')?.closest("button")).click());
    await until("the third is the first", async () => String(await order()) === String([waiting[2], waiting[0], waiting[1]]));
    await activity.evaluate(() => document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", altKey: true, bubbles: true, cancelable: true })));
    await until("one place later", async () => String(await order()) === String([waiting[0], waiting[2], waiting[1]]));
    await walk(activity);
    for (const uuid of waiting) await site.last("removeTransfer", uuid);
    await site.last("removeTransfer", running);
    await until("the list is empty", () => activity.shows("#empty"));
    await activity.close();
  });

  test("several transfers that end make one notification, and none once muted", async () => {
    const notes_ = () => popup.evaluate(async () => Object.keys(/** @type {any} */ (globalThis).chrome.notifications ? await /** @type {any} */ (globalThis).chrome.notifications.getAll() : { "godwit-ended": true }));
    const preferences = await world.browser.open("preferences");
    await preferences.fill("#set-notifications-finished", false);
    await until("muted", () => preferences.evaluate(() => document.querySelector('[data-setting="notifications.finished"] .reset')?.checkVisibility({ visibilityProperty: true })));
    await site.reaches(await upload(notes), "completed");
    assert.deepEqual((await notes_()).filter((id) => id === "godwit-ended"), []);
    await preferences.fill("#set-notifications-finished", true);
    await until("heard again", () => preferences.evaluate(() => !document.querySelector('[data-setting="notifications.finished"] .reset')?.checkVisibility({ visibilityProperty: true })));
    for (const uuid of [await upload(notes, { destination_root: "/a" }), await upload(notes, { destination_root: "/b" })]) await site.reaches(uuid, "completed");
    await until("one note", async () => (await notes_()).filter((id) => id === "godwit-ended").length === 1);
    await preferences.close();
  });

  test("all transfers are paused with one click, and each is resumed by itself", async () => {
    const running = await upload(film, { rate_policy: "fixed", target_rate_kbps: 4_000 });
    await site.midway(running);
    const waiting = await upload(notes, { title: "waits" });
    const state = async (/** @type {string} */ uuid) => (await popup.row(uuid))?.status;
    await until("both are listed", async () => (await state(running)) === "running" && (await state(waiting)) === "queued");
    await until("there is something to pause", () => popup.shows("#pause-all"));
    await popup.click("#pause-all");
    for (const uuid of [running, waiting]) await until("it is paused", async () => (await state(uuid)) === "cancelled");
    await until("there is nothing left to pause", async () => !(await popup.shows("#pause-all")));
    for (const uuid of [running, waiting]) assert.equal((await site.last("getTransfer", uuid)).ok.transfer_info.status, "cancelled", "the page hears of it");
    await look(popup, name, "popup-paused", SIZE);
    await popup.click(`[data-uuid="${waiting}"] .resume`);
    await site.reaches(waiting, "completed");
    assert.equal(await state(running), "cancelled", "the other stays where it was");
    for (const uuid of [running, waiting]) {
      await site.last("removeTransfer", uuid);
      await until("it has left the list", async () => (await popup.row(uuid)) === null);
    }
  });

  test("the about window names every part, where the manifest is, and gives a report", async () => {
    const about = await world.browser.open("about");
    for (const id of ["version-extension", "version-host", "version-agent"]) assert.match(await about.text(`#${id}`), /^\d+\.\d+/, id);
    assert.match(await about.text('[data-fact="factManifest"]'), /io\.godwit\.host\.json$/);
    assert.match(await about.text('[data-fact="factAgent"]'), /\d/);
    await look(about, name, "about", { width: 620, height: 820 });
    await walk(about);
    await about.close();
  });

  test("a server is tested over UDP and TCP, and a port where nobody answers is told", async () => {
    const about = await world.browser.open("about");
    const run = async (/** @type {number} */ udp) => {
      const before = await about.evaluate(() => document.querySelector("#test-result")?.getAttribute("data-done") ?? "0");
      await about.fill("#test-host", "127.0.0.1");
      await about.fill("#test-udp", String(udp));
      await about.fill("#test-tcp", String(world.server.tcpPort));
      await about.click("#test-run");
      await until("the result is there", () => about.evaluate((last) => document.querySelector("#test-result")?.getAttribute("data-done") !== last && document.querySelector(".verdict") !== null, before), 60_000);
      return about.evaluate(() => ({
        verdict: document.querySelector(".verdict")?.getAttribute("data-verdict"),
        ports: [...document.querySelectorAll("[data-port]")].map((each) => each.getAttribute("data-reached")),
      }));
    };
    assert.deepEqual(await run(world.server.port), { verdict: "serverTestGood", ports: ["true", "true"] });
    await look(about, name, "about-server-test", { width: 620, height: 900 });
    // The port for echoes of old: nobody has it open.
    assert.deepEqual(await run(7), { verdict: "serverTestBlocked", ports: ["false", "true"] });
    await about.close();
  });
});
