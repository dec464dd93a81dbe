// @ts-check
// A question belongs to the document that asked: it goes when that document is left, and with no other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("leaving", (name) => {
  const world = new World(name);
  const known = path.join(world.machine.files, "known.txt");
  before(async () => {
    fs.writeFileSync(known, "known");
    await world.start();
    await world.pickAfterConsent(await world.openSite(), [known]);
  });
  after(() => world.end());

  /** @typedef {import("../harness/site.mjs").Site} Site */

  /** Has a page call an SDK function whose answer it will not live to hear: the driver must not wait for it.
   * @param {Site} site @param {string} call */
  const calls = (site, call) => site.page.evaluate((each) => void (/** @type {any} */ (globalThis).site.first(each, {})), call);

  /** A page of the site with a file dialog open. */
  async function asking() {
    const site = await world.openSite();
    await calls(site, "showSelectFileDialog");
    await world.browser.window("picker");
    return site;
  }

  /** @type {[string, (site: Site) => Promise<unknown>][]} */
  const ways = [
    ["shows another page of the same site", (site) => site.page.goto(`${world.pages.address}?other`)],
    ["is loaded again", (site) => site.page.reload()],
    ["shows another site", async (site) => site.page.goto(await world.newOrigin())],
    ["is closed", (site) => site.page.close()],
  ];
  for (const [words, leave] of ways) {
    test(`S1: the file dialog closes when its tab ${words}, though another page of the site stays open`, async () => {
      const stays = await world.openSite();
      const site = await asking();
      await leave(site);
      await world.browser.noWindow("picker");
      assert.ok((await world.pickFile(stays, known)).ok, "the page that stays is served");
      await stays.page.close();
      await site.page.close().catch(() => {});
    });
  }

  test("S1: the dialog of another page of the site stays, and comes after one that was left", async () => {
    const first = await asking();
    const second = await world.openSite();
    const picked = second.first("showSelectFileDialog", { title: "Second" });
    await first.page.close();
    const picker = await until("the second page's dialog opens", async () => {
      for (const each of await world.browser.windows("picker")) if ((await each.text("#site-title")) === "(“Second”)") return each;
    });
    await picker.ready();
    await (await world.openSite()).page.close();
    await picker.enter("#path-input", known);
    assert.equal((await picked).ok.dataTransfer.files[0].name, known);
  });

  test("S1: the question about a site stays until the last page that waits for it is left", async () => {
    const address = await world.newOrigin();
    const [left, stays] = [await world.openSite(address), await world.openSite(address)];
    await calls(left, "showAbout");
    await world.browser.window("consent");
    /** @type {{ok?: any} | undefined} */
    let answer;
    void stays.first("showAbout").then((each) => (answer = each));
    await left.page.close();
    await until("the other page is asked about and served", async () => {
      const [consent] = await world.browser.windows("consent");
      await consent?.evaluate(() => /** @type {HTMLElement} */ (document.querySelector("#allow-once:enabled"))?.click());
      return answer !== undefined;
    });
    assert.ok(answer?.ok, "the other page is served");
    await (await world.browser.window("about")).close();
    const other = await world.openSite(await world.newOrigin());
    await calls(other, "showAbout");
    await world.browser.window("consent");
    await other.page.close();
    await world.browser.noWindow("consent");
  });
});
