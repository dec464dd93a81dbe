// @ts-check
// The window with all transfers: found, filtered, chosen and handled by keyboard, with an error's remedy.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { look } from "../harness/look.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { TRANSFER, until } from "../harness/wait.mjs";

inEachBrowser("activity", (name) => {
  const world = new World(name);
  const [film, notes] = ["film.bin", "notes.txt"].map((file) => path.join(world.machine.files, file));
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  /** @type {string} */
  let done;
  /** @type {string} */
  let failed;
  /** @type {string} */
  let slow;
  /** @type {import("../harness/window.mjs").ExtensionWindow} */
  let activity;

  before(async () => {
    makeRandomFile(/** @type {string} */ (film), 48_000_000);
    makeRandomFile(/** @type {string} */ (notes), 1_000);
    await world.start();
    site = await world.openSite();
    await world.pickAfterConsent(site, [/** @type {string} */ (film)]);
    await world.pickFile(site, /** @type {string} */ (notes));
    const upload = (/** @type {string | undefined} */ source, /** @type {object} */ more, settings = {}) =>
      site.start({ ...world.server.spec(), direction: "send", paths: [{ source }], destination_root: "/in", create_dir: true, ...more }, settings);
    done = await upload(notes, {});
    await site.reaches(done, "completed");
    failed = await upload(notes, { remote_password: "wrong" }, { allow_dialogs: false });
    await site.reaches(failed, "failed");
    slow = await upload(film, { rate_policy: "fixed", target_rate_kbps: 4_000 });
    await site.midway(slow);
    activity = await world.browser.open("activity");
    await until("all three are listed", async () => (await shown()).length === 3);
  });
  after(() => world.end());

  /** Ids of the rows in the window, from top to bottom. @returns {Promise<string[]>} */
  const shown = () =>
    activity.evaluate(() => [...document.querySelectorAll("#transfers [data-uuid]")].map((row) => row.getAttribute("data-uuid") ?? ""));
  /** @param {string} selector @param {string} value @param {string} type */
  const choose = (selector, value, type) =>
    activity.evaluate(
      (s, v, t) => {
        const field = /** @type {HTMLInputElement} */ (document.querySelector(s));
        field.value = v;
        field.dispatchEvent(new Event(t, { bubbles: true }));
      },
      selector,
      value,
      type,
    );
  const focused = () => activity.evaluate(() => document.activeElement?.getAttribute("data-uuid"));

  test("groups, search and order show what was asked for, with counts", async () => {
    assert.deepEqual(await shown(), [slow, failed, done], "the newest is first");
    await activity.click('[data-group="trouble"]');
    await until("only the failed one is shown", async () => String(await shown()) === failed);
    assert.match(await activity.text('[data-group="done"]'), /1$/);
    await activity.click('[data-group="all"]');
    await choose("#search", "film", "input");
    await until("only the film is shown", async () => String(await shown()) === slow);
    await choose("#search", "no such thing", "input");
    await until("the window says that nothing fits", () => activity.shows("#nothing"));
    await activity.click("#clear-filter");
    await choose("#sort", "oldest", "change");
    await until("the oldest is first", async () => (await shown())[0] === done);
    await choose("#sort", "newest", "change");
    await until("the newest is first again", async () => (await shown())[0] === slow);
  });

  test("a window that is opened later shows the group and the order that were chosen last", async () => {
    await activity.click('[data-group="trouble"]');
    await choose("#sort", "oldest", "change");
    const later = await world.browser.open("activity");
    const chosen = () =>
      later.evaluate(() => [
        document.querySelector("#groups [aria-checked=true]")?.getAttribute("data-group"),
        /** @type {HTMLSelectElement | null} */ (document.querySelector("#sort"))?.value,
        ...[...document.querySelectorAll("#transfers [data-uuid]")].map((row) => row.getAttribute("data-uuid")),
      ]);
    await until("it does", async () => (await chosen()).join() === ["trouble", "oldest", failed].join());
    await later.close();
    await activity.click('[data-group="all"]');
    await choose("#sort", "newest", "change");
    await until("all are shown again", async () => String(await shown()) === String([slow, failed, done]));
  });

  test("the details of a failed transfer name cause, next step and number", async () => {
    await activity.click(`[data-uuid="${failed}"] .title`);
    await until("the details are shown", () => activity.shows("#details .fault"));
    const text = await activity.text("#details");
    assert.match(text, /19/);
    assert.match(text, /access|Zugang/, "the next step");
    assert.ok(!text.includes("wrong"), "no password");
  });

  test("the details tell the files that ended, what the site asked for, and what the log says, without a secret", async () => {
    await activity.click(`[data-uuid="${done}"] .title`);
    await activity.click('[data-more="files"] summary');
    await until("its file is listed", async () => /\.(bin|txt)/.test(await activity.text('[data-more="files"] li.completed .path')));
    await activity.click('[data-more="record"] summary');
    await until("request and log are there", async () => {
      const text = await activity.text('[data-more="record"]');
      return text.includes('"remote_host": "127.0.0.1"') && text.includes("transfer completed");
    });
    const text = await activity.text("#details");
    assert.ok(!text.includes(world.server.password), "no password");
    await look(activity, name, "activity-record", { width: 960, height: 900 });
    for (const more of ["files", "record"]) await activity.click(`[data-more="${more}"] summary`);
  });

  test("a window hears of a transfer at most four times a second", async () => {
    // A second port of this window gets just what the window itself gets.
    await activity.evaluate((uuid) => {
      const seen = { times: /** @type {number[]} */ ([]), bytes: /** @type {number[]} */ ([]) };
      /** @type {any} */ (globalThis).heard = seen;
      const port = /** @type {any} */ (globalThis).chrome.runtime.connect({ name: "view" });
      port.onMessage.addListener((/** @type {any} */ { event, data }) => {
        const view = event === "changed" && data.changed.find((/** @type {any} */ each) => each.uuid === uuid);
        if (!view) return;
        seen.times.push(performance.now());
        seen.bytes.push(view.bytes_written);
      });
      port.postMessage({ id: 1, kind: "follow" });
    }, slow);
    const heard = () => activity.evaluate(() => /** @type {{times: number[], bytes: number[]}} */ (/** @type {any} */ (globalThis).heard));
    await until("it has heard of it many times", async () => (await heard()).times.length > 20);
    const { times, bytes } = await heard();
    const seconds = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1000;
    // The first was sent before the clock began; what was late makes the time longer, never the number larger.
    assert.ok(times.length - 1 <= 4 * seconds + 2, `${times.length} in ${seconds.toFixed(1)} s`);
    assert.ok((bytes.at(-1) ?? 0) > (bytes[0] ?? 0), "and each brings news");
  });

  test("keys alone walk the list, choose several, and the bar acts on all of them", async () => {
    await activity.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#transfers [tabindex='0']")).focus());
    await activity.press("Home");
    assert.equal(await focused(), slow);
    await activity.press("ArrowDown");
    assert.equal(await focused(), failed);
    await activity.evaluate(() =>
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "End", shiftKey: true, bubbles: true, cancelable: true })),
    );
    await until("two are chosen", () => activity.shows("#bulk"));
    await activity.click('#bulk [data-bulk="remove"]');
    await until("both have left the list, without a question: neither was running", async () => String(await shown()) === slow);
    await until("the focus is on the row that is left", async () => (await focused()) === slow);
  });

  test("a running transfer is removed only after a question that Escape answers with no", async () => {
    await activity.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#transfers [tabindex='0']")).focus());
    await activity.press("Home");
    await activity.press("Delete");
    await until("the question is asked", () => activity.shows("#confirm"));
    await activity.press("Escape");
    await until("the question is gone", async () => !(await activity.shows("#confirm")));
    assert.deepEqual(await shown(), [slow]);
    await activity.press("Delete");
    await until("the question is asked again", () => activity.shows("#confirm"));
    // Cancelled and asked again so fast that the browser has not yet told the page of the cancelling.
    await activity.evaluate(async () => {
      const question = /** @type {HTMLDialogElement} */ (document.querySelector("#confirm"));
      const told = new Promise((resolve) => question.addEventListener("close", resolve, { once: true }));
      question.close("no");
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "Delete", bubbles: true, cancelable: true }));
      await told;
    });
    assert.ok(await activity.shows("#confirm"), "the question is asked a third time");
    assert.deepEqual(await shown(), [slow]);
    await activity.click("#confirm [value=yes]");
    await until("it has left the list", async () => (await shown()).length === 0 && (await activity.shows("#empty")));
  });

  test("a long list has the right rows in sight while it is scrolled, and in order when it stands still", async () => {
    const seen = await activity.evaluate(async () => {
      const { VirtualList } = await import(new URL("../ui/virtual-list.js", location.href).href);
      const scroller = document.createElement("div");
      scroller.style.cssText = "position:fixed;inset:0;overflow-y:auto;z-index:9";
      const grid = document.createElement("div");
      grid.className = "virtual";
      scroller.append(grid);
      document.body.append(scroller);
      const list = new VirtualList(scroller, grid, 84, {
        count: () => 10_000,
        key: (/** @type {number} */ index) => `k${index}`,
        has: () => true,
        orphaned: () => {},
        make: (/** @type {number} */ index) => {
          const element = document.createElement("div");
          element.className = "transfer";
          element.textContent = String(index);
          return { element, show: (/** @type {number} */ now) => (element.textContent = String(now)) };
        },
        place: () => {},
      });
      list.show();
      const rows = () => /** @type {HTMLElement[]} */ ([...grid.children]).map((row) => Number(row.textContent));
      const wrong = [];
      for (const top of [500, 2_000, 1_700, 400_000, 399_000, 839_000, 3_000]) {
        scroller.scrollTop = top;
        await new Promise((done) => scroller.addEventListener("scroll", done, { once: true }));
        const inside = Math.min(scroller.scrollTop + scroller.clientHeight, 10_000 * 84) - 1;
        for (let y = scroller.scrollTop; y < inside; y += 84) if (!rows().includes(Math.floor(y / 84))) wrong.push([top, y]);
        for (const row of /** @type {HTMLElement[]} */ ([...grid.children])) {
          const at = row.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
          if (Math.abs(at - Number(row.textContent) * 84) > 1) wrong.push([top, row.textContent, at]);
        }
      }
      const end = Date.now() + 10_000;
      const ordered = () => rows().every((row, i, all) => i === 0 || row === (all[i - 1] ?? 0) + 1);
      while (!ordered() && Date.now() < end) await new Promise((done) => setTimeout(done, 50));
      const result = { wrong, ordered: ordered(), count: grid.children.length };
      scroller.remove();
      return result;
    });
    assert.deepEqual(seen.wrong, []);
    assert.ok(seen.ordered, "the order in the document is the order read aloud");
    assert.ok(seen.count < 60, `${seen.count} rows are in the document`);
  });

  test("nothing is sent to the browser while no window is open", async () => {
    const spec = { ...world.server.spec(), direction: "send", paths: [{ source: film }], destination_root: "/quiet", create_dir: true };
    const uuid = await site.start({ ...spec, rate_policy: "fixed", target_rate_kbps: 4_000 });
    await site.midway(uuid);
    const moved = () => world.machine.status().transfers.find((/** @type {any} */ each) => each.uuid === uuid).bytes_written;
    /** Bytes that hosts write, to the browser for the most part; a browser with nothing to do may have ended its host. */
    const written = () => {
      const hosts = world.machine.processes().filter((each) => each.name === "godwit-host");
      const files = hosts.map(({ pid }) => fs.readFileSync(`/proc/${pid}/io`, "utf8"));
      return files.reduce((sum, text) => sum + Number(/^wchar: (\d+)/m.exec(text)?.[1]), 0);
    };
    /** What is written while another half megabyte of the transfer goes by. */
    const spoken = async () => {
      const [before, from] = [written(), moved()];
      await until("the transfer goes on", () => moved() > from + 500_000);
      return Math.max(0, written() - before);
    };
    // The page hears of its transfers too.
    await site.page.goto("about:blank");
    assert.ok((await spoken()) > 0, "the window hears of it");
    await activity.close();
    await until("nothing is written any more", async () => (await spoken()) === 0, TRANSFER);
  });
});
