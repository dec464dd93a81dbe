// @ts-check
// Files and folders dragged out of another program's window with the pointer, as people do it: nothing of the browser is played.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { Desktop } from "../harness/desktop.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("desktop drag", (name) => {
  const world = new World(name);
  const folder = path.join(world.machine.home, "Videos", "Rushes");
  const take = path.join(world.machine.home, "Videos", "take one.mov");
  /** @type {Desktop | undefined} */
  let desktop;

  before(async () => {
    fs.mkdirSync(path.join(folder, "day 1"), { recursive: true });
    fs.writeFileSync(take, "the first take");
    fs.writeFileSync(path.join(folder, "day 1", "inside.mov"), "in a folder");
    fs.writeFileSync(path.join(world.machine.files, "known.txt"), "known");
    // There is a desktop now; its own dialogs are another test's.
    fs.mkdirSync(world.machine.godwitHome, { recursive: true, mode: 0o700 });
    fs.writeFileSync(path.join(world.machine.godwitHome, "settings.toml"), '[dialogs]\nkind = "built-in"\n');
    desktop = await Desktop.start(world.machine);
    await world.start({ headless: false });
    await world.pickAfterConsent(await world.openSite(), [path.join(world.machine.files, "known.txt")]);
  });
  after(async () => {
    await world.end();
    desktop?.end();
  });

  test("a file and a folder dragged from another window are uploaded after one confirmation", async () => {
    const site = await world.browser.site(world.pages.address);
    await site.page.bringToFront();
    const at = await site.page.evaluate(() => {
      const { AW4, site: own } = /** @type {any} */ (globalThis);
      const target = document.createElement("div");
      target.id = "target";
      target.style.cssText = "position: fixed; left: 0; top: 0; width: 300px; height: 300px";
      document.body.append(target);
      own.over = 0;
      target.addEventListener("dragover", () => (own.over += 1));
      target.addEventListener("drop", () => (own.dropped = true));
      own.connect = new AW4.Connect({ minVersion: "3.9.0", dragDropEnabled: true });
      own.connect.initSession("ZHJvcC10ZXN0cy1vZi1Hb2R3aXQtOTg0NzEtbG9uZw==");
      own.connect.addEventListener(AW4.Connect.EVENT.TRANSFER, (/** @type {any} */ _type, /** @type {any} */ data) => {
        for (const info of data.transfers) own.transfers[info.uuid] = info;
      });
      own.drops = [];
      own.connect.setDragDropTargets("#target", { drop: true }, (/** @type {any} */ { files }) => own.drops.push(files));
      // Where the page begins on the screen: Firefox knows; Chromium has its bars above the page only.
      const { mozInnerScreenX: x = screenX, mozInnerScreenY: y = screenY + outerHeight - innerHeight } = /** @type {any} */ (window);
      return { x: Math.round(x) + 150, y: Math.round(y) + 150 };
    });
    await site.running();
    // The two programs agree step by step on whether the files may be let go: on a busy machine a person does it again, too.
    const over = () => site.page.evaluate(() => /** @type {any} */ (globalThis).site.over);
    const dropped = () => site.page.evaluate(() => /** @type {any} */ (globalThis).site.dropped === true);
    for (let tries = 0; tries < 4 && !(await dropped()); tries += 1) {
      const before = await over();
      await desktop?.drag([take, folder], at, async () => (await over()) >= before + 3);
      await until("the page sees the drop", dropped, 5_000).catch(() => {});
    }
    const window = await world.browser.window("drop");
    const shown = await window.evaluate(() => [...document.querySelectorAll("#paths [data-path]")].map((each) => each.textContent?.trim()));
    assert.deepEqual(shown.sort(), [folder, take].sort());
    await window.click("#allow");
    await world.browser.noWindow("drop");
    const heard = await until("the page hears of the drop", () =>
      site.page.evaluate(() => /** @type {any} */ (globalThis).site.drops.shift()?.dataTransfer.files),
    );
    const paths = heard.map((/** @type {{name: string}} */ each) => ({ source: each.name }));
    assert.deepEqual(paths.map((/** @type {{source: string}} */ each) => each.source).sort(), [folder, take].sort());
    const answer = await site.last("startTransfer", { ...world.server.spec(), direction: "send", destination_root: "/", paths }, {});
    assert.ok(answer.ok, JSON.stringify(answer.error));
    await site.reaches(answer.ok.transfer_specs[0].uuid, "completed");
    assert.equal(fs.readFileSync(path.join(world.machine.docroot, "take one.mov"), "utf8"), "the first take");
    assert.equal(fs.readFileSync(path.join(world.machine.docroot, "Rushes", "day 1", "inside.mov"), "utf8"), "in a folder");
  });
});
