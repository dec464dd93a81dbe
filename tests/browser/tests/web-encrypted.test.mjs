// @ts-check
// The server's web application on a server that takes encrypted files only: who uploads is asked for a passphrase, what lies on the
// server is encrypted, and who downloads is asked again and gets the files as they were.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App } from "../harness/app.mjs";
import { look } from "../harness/look.mjs";
import { compare, makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const PASSPHRASE = "gelber Anorak tanzt im Mai";

inEachBrowser("web application, encrypted files only", (name) => {
  const world = new World(name);
  const { machine } = world;
  const local = path.join(machine.home, "Footage");
  const stored = (/** @type {string[]} */ ...names) => path.join(machine.docroot, ...names);
  /** @type {App} */
  let app;

  before(async () => {
    fs.mkdirSync(path.join(local, "day 1", "deep"), { recursive: true });
    makeRandomFile(path.join(local, "take one.mov"), 2_000_000);
    makeRandomFile(path.join(local, "day 1", "deep", "x.bin"), 300_000);
    const settings = path.join(machine.folder, "server.toml");
    fs.writeFileSync(settings, 'content_protection = "required"\n');
    Object.assign(machine.environment, { GODWIT_SERVER_CONFIG: settings });
    await world.start();
    app = await App.open(world);
    await app.signIn("demo", "swordfish");
    await app.at("/");
    await app.running();
  });
  after(() => world.end());

  /** The question for a passphrase, with its buttons awake. */
  const asked = async () => {
    const window = await world.browser.window("passphrase");
    await until("the button wakes up", () => window.evaluate(() => !(/** @type {any} */ (document.querySelector("#go")).disabled)));
    return window;
  };
  /** A new passphrase, as a person gives it. */
  const giveNew = async () => {
    const window = await asked();
    assert.ok(await window.shows("#confirm-line"), "it is a new one");
    assert.ok(!(await window.shows("#skip")), "the server wants it encrypted");
    assert.equal(await window.text("#origin"), new URL(world.server.web).origin);
    for (const field of ["#passphrase", "#confirm"]) await window.fill(field, PASSPHRASE);
    await window.click("#go");
    await world.browser.noWindow("passphrase");
  };
  /** Downloads what is marked to a folder, with this passphrase. @param {string} saved @param {App} page @param {string} button */
  const download = async (saved, page = app, button = "#download") => {
    const before = await page.transfers();
    await page.click(button);
    const picker = await world.browser.window("picker");
    await picker.goTo(machine.made(saved));
    await picker.click("#choose");
    await world.browser.noWindow("picker");
    const window = await asked();
    assert.ok(!(await window.shows("#confirm-line")), "it is the one from before");
    await window.fill("#passphrase", PASSPHRASE);
    await window.press("Enter");
    await world.browser.noWindow("passphrase");
    await page.finishes(before);
  };

  test("the page says that files are kept encrypted", async () => {
    assert.match(await app.text("#encrypted-only"), /passphrase/);
    assert.ok(await app.shows("#encrypted-only"));
    await look(app, name, "web-encrypted", { width: 1200, height: 900 });
  });

  test("an upload asks for a new passphrase, and only the encrypted file reaches the server", async () => {
    const before = await app.transfers();
    await app.click("#upload-files");
    await (await world.browser.window("consent")).click("#allow-always");
    await world.browser.noWindow("consent");
    await (await world.browser.window("picker")).choose(local, ["take one.mov"]);
    await world.browser.noWindow("picker");
    await giveNew();
    await app.finishes(before);
    assert.deepEqual(fs.readdirSync(stored()), ["take one.mov.age"]);
    assert.match(fs.readFileSync(stored("take one.mov.age"), "latin1").slice(0, 60), /^age-encryption\.org\/v1\n-> scrypt /);
    await until("the page lists it", async () => (await app.names()).join() === "take one.mov.age");
  });

  test("who leaves the question uploads nothing, and the page says why", async () => {
    const before = await app.transfers();
    await app.click("#upload-folder");
    await (await world.browser.window("picker")).choose(local, ["day 1"]);
    await world.browser.noWindow("picker");
    await (await asked()).press("Escape");
    await world.browser.noWindow("passphrase");
    const { uuid } = await app.finishes(before, "failed");
    assert.notEqual(await app.text(`[data-uuid="${uuid}"] .error`), "");
    assert.deepEqual(fs.readdirSync(stored()), ["take one.mov.age"]);
    // It asks again when it is to go on.
    await app.click(`[data-uuid="${uuid}"] [data-action="resume"]`);
    await giveNew();
    await until("it has arrived", async () => (await app.transfers()).some((each) => each.uuid === uuid && each.status === "completed"));
    assert.deepEqual(fs.readdirSync(stored("day 1", "deep")), ["x.bin.age"]);
  });

  test("a download of a file and a folder asks for the passphrase, and brings them as they were", async () => {
    await app.click("#refresh");
    await until("both are listed", async () => (await app.names()).join() === "day 1,take one.mov.age");
    await app.mark(["day 1", "take one.mov.age"]);
    await download("home/saved");
    await until("both are decrypted", () => compare(local, path.join(machine.home, "saved")).differences.length === 0);
  });

  test("who follows a link is asked as well", async () => {
    await app.mark(["day 1"]);
    await app.click("#share");
    await app.click('#ask[open] button[value="yes"]');
    await until("the link is there", () => app.shows("#ask-copy"));
    const link = await app.value("#ask-copy");
    const guest = await App.open(world, link.slice(world.server.web.length));
    await guest.running();
    await download("home/guest", guest, "#share-download");
    await until("it is decrypted", () => compare(path.join(local, "day 1"), path.join(machine.home, "guest", "day 1")).differences.length === 0);
    await guest.close();
  });
});
