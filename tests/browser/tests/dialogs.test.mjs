// @ts-check
// The dialogs and windows that a page may ask for, as a person uses them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("dialogs", (name) => {
  const world = new World(name);
  const folder = path.join(world.machine.files, "choices");
  before(async () => {
    fs.mkdirSync(path.join(folder, "deeper"), { recursive: true });
    for (const each of ["alpha.txt", "beta.txt", "gamma.txt"]) fs.writeFileSync(path.join(folder, each), each);
    await world.start();
    await world.pickAfterConsent(await world.openSite(), [path.join(folder, "alpha.txt")]);
  });
  after(() => world.end());

  test("files are chosen with the keyboard alone", async () => {
    const site = await world.openSite();
    const picked = site.first("showSelectFileDialog", { allowMultipleSelection: true });
    const picker = await world.browser.window("picker");
    await picker.goTo(folder);
    await picker.page.focus("#list");
    // Folders stand first: deeper, alpha, beta, gamma.
    for (const key of ["Home", "ArrowDown"]) await picker.press(key);
    await picker.page.keyboard.down("Shift");
    await picker.press("ArrowDown");
    await picker.page.keyboard.up("Shift");
    await picker.press("Enter");
    await world.browser.noWindow("picker");
    const names = (await picked).ok.dataTransfer.files.map((/** @type {{name: string}} */ file) => file.name).sort();
    assert.deepEqual(names, [path.join(folder, "alpha.txt"), path.join(folder, "beta.txt")]);
  });

  test("Escape closes the dialog, and the page gets no files", async () => {
    const site = await world.openSite();
    const picked = site.first("showSelectFolderDialog", {});
    const picker = await world.browser.window("picker");
    await picker.press("Escape");
    assert.deepEqual((await picked).ok.dataTransfer.files, []);
  });

  test("a download goes under the name given in the save dialog, and under no other", async () => {
    fs.writeFileSync(path.join(world.machine.docroot, "take.bin"), "the take");
    const site = await world.openSite();
    const picked = site.first("showSaveFileDialog", { suggestedName: "take.bin" });
    const picker = await world.browser.window("picker");
    await picker.goTo(folder);
    await picker.evaluate(() => {
      const field = /** @type {HTMLInputElement} */ (document.querySelector("#name-input"));
      if (field.value !== "take.bin") throw new Error(`the suggested name is not shown: ${field.value}`);
      field.value = "take 2.bin";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await picker.click("#choose");
    await world.browser.noWindow("picker");
    const target = path.join(folder, "take 2.bin");
    assert.equal((await picked).ok.dataTransfer.files[0].name, target);

    const spec = { ...world.server.spec(), direction: "receive", paths: [{ source: "/take.bin" }], destination_root: target };
    const absolute = { use_absolute_destination_path: true };
    await site.reaches(await site.start(spec, absolute), "completed");
    assert.equal(fs.readFileSync(target, "utf8"), "the take");
    const other = { ...spec, destination_root: path.join(folder, "other.bin") };
    assert.equal((await site.last("startTransfer", other, absolute)).error.error.code, 406);
  });

  test("who wants to be asked where to save is asked at each download, and one that is cancelled never begins", async () => {
    fs.writeFileSync(path.join(world.machine.docroot, "asked.bin"), "asked");
    const preferences = await world.browser.open("preferences");
    const setting = "#set-downloads-always-ask";
    await preferences.fill(setting, true);
    const saved = (/** @type {boolean} */ on) =>
      until("the setting is saved", () => fs.readFileSync(path.join(world.machine.godwitHome, "settings.toml"), "utf8").includes(`always_ask = ${on}`));
    await saved(true);
    const site = await world.openSite();
    const spec = { ...world.server.spec(), direction: "receive", paths: [{ source: "/asked.bin" }] };
    const started = site.start(spec);
    const picker = await world.browser.window("picker");
    assert.equal(await picker.text("#site-title"), "(“asked.bin”)");
    await picker.goTo(folder);
    await picker.click("#choose");
    await world.browser.noWindow("picker");
    await site.reaches(await started, "completed");
    assert.equal(fs.readFileSync(path.join(folder, "asked.bin"), "utf8"), "asked");

    const declined = site.last("startTransfer", spec, {});
    await (await world.browser.window("picker")).press("Escape");
    assert.equal((await declined).error.error.code, 403);
    assert.equal((await site.last("startTransfer", spec, { allow_dialogs: false })).error, undefined, "it may not ask");
    await preferences.fill(setting, false);
    await saved(false);
    await preferences.close();
  });

  test("a page can open the windows of Godwit", async () => {
    const site = await world.openSite();
    for (const [call, kind] of [["showAbout", "about"], ["showPreferences", "preferences"], ["showTransferManager", "activity"]]) {
      const answer = await site.first(call);
      assert.ok(answer.ok, `${call}: ${JSON.stringify(answer)}`);
      await (await world.browser.window(kind)).close();
    }
  });
});
