// @ts-check
// The transfer monitor: opened by the page and from the list, moved by keys, typed and dragged, locked, and after the end.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import path from "node:path";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

const SIZE = { width: 900, height: 720 };

inEachBrowser("monitor", (name) => {
  const world = new World(name);
  const film = path.join(world.machine.files, "film.bin");
  const notes = path.join(world.machine.files, "notes.txt");
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  /** @type {string} */
  let slow;
  /** @type {import("../harness/window.mjs").ExtensionWindow} */
  let monitor;

  before(async () => {
    makeRandomFile(film, 64_000_000);
    makeRandomFile(notes, 1_000);
    await world.start();
    site = await world.openSite();
    await world.pickAfterConsent(site, [film]);
    await world.pickFile(site, notes);
  });
  after(() => world.end());

  const upload = (/** @type {string} */ source, /** @type {object} */ more) =>
    site.start({ ...world.server.spec(), direction: "send", paths: [{ source }], destination_root: "/in", create_dir: true, ...more });
  const target = async () => (await site.last("getTransfer", slow)).ok?.transfer_info?.transfer_spec?.target_rate_kbps;
  const line = (/** @type {string} */ which) =>
    monitor.evaluate((s) => document.querySelector(s)?.getAttribute("aria-valuenow"), `.rate-line.${which}`);

  test("a page opens it for its transfer, and it shows rate, limits and time left", async () => {
    slow = await upload(film, { rate_policy: "fixed", target_rate_kbps: 8_000 });
    await site.midway(slow);
    const opened = await site.last("showTransferMonitor", slow);
    assert.equal(opened.error, undefined);
    monitor = await world.browser.window("monitor");
    assert.match(await monitor.text("#title"), /film\.bin/);
    await until("the graph has a summary with the rate", async () => /bit\/s/.test(await monitor.evaluate(() => document.querySelector("#graph")?.getAttribute("aria-label") ?? "")));
    await until("the line of the target is there", async () => (await line("target")) === "8000");
    await until("the time left is told", async () => (await monitor.text("#left")) !== "");
    assert.equal(await monitor.value("#policy"), "fixed");
    await until("several samples are drawn", async () => /\d/.test(await monitor.text('[data-figure="figurePeak"] dd')));
    await look(monitor, name, "monitor-running", SIZE);
  });

  test("a typed target and a chosen policy hold at once", async () => {
    await monitor.fill("#target", "9");
    await until("the page reads the new target", async () => (await target()) === 9_000);
    await until("the line follows", async () => (await line("target")) === "9000");
    await monitor.fill("#policy", "high");
    await until("the page reads the new policy", async () => (await site.last("getTransfer", slow)).ok?.transfer_info?.transfer_spec?.rate_policy === "high");
  });

  test("the line is moved by keys and by dragging", async () => {
    await monitor.evaluate(() => /** @type {HTMLElement} */ (document.querySelector(".rate-line.target")).focus());
    await monitor.press("ArrowUp");
    await until("a tenth more", async () => (await target()) === 9_900);
    await monitor.evaluate(() => {
      const handle = /** @type {HTMLElement} */ (document.querySelector(".rate-line.target"));
      // No real pointer has this number.
      handle.setPointerCapture = () => {};
      const graph = /** @type {Element} */ (document.querySelector(".u-over")).getBoundingClientRect();
      const at = (/** @type {string} */ type, /** @type {number} */ clientY) =>
        handle.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true, pointerId: 1, button: 0, clientX: graph.left + 50, clientY }));
      at("pointerdown", handle.getBoundingClientRect().top);
      at("pointermove", graph.top + graph.height / 2);
      at("pointerup", graph.top + graph.height / 2);
    });
    const before = 9_900;
    await until("another target", async () => {
      const now = Number(await target());
      return now !== before && now > 1_000 && now < before;
    });
  });

  test("a page's own change is seen without asking", async () => {
    await site.last("modifyTransfer", slow, { target_rate_kbps: 6_000 });
    await until("the line shows it", async () => (await line("target")) === "6000");
    await until("the field shows it", async () => (await monitor.value("#target")) === "6");
  });

  test("what the site locked is shown locked and cannot be moved", async () => {
    await site.last("modifyTransfer", slow, { lock_target_rate: true });
    await until("the field is disabled", () => monitor.evaluate(() => /** @type {HTMLInputElement} */ (document.querySelector("#target")).disabled));
    assert.ok(await monitor.shows('[data-limit="target"] .lock'));
    assert.ok(await monitor.shows(".limit-notes li"), "the reason");
    await monitor.evaluate(() => /** @type {HTMLElement} */ (document.querySelector(".rate-line.target")).focus());
    await monitor.press("ArrowUp");
    assert.equal(await line("target"), "6000");
    await site.last("modifyTransfer", slow, { lock_target_rate: false });
    await until("the field is free again", () => monitor.evaluate(() => !(/** @type {HTMLInputElement} */ (document.querySelector("#target")).disabled)));
  });

  test("every part can be reached by Tab alone", () => walk(monitor));

  test("after the end it still shows how it went", async () => {
    await monitor.click("#stop");
    await until("it can be resumed", () => monitor.shows("#resume"));
    const short = await upload(notes, {});
    await site.reaches(short, "completed");
    await site.last("showTransferMonitor", short);
    await until("the window shows the other", async () => /notes\.txt/.test(await monitor.text("#title")));
    await until("its session is listed", () => monitor.shows("#sessions tr"));
    await until("its file is listed", async () => /notes\.txt/.test(await monitor.text("#files")));
    await look(monitor, name, "monitor-finished", SIZE);
    await site.last("removeTransfer", short);
    await until("the window says that it is gone", () => monitor.shows("#gone"));
    await monitor.close();
  });
});
