// @ts-check
// The user decides which site may do anything at all.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { look } from "../harness/look.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("consent", (name) => {
  const world = new World(name);
  const file = path.join(world.machine.files, "one.txt");
  before(async () => {
    fs.writeFileSync(file, "one");
    await world.start({ server: false, anyCertificate: true });
  });
  after(() => world.end());

  test("a site that is refused gets an error, and no dialog opens", async () => {
    const address = await world.newOrigin();
    const site = await world.openSite(address);
    const picked = site.first("showSelectFileDialog", { title: "Yours" });
    const consent = await world.browser.window("consent");
    assert.equal(await consent.text("#origin"), new URL(address).origin);
    assert.equal(await consent.shows("#origin .letters"), false, "this name has no other letters");
    await consent.click("#deny");
    const answer = await picked;
    assert.ok(answer.error, `the page got ${JSON.stringify(answer)}`);
    assert.equal(typeof answer.error.error.code, "number");
    assert.ok(answer.error.error.user_message.length > 0);
    assert.equal((await world.browser.windows("picker")).length, 0);
  });

  test("a site with an international name is shown as the browser names it, and in its own letters", async () => {
    const origin = await world.httpsOrigin("xn--bcher-kva.localhost");
    const site = await world.openSite(`${origin}/`);
    const picked = site.first("showSelectFileDialog", {});
    const consent = await world.browser.window("consent");
    const shown = await consent.text("#origin");
    assert.ok(shown.startsWith(`${origin} `), shown);
    assert.match(await consent.text("#origin .letters"), /bücher\.localhost/);
    assert.ok(await consent.shows("#origin .letters"));
    await look(consent, name, "consent-international", { width: 580, height: 540 });
    await consent.click("#deny");
    assert.ok((await picked).error);
  });

  test("closing the question is a refusal", async () => {
    const site = await world.openSite(await world.newOrigin());
    const picked = site.first("showSelectFileDialog", {});
    const consent = await world.browser.window("consent");
    await consent.close();
    assert.ok((await picked).error);
  });

  test("a question whose window is loaded again is still asked", async () => {
    const address = await world.newOrigin();
    const site = await world.openSite(address);
    const picked = site.first("showSelectFileDialog", {});
    const consent = await world.browser.window("consent");
    await consent.evaluate(() => {
      document.body.dataset.before = "";
      setTimeout(() => location.reload());
    });
    const again = () =>
      consent.evaluate(() => document.body.dataset.before === undefined && document.querySelector("#origin")?.textContent);
    // While it is loaded again there is nobody to ask.
    await until("the question is shown again", async () => (await again().catch(() => "")) === new URL(address).origin);
    await consent.click("#deny");
    assert.ok((await picked).error);
  });

  test("a transfer of a site that is refused is not started", async () => {
    const site = await world.openSite(await world.newOrigin());
    const started = site.last("startTransfer", { direction: "send", remote_host: "example.com", paths: [{ source: file }] }, {});
    const consent = await world.browser.window("consent");
    await consent.click("#deny");
    assert.ok((await started).error);
    const { ok } = await site.first("getAllTransfers", 0);
    assert.deepEqual(ok.transfers, []);
  });

  test("a site that is allowed for good is not asked about again, not even after the browser was restarted", async () => {
    const site = await world.openSite();
    const answer = await world.pickAfterConsent(site, [file]);
    assert.equal(answer.ok.dataTransfer.files[0].name, file);
    assert.equal(answer.ok.dataTransfer.files[0].size, 3);

    // pickFile waits for the picker: a second question would keep it from opening.
    assert.equal((await world.pickFile(site, file)).ok.dataTransfer.files.length, 1);
    assert.equal((await world.browser.windows("consent")).length, 0);

    await world.browser.close();
    await world.startBrowser();
    const again = await world.openSite();
    assert.equal((await world.pickFile(again, file)).ok.dataTransfer.files.length, 1);
    assert.equal((await world.browser.windows("consent")).length, 0);
  });

  test("what is allowed to one site is not allowed to another", async () => {
    const other = await world.openSite(world.pages.localhost);
    const picked = other.first("showSelectFileDialog", {});
    const consent = await world.browser.window("consent");
    assert.equal(await consent.text("#origin"), new URL(world.pages.localhost).origin);
    await consent.click("#deny");
    assert.ok((await picked).error);
  });

  test("a cancelled dialog answers with no files", async () => {
    const site = await world.openSite();
    const picked = site.first("showSelectFileDialog", {});
    const picker = await world.browser.window("picker");
    await picker.click("#cancel");
    assert.deepEqual((await picked).ok.dataTransfer.files, []);
  });
});
