// @ts-check
// Finding Godwit: the first seconds of every page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
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

inEachBrowser("a missing host", (name) => {
  const world = new World(name);
  before(() => world.start({ server: false, register: false }));
  after(() => world.end());

  test("the SDK reports FAILED, the popup says what to do, and both recover when the host is there", async () => {
    const site = await world.browser.site(world.pages.address);
    await site.begin();
    await until("the SDK reports FAILED", async () => (await site.statuses()).includes("FAILED"));
    assert.ok(!(await site.statuses()).includes("RUNNING"));

    const popup = await world.browser.open("popup");
    await until("the popup says that the program is missing", () => popup.shows("#agent-missing"));
    assert.ok((await popup.text("#agent-missing")).length > 40, "the popup explains");
    assert.ok((await popup.text("#agent-missing-reason")).length > 0, "the browser's own words are shown");

    world.registerHost();
    await popup.click("#retry");
    await until("the popup is connected", async () => !(await popup.shows("#agent-missing")));
    await site.page.reload();
    await site.begin();
    await site.running();
  });
});
