// @ts-check
// The guided installation page: what it shows in each state of this browser, and that it notices by itself when all is there.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { DIST, ROOT } from "../harness/machine.mjs";
import { serve } from "../harness/pages.mjs";
import { until } from "../harness/wait.mjs";
import { ExtensionWindow } from "../harness/window.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const SIZE = { width: 820, height: 760 };
const VERSIONS = {
  entries: [{ platform: { os: "linux" }, links: [{ rel: "enclosure-one-click", href: "files/godwit-1.2.3-linux-x86_64.sh" }] }],
};

inEachBrowser("guided installation", (name) => {
  const world = new World(name);
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let pages;
  /** @type {ExtensionWindow} */
  let guide;

  before(async () => {
    const folder = path.join(world.machine.folder, "guide");
    fs.cpSync(path.join(ROOT, "installer/page"), folder, { recursive: true });
    fs.writeFileSync(path.join(folder, "versions.js"), `window.connectVersions = ${JSON.stringify(VERSIONS)};`);
    pages = await serve(folder);
    await world.start({ server: false, register: false });
  });
  after(async () => {
    pages?.close();
    await world.end();
  });

  const state = () => guide.evaluate(() => document.querySelector("main")?.dataset.state);
  const open = async () => {
    const page = await world.browser.driver.newPage();
    await page.goto(pages.address);
    guide = new ExtensionWindow(page);
  };

  test("without the extension it leads through both steps for this browser, with the file that versions.js names", async () => {
    await world.browser.driver.uninstallExtension(world.browser.id);
    await open();
    await until("it knows", async () => (await state()) === "missing-both");
    const [links, text] = await guide.evaluate(() => [[...document.querySelectorAll("a")].map((a) => a.href), document.body.innerText]);
    assert.deepEqual(links, [`${pages.address}files/godwit-1.2.3-linux-x86_64.sh`]);
    assert.ok(text.includes("sh ~/Downloads/godwit-1.2.3-linux-x86_64.sh"), text);
    assert.ok(text.includes(name === "chromium" ? "chrome://extensions" : "about:debugging") && text.includes(`extension-${name}`), text);
    await look(guide, name, "guide", SIZE);
    await walk(guide);
  });

  test("with the extension alone it asks for the application only, and is ready as soon as that is there", async () => {
    await world.browser.driver.installExtension(path.join(DIST, `extension-${name}`));
    await guide.page.reload();
    await until("it asks for the application", async () => (await state()) === "missing-application");
    assert.equal(await guide.evaluate(() => document.querySelectorAll("li").length), 1);
    await look(guide, name, "guide-application", SIZE);
    world.registerHost();
    await until("it is ready", async () => (await state()) === "ready");
    assert.match(await guide.text("[role=status]"), /4\.\d/);
    await look(guide, name, "guide-ready", SIZE);
  });

  test("an application that is too old is named with both versions", async () => {
    const said = await guide.evaluate(async () => {
      const { guide: show } = await import(/** @type {any} */ ("./guide.js"));
      const place = document.createElement("div");
      document.body.append(place);
      const { stop } = show(place, { minVersion: "99.1", lang: "de" });
      await new Promise((done) => place.addEventListener("godwit-state", done));
      stop();
      return place.innerText;
    });
    assert.match(said, /zu alt/);
    assert.match(said, /99\.1/);
  });

  test("what a hostile versions.js names is not offered: no script as an address, no command in a name", async () => {
    const hrefs = ["javascript:alert(1)", "a$(reboot).sh"];
    hrefs.forEach((href, at) => {
      const folder = path.join(world.machine.folder, `guide/hostile-${at}`);
      const entries = [{ platform: { os: "linux" }, links: [{ rel: "enclosure", href }] }];
      fs.mkdirSync(folder);
      fs.writeFileSync(path.join(folder, "versions.js"), `window.connectVersions = ${JSON.stringify({ entries })};`);
    });
    const offered = await guide.evaluate(async () => {
      const { guide: show } = await import(/** @type {any} */ ("./guide.js"));
      const all = [];
      for (const sdkLocation of ["hostile-0", "hostile-1"]) {
        const place = document.createElement("div");
        document.body.append(place);
        const { stop } = show(place, { sdkLocation, minVersion: "99.1" });
        await new Promise((done) => place.addEventListener("godwit-state", done));
        stop();
        all.push([[...place.querySelectorAll("a")].map((a) => a.protocol), [...place.querySelectorAll("code")].map((code) => code.textContent)]);
      }
      return all;
    });
    assert.deepEqual(offered[0], [[], []]);
    assert.deepEqual(offered[1], [["http:"], ["sh ~/Downloads/godwit-*.sh"]]);
  });
});

test("both languages say everything", async () => {
  const { WORDS } = await import(path.join(ROOT, "installer/page/words.js"));
  assert.deepEqual(Object.keys(WORDS.de).sort(), Object.keys(WORDS.en).sort());
});
