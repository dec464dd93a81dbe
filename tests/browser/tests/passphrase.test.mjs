// @ts-check
// Encryption at rest through the whole chain: the window that asks for the passphrase, what lies on the server, what comes back.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { compare, makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const PASSPHRASE = "gelber Anorak tanzt im Mai";
const SIZE = { width: 580, height: 600 };

inEachBrowser("passphrase", (name) => {
  const world = new World(name);
  const { machine } = world;
  const film = path.join(machine.files, "film.mov");
  /** @type {import("../harness/site.mjs").Site} */
  let site;

  before(async () => {
    makeRandomFile(film, 3_000_000);
    await world.start();
    site = await world.openSite();
    await world.pickAfterConsent(site, [film]);
  });
  after(() => world.end());

  /** @param {string} to @param {object} [more] */
  const upload = (to, more = {}) =>
    site.start({ ...world.server.spec(), direction: "send", paths: [{ source: film }], destination_root: to, create_dir: true, ...more }, {});
  /** @param {string} to @param {object} [more] */
  const download = (to, more = {}) =>
    site.start({ ...world.server.spec(), direction: "receive", paths: [{ source: "/safe/film.mov.age" }], destination_root: to, create_dir: true, ...more }, {});
  /** What was downloaded. @param {string} name */
  const saved = (name) => path.join(machine.godwitHome, "Downloads", name);
  /** The window with its buttons awake. */
  const asked = async () => {
    const window = await world.browser.window("passphrase");
    await until("the button wakes up", () => window.evaluate(() => !(/** @type {any} */ (document.querySelector("#go")).disabled)));
    return window;
  };
  /** What lies on the server. @param {string} name */
  const stored = (name) => path.join(machine.docroot, name);

  test("an upload that the page wants encrypted asks for a new passphrase, and only the encrypted file reaches the server", async () => {
    const uuid = await upload("/safe", { content_protection: "encrypt" });
    const window = await asked();
    assert.equal(await window.text("#server"), `127.0.0.1:${world.server.port}`);
    assert.equal(await window.text("#origin"), new URL(world.pages.address).origin);
    assert.equal(await window.evaluate(() => document.activeElement?.id), "passphrase");
    assert.ok(!(await window.shows("#skip")), "the page wants it encrypted");
    await window.click("#go");
    assert.notEqual(await window.text("#problem"), "", "an empty one is not sent");
    await window.fill("#passphrase", "123");
    assert.equal(await window.evaluate(() => /** @type {any} */ (document.querySelector("#meter")).value), 0);
    await window.fill("#passphrase", PASSPHRASE);
    assert.equal(await window.evaluate(() => /** @type {any} */ (document.querySelector("#meter")).value), 4);
    await window.fill("#confirm", "something else");
    await window.click("#go");
    assert.notEqual(await window.text("#problem"), "", "a mistyped one would lock everybody out");
    await look(window, name, "passphrase", SIZE);
    await walk(window);
    await window.fill("#confirm", PASSPHRASE);
    await window.click("#go");
    await world.browser.noWindow("passphrase");
    await site.reaches(uuid, "completed");
    assert.deepEqual(fs.readdirSync(stored("safe")), ["film.mov.age"]);
    assert.match(fs.readFileSync(stored("safe/film.mov.age"), "latin1").slice(0, 60), /^age-encryption\.org\/v1\n-> scrypt /);
    const { ok } = await site.first("getAllTransfers", 0);
    assert.ok(!JSON.stringify(ok).includes(PASSPHRASE), "the page does not learn what was typed");
  });

  test("a download is decrypted with it, kept encrypted without it, and told with a wrong one", async () => {
    const uuid = await download("right", { content_protection: "decrypt" });
    const window = await asked();
    assert.ok(!(await window.shows("#confirm-line")), "it is not a new one");
    await look(window, name, "passphrase-enter", SIZE);
    await window.fill("#passphrase", PASSPHRASE);
    await window.press("Enter");
    await world.browser.noWindow("passphrase");
    await site.reaches(uuid, "completed");
    await until("the file is there, decrypted", () => fs.existsSync(saved("right/film.mov")));
    assert.deepEqual(compare(machine.files, saved("right")).differences, []);

    const other = await download("kept", { content_protection: "decrypt" });
    await (await asked()).click("#skip");
    await world.browser.noWindow("passphrase");
    await site.reaches(other, "completed");
    assert.deepEqual(fs.readdirSync(saved("kept")), ["film.mov.age"]);

    const third = await download("wrong", { content_protection: "decrypt", content_protection_passphrase: "wrong" });
    await site.reaches(third, "completed");
    assert.deepEqual(fs.readdirSync(saved("wrong")), ["film.mov.age"]);
    const activity = await world.browser.open("activity");
    await until("the window tells it", async () => (await activity.text(`[data-uuid="${third}"] .error`)) !== "" && (await activity.shows(`[data-uuid="${third}"] .actions .unlock`)));
    await activity.close();
  });

  test("what stayed encrypted is unlocked from the Activity window: a wrong passphrase is told, the right one decrypts", async () => {
    const uuid = await download("later", { content_protection: "decrypt" });
    await (await asked()).click("#skip");
    await world.browser.noWindow("passphrase");
    await site.reaches(uuid, "completed");
    const activity = await world.browser.open("activity");
    await activity.click(`[data-uuid="${uuid}"] .title`);
    await until("the details offer it", () => activity.shows("#details .encrypted .unlock"));
    assert.match(await activity.text("#details .encrypted .cause"), /: 1\./u);
    const label = await activity.evaluate((id) => document.querySelector(`[data-uuid="${id}"] .actions .unlock`)?.getAttribute("title"), uuid);
    await look(activity, name, "activity-encrypted", { width: 1000, height: 700 });
    assert.ok(await activity.shows(`[data-uuid="${uuid}"] .actions .unlock`), "and so does its row");
    await activity.evaluate((id) => document.querySelector(`[data-uuid="${id}"]`)?.dispatchEvent(new MouseEvent("contextmenu", { bubbles: true, cancelable: true, clientX: 200, clientY: 200 })), uuid);
    await until("and its menu", () => activity.evaluate((text) => [...document.querySelectorAll("#menu [role=menuitem]")].some((item) => item.textContent?.trim() === text), label));
    await activity.press("Escape");

    await activity.click("#details .encrypted .unlock");
    const window = await asked();
    assert.equal(await window.text("#server"), "film.mov.age");
    assert.ok(!(await window.shows("#asked-by")) && !(await window.shows("#skip")) && !(await window.shows("#confirm-line")));
    await look(window, name, "passphrase-unlock", SIZE);
    await window.fill("#passphrase", "wrong");
    await window.press("Enter");
    const again = await until("a wrong one is asked for again", async () => {
      // Not the one that is closing.
      for (const next of await world.browser.windows("passphrase")) if ((await next.text("#problem").catch(() => "")) !== "") return next;
      return null;
    });
    await until("the button wakes up", () => again.evaluate(() => !(/** @type {any} */ (document.querySelector("#go")).disabled)));
    assert.deepEqual(fs.readdirSync(saved("later")), ["film.mov.age"]);
    await look(again, name, "passphrase-wrong", SIZE);
    await again.fill("#passphrase", PASSPHRASE);
    await again.press("Enter");
    await world.browser.noWindow("passphrase");
    await until("the details tell that it is decrypted", async () => (await activity.text('[data-fact="factDecrypted"]')) === "1");
    assert.deepEqual(compare(machine.files, saved("later")).differences, []);
    assert.deepEqual(fs.readdirSync(saved("later")), ["film.mov"]);
    assert.ok(!(await activity.shows("#details .encrypted")) && !(await activity.shows(`[data-uuid="${uuid}"] .actions .unlock`)));
    await activity.close();
  });

  test("Escape and closing the window end the transfer with error 48", async () => {
    for (const how of ["Escape", "close"]) {
      const uuid = await upload(`/never-${how}`, { content_protection: "encrypt" });
      const window = await asked();
      if (how === "Escape") await window.press("Escape");
      else await window.close();
      await site.reaches(uuid, "failed");
      const { ok } = await site.last("getTransfer", uuid);
      assert.equal(ok.transfer_info.error_code, 48, how);
      await world.browser.noWindow("passphrase");
      assert.ok(!fs.existsSync(stored(`never-${how}/film.mov`)));
    }
  });

  test("the user's own list of servers protects uploads, and lets the user decide each time", async () => {
    const preferences = await world.browser.open("preferences");
    await preferences.ready();
    await preferences.fill("#set-security-protected-hosts-new", "127.0.0.1 *.film.example");
    await preferences.click("#set-security-protected-hosts ~ .adder button");
    await until("it is saved", () => fs.readFileSync(path.join(machine.godwitHome, "settings.toml"), "utf8").includes("*.film.example"));
    await preferences.close();

    const encrypted = await upload("/listed");
    const window = await asked();
    assert.ok(await window.shows("#skip"));
    await window.fill("#passphrase", PASSPHRASE);
    await window.click("#show");
    assert.ok(!(await window.shows("#confirm-line")), "what can be read needs not be typed twice");
    await window.click("#go");
    await site.reaches(encrypted, "completed");
    assert.deepEqual(fs.readdirSync(stored("listed")), ["film.mov.age"]);

    await world.browser.noWindow("passphrase");
    const clear = await upload("/clear");
    await (await asked()).click("#skip");
    await site.reaches(clear, "completed");
    assert.deepEqual(fs.readdirSync(stored("clear")), ["film.mov"]);
  });
});
