// @ts-check
// Files and folders dropped on a page's target, with the vendor's SDK as it is.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

inEachBrowser("drop", (name) => {
  const world = new World(name);
  const folder = path.join(world.machine.home, "Videos", "Rushes");
  const take = path.join(folder, "take one.mov");

  before(async () => {
    fs.mkdirSync(path.join(folder, "day 1"), { recursive: true });
    fs.writeFileSync(take, "the first take");
    fs.writeFileSync(path.join(folder, "day 1", "inside.mov"), "in a folder");
    fs.writeFileSync(path.join(world.machine.files, "known.txt"), "known");
    await world.start();
    await world.pickAfterConsent(await world.openSite(), [path.join(world.machine.files, "known.txt")]);
  });
  after(() => world.end());

  /** A page whose element #target takes drops. */
  async function siteWithTarget() {
    const site = await world.browser.site(world.pages.address);
    await site.page.evaluate(() => {
      const { AW4, site } = /** @type {any} */ (globalThis);
      const target = document.createElement("div");
      target.id = "target";
      target.style.cssText = "position: fixed; left: 0; top: 0; width: 400px; height: 400px";
      document.body.append(target);
      site.connect = new AW4.Connect({ minVersion: "3.9.0", dragDropEnabled: true });
      site.connect.initSession("ZHJvcC10ZXN0cy1vZi1Hb2R3aXQtOTg0NzEtbG9uZw==");
      site.connect.addEventListener(AW4.Connect.EVENT.TRANSFER, (/** @type {any} */ _type, /** @type {any} */ data) => {
        for (const info of data.transfers) site.transfers[info.uuid] = info;
      });
      site.drops = [];
      site.connect.setDragDropTargets("#target", { drop: true }, (/** @type {any} */ { files }) => site.drops.push(files));
    });
    await site.running();
    return site;
  }

  /** What the page's listener heard of a drop. @param {import("../harness/site.mjs").Site} site */
  const heard = (site) =>
    until("the page hears of the drop", () => site.page.evaluate(() => /** @type {any} */ (globalThis).site.drops.shift()?.dataTransfer.files));

  /** @param {import("../harness/site.mjs").Site} site @param {string} source */
  const upload = (site, source) =>
    site.last("startTransfer", { ...world.server.spec(), direction: "send", destination_root: "/", paths: [{ source }] }, {});

  test("a file that is dropped on the page is uploaded after one confirmation that shows where it is", async () => {
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [take]);
    const window = await world.browser.window("drop");
    assert.equal(await window.text("#origin"), new URL(world.pages.address).origin);
    assert.equal(await window.text("#paths [data-path]"), take);
    await look(window, name, "drop", { width: 620, height: 480 });
    await walk(window);
    await window.click("#allow");
    await world.browser.noWindow("drop");
    const [file] = await heard(site);
    assert.deepEqual([file.name, file.size], [take, 14]);
    const answer = await upload(site, file.name);
    assert.ok(answer.ok, JSON.stringify(answer.error));
    await site.reaches(answer.ok.transfer_specs[0].uuid, "completed");
    assert.equal(fs.readFileSync(path.join(world.machine.docroot, "take one.mov"), "utf8"), "the first take");
  });

  test("whoever does not mean these files chooses others, and only those are given", async () => {
    const other = path.join(folder, "other.mov");
    fs.writeFileSync(other, "another one");
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [take]);
    await (await world.browser.window("drop")).click("#browse");
    const picker = await world.browser.window("picker");
    await until("the picker shows the folder of what was found", () =>
      picker.evaluate((f) => document.body.dataset.path === f, folder),
    );
    assert.equal(await picker.evaluate(() => document.querySelector('#list [aria-selected="true"]')?.getAttribute("data-name")), "take one.mov");
    await picker.enter("#path-input", other);
    await world.browser.noWindow("picker");
    assert.deepEqual((await heard(site)).map((/** @type {{name: string}} */ file) => file.name), [other]);
  });

  test("of two equal files the user shows the right one", async () => {
    const [one, two] = ["one", "two"].map((each) => path.join(world.machine.home, "Copies", each, "same.mov"));
    fs.mkdirSync(path.dirname(one), { recursive: true });
    fs.mkdirSync(path.dirname(two), { recursive: true });
    fs.writeFileSync(one, "twice there");
    fs.copyFileSync(one, two);
    fs.utimesSync(two, fs.statSync(one).atime, fs.statSync(one).mtime);
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [one]);
    const picker = await world.browser.window("picker");
    assert.match((await picker.text("#site-title")) ?? "", /[“„]same\.mov[”“]/);
    await picker.enter("#path-input", two);
    await world.browser.noWindow("picker");
    assert.equal((await heard(site))[0].name, two);
  });

  test("a page that claims a drop which the browser did not make gets a dialog, no file, and no hint whether there is one", async () => {
    const site = await siteWithTarget();
    const { size, mtime } = fs.statSync(take);
    const known = { name: "take one.mov", size, type: "video/quicktime", lastModifiedDate: mtime.toISOString() };
    const unknown = { ...known, name: "no such thing.mov" };
    const answers = [];
    for (const claim of [known, unknown]) {
      const asked = site.page.evaluate(
        (file) =>
          new Promise((done) => {
            const { connect } = /** @type {any} */ (globalThis).site;
            const callbacks = { success: (/** @type {any} */ ok) => done({ ok }), error: (/** @type {any} */ error) => done({ error }) };
            connect.getDroppedFiles({ dataTransfer: { files: [file] } }, callbacks);
          }),
        claim,
      );
      const picker = await world.browser.window("picker");
      assert.equal((await world.browser.windows("drop")).length, 0);
      await picker.click("#cancel");
      await world.browser.noWindow("picker");
      answers.push(await asked);
    }
    assert.deepEqual(answers[0], { ok: { dataTransfer: { files: [] } } });
    assert.deepEqual(answers[1], answers[0]);
    assert.equal((await upload(await siteWithTarget(), path.join(folder, "day 1", "inside.mov"))).error.error.code, 406);
  });

  test("an event that the page itself makes is no drop", async () => {
    const site = await siteWithTarget();
    const { size, mtimeMs } = fs.statSync(take);
    await site.page.evaluate(
      (length, lastModified) => {
        const data = new DataTransfer();
        data.items.add(new File(["x".repeat(length)], "take one.mov", { lastModified }));
        const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
        document.querySelector("#target")?.dispatchEvent(event);
      },
      size,
      Math.floor(mtimeMs),
    );
    const picker = await world.browser.window("picker");
    assert.equal((await world.browser.windows("drop")).length, 0);
    await picker.click("#cancel");
    assert.deepEqual(await heard(site), []);
  });

  test("content that is no file here is copied out of the browser once the user agrees, uploaded under its name, and gone then", async () => {
    // Two pieces; outside of the home folder nothing is looked for.
    const photo = path.join(world.machine.made("another program"), "photo.jpg");
    fs.writeFileSync(photo, "0123456789abcde\n".repeat(50_000));
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [photo]);
    const picker = await world.browser.window("picker");
    assert.match((await picker.text("#site-title")) ?? "", /[“„]photo\.jpg[”“]/);
    await picker.click("#cancel");
    const window = await world.browser.window("copy");
    assert.equal(await window.text("#origin"), new URL(world.pages.address).origin);
    assert.match(await window.text("#paths [data-name='photo.jpg']"), /photo\.jpg.*781 KiB/);
    await look(window, name, "copy", { width: 560, height: 440 });
    await walk(window);
    await window.click("#allow");
    await world.browser.noWindow("copy");
    const [file] = await heard(site);
    assert.deepEqual([path.basename(file.name), file.size], ["photo.jpg", 800_000]);
    const spool = path.join(world.machine.godwitHome, "state", "dropped");
    assert.ok(file.name.startsWith(`${spool}/`), file.name);
    assert.equal(fs.statSync(spool).mode & 0o777, 0o700);
    const answer = await upload(site, file.name);
    assert.ok(answer.ok, JSON.stringify(answer.error));
    await site.reaches(answer.ok.transfer_specs[0].uuid, "completed");
    assert.ok(fs.readFileSync(photo).equals(fs.readFileSync(path.join(world.machine.docroot, "photo.jpg"))));
    await until("the copy is gone", () => fs.readdirSync(spool).length === 0);
  });

  test("while a large copy is made the window shows how far it is", async () => {
    const film = path.join(world.machine.made("another program"), "long film.mov");
    const total = 6 * 1024 * 1024;
    fs.writeFileSync(film, Buffer.alloc(total, "godwit"));
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [film]);
    await (await world.browser.window("picker")).click("#cancel");
    const window = await world.browser.window("copy");
    assert.equal(await window.shows("#progress"), false, "nothing has begun");
    // The window is gone at the end: what it showed is noted where the extension's other pages can read it.
    await window.evaluate(() => {
      const bar = /** @type {HTMLProgressElement} */ (document.querySelector("#progress"));
      /** @type {[number, number, boolean, string][]} */
      const shown = [];
      new MutationObserver(() => {
        shown.push([bar.value, bar.max, bar.checkVisibility(), document.querySelector("#state")?.textContent ?? ""]);
        localStorage.setItem("shown", JSON.stringify(shown));
      }).observe(bar, { attributeFilter: ["value"] });
    });
    await window.click("#allow");
    await world.browser.noWindow("copy");
    assert.equal((await heard(site))[0].size, total);
    const about = await world.browser.open("about");
    /** @type {[number, number, boolean, string][]} */
    const shown = JSON.parse((await about.evaluate(() => localStorage.getItem("shown"))) ?? "[]");
    await about.close();
    const values = shown.map(([value]) => value);
    assert.deepEqual(values, [...new Set(values)].sort((a, b) => a - b), "it only grows");
    assert.ok(values.length >= 6 && (values[0] ?? total) < total / 4 && (values.at(-1) ?? 0) > total / 2, `it moves: ${values}`);
    assert.ok(shown.every(([, max, seen]) => max === total && seen), "it can be seen");
    assert.ok(shown.some(([, , , words]) => /^[\d.]+ MiB .*\b6(\.0+)? MiB/.test(words)), `in words: ${shown.map((each) => each[3]).join(" | ")}`);
  });

  test("who wants no copy gives none, and what is too large is said to be", async () => {
    const large = path.join(world.machine.made("another program"), "film.mov");
    fs.writeFileSync(large, "0123456789abcde\n".repeat(100_000));
    const spool = path.join(world.machine.godwitHome, "state", "dropped");
    const before = fs.readdirSync(spool);
    const preferences = await world.browser.open("preferences");
    const limit = "#set-dialogs-copy-limit-mib";
    for (const mib of ["2", "1"]) {
      await preferences.fill(limit, mib);
      await until("the limit is saved", () => fs.readFileSync(path.join(world.machine.godwitHome, "settings.toml"), "utf8").includes(`copy_limit_mib = ${mib}\n`));
      const site = await siteWithTarget();
      await world.browser.drop(site, "#target", [large]);
      await (await world.browser.window("picker")).click("#cancel");
      const window = await world.browser.window("copy");
      assert.equal(await window.shows("#allow"), mib === "2");
      if (mib === "1") assert.match(await window.text("#why"), /1[.,]53 MiB .*1 MiB/);
      if (mib === "1") {
        await look(window, name, "copy-too-large", { width: 560, height: 440 });
        await walk(window);
      }
      if (mib === "1") {
        // The limit is the agent's: a window that asked all the same would be refused.
        const pressed = () => window.evaluate(() => {
          const hidden = /** @type {HTMLButtonElement} */ (document.querySelector("#allow"));
          hidden.click();
          return hidden.disabled && document.querySelector("#progress")?.hasAttribute("hidden") === false;
        });
        await until("the hidden button is pressed", pressed);
        await until("the copy is refused", () => window.evaluate(() => document.querySelector("#state.error")?.textContent ?? ""));
        assert.equal(await window.shows("#progress"), false);
        assert.deepEqual(fs.readdirSync(spool), before, "nothing was written");
      }
      await window.press("Escape");
      await world.browser.noWindow("copy");
      assert.deepEqual(await heard(site), []);
    }
    await preferences.close();
  });

  // Firefox has no way to drop a folder from a test.
  test("a folder that is dropped is uploaded with all it holds", { skip: name !== "chromium" }, async () => {
    const site = await siteWithTarget();
    await world.browser.drop(site, "#target", [folder]);
    const window = await world.browser.window("drop");
    assert.equal(await window.text("#paths [data-path]"), folder);
    await window.click("#allow");
    const [dropped] = await heard(site);
    assert.deepEqual([dropped.name, dropped.type], [folder, "inode/directory"]);
    const answer = await upload(site, dropped.name);
    await site.reaches(answer.ok.transfer_specs[0].uuid, "completed");
    assert.equal(fs.readFileSync(path.join(world.machine.docroot, "Rushes", "day 1", "inside.mov"), "utf8"), "in a folder");
  });
});
