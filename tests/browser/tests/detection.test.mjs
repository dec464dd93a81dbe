// @ts-check
// Finding Godwit: the first seconds of every page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { look } from "../harness/look.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("detection", (name) => {
  const world = new World(name);
  before(() => world.start({ server: false }));
  after(() => world.end());

  test("a page with the vendor's SDK finds Godwit and is RUNNING", async () => {
    const site = await world.browser.site(world.pages.address);
    await site.begin();
    await site.running();
    assert.ok(!(await site.statuses()).includes("EXTENSION_INSTALL"), "the page asked for an installation");
  });

  test("the version is told before any consent, and no window asks", async () => {
    const site = await world.openSite(world.pages.localhost);
    const { ok } = await site.first("version");
    assert.equal(ok.version, "4.2.0.1");
    assert.equal((await world.browser.windows("consent")).length, 0);
  });

  test("a page that the browser restores after a restart finds Godwit again", async () => {
    await world.browser.close();
    await world.startBrowser();
    await world.openSite();
  });
});

inEachBrowser("a page that is older than the extension", (name) => {
  // Firefox gives a relay to pages that are open.
  if (name !== "chromium") return;
  const world = new World(name);
  before(() => world.start({ server: false }));
  after(() => world.end());

  test("the popup offers to reload it, and then it finds Godwit; a page that has found it is left alone", async () => {
    const site = await world.browser.site(world.pages.address);
    await world.browser.reinstall();
    /** The popup behind which this site's tab is; in a tab of its own it would see itself. */
    const popup = await world.browser.open("popup");
    const tab = await popup.evaluate(async () => {
      const { chrome } = /** @type {any} */ (globalThis);
      const [older] = (await chrome.storage.session.get("older-tabs"))["older-tabs"];
      const tabs = await chrome.tabs.query({});
      const own = (await chrome.tabs.getCurrent()).id;
      return { older, site: tabs.map((/** @type {any} */ each) => each.id).filter((/** @type {number} */ id) => id !== own).at(-1) };
    });
    assert.equal(typeof tab.older, "number", "tabs that were open are known");
    const offer = () =>
      popup.evaluate(async (id) => {
        const { chrome } = /** @type {any} */ (globalThis);
        chrome.tabs.query = async () => [{ id }];
        /** @type {HTMLElement} */ (document.querySelector("#older")).hidden = true;
        await (await import(/** @type {any} */ ("../ui/older-page.js"))).offerReload();
        return !(/** @type {HTMLElement} */ (document.querySelector("#older")).hidden);
      }, tab.site);
    assert.equal(await offer(), true);
    await popup.click("#reload");
    await until("the page is reloaded", async () => !(await offer()));
    // The relay is there before the page's own script.
    await until("its script runs", () => site.page.evaluate(() => document.readyState === "complete"));
    await site.begin();
    await site.running();
  });
});

inEachBrowser("a missing host", (name) => {
  const world = new World(name);
  before(() => world.start({ server: false, register: false }));
  after(() => world.end());

  test("P4: the SDK reports FAILED, the popup says what to do, and both recover when the host is there", async () => {
    const site = await world.browser.site(world.pages.address);
    await site.begin();
    await until("the SDK reports FAILED", async () => (await site.statuses()).includes("FAILED"));
    assert.ok(!(await site.statuses()).includes("RUNNING"));

    const popup = await world.browser.open("popup");
    await until("the popup says that the program is missing", () => popup.shows("#agent-missing"));
    assert.ok((await popup.text("#agent-missing")).length > 40, "the popup explains");
    assert.ok((await popup.text("#agent-missing-reason")).length > 0, "the browser's own words are shown");
    const [title, wanted] = await popup.evaluate(async () => {
      const { action, i18n } = /** @type {any} */ (globalThis).chrome;
      return [await action.getTitle({}), i18n.getMessage("buttonMissing")];
    });
    assert.equal(title, wanted, "the toolbar button says so too");
    assert.equal(await popup.evaluate(() => /** @type {any} */ (globalThis).chrome.action.getBadgeText({})), "?");
    await look(popup, name, "popup-missing", { width: 420, height: 580 });

    world.registerHost();
    await popup.click("#retry");
    await until("the popup is connected", async () => !(await popup.shows("#agent-missing")));
    await site.page.reload();
    await site.begin();
    await site.running();
  });
});
