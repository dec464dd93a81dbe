// @ts-check
// The server's own web application, through the whole chain: page, the vendor's SDK, extension, host, agent, worker, server.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App } from "../harness/app.mjs";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { compare, differs, makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const SIZE = { width: 1200, height: 900 };
const MANY = 10_000;

inEachBrowser("web application", (name) => {
  const world = new World(name);
  const { machine } = world;
  const local = path.join(machine.home, "Footage");
  const file = path.join(local, "take one.mov");
  /** @type {App} */
  let app;

  before(async () => {
    fs.mkdirSync(path.join(local, "day 1", "deep"), { recursive: true });
    makeRandomFile(file, 3_000_000);
    fs.writeFileSync(path.join(local, "day 1", "naïve 漢字.txt"), "inside");
    fs.writeFileSync(path.join(local, "day 1", "deep", "x.bin"), "deeper");
    for (const folder of ["inbox", "archive/2026"]) fs.mkdirSync(path.join(machine.docroot, folder), { recursive: true });
    makeRandomFile(path.join(machine.docroot, "archive", "season.tar"), 2_000_000);
    fs.writeFileSync(path.join(machine.docroot, "archive", "2026", "notes.txt"), "notes");
    fs.writeFileSync(path.join(machine.docroot, "a <b>&amp; \"c\".txt"), "odd name");
    fs.mkdirSync(path.join(machine.docroot, "many"));
    for (let n = 0; n < MANY; n += 1) fs.writeFileSync(path.join(machine.docroot, "many", `file-${String(n).padStart(5, "0")}.dat`), "");
    // Slow enough that there is a middle to stop in.
    const settings = path.join(machine.folder, "server.toml");
    fs.writeFileSync(settings, '[users.demo]\nrate_cap = "24m"\n');
    Object.assign(machine.environment, { GODWIT_SERVER_CONFIG: settings });
    await world.start();
  });
  after(() => world.end());

  test("one signs in, after a wrong password too, and sees the files", async () => {
    app = await App.open(world);
    await look(app, name, "web-sign-in", SIZE);
    await app.signIn("demo", "wrong");
    await until("the page says that it is wrong", async () => (await app.text("#sign-in-error")) !== "");
    await app.signIn("demo", "swordfish");
    await app.at("/");
    assert.equal(await app.text("#user"), "demo");
    assert.deepEqual(await app.names(), ["archive", "inbox", "many", "a <b>&amp; \"c\".txt"]);
    await app.running();
    assert.equal(await app.shows("#install"), false);
    await look(app, name, "web-files", SIZE);
    // No script of the page can read the cookie.
    assert.equal(await app.evaluate(() => document.cookie), "");
    await app.page.reload();
    await app.ready();
    await app.at("/");
    await app.running();
  });

  test("chosen files go up, with progress in the page, after the one question about the site", async () => {
    await app.enterFolder("inbox", "/inbox");
    const before = await app.transfers();
    await app.click("#upload-files");
    const consent = await world.browser.window("consent");
    assert.equal(await consent.text("#origin"), new URL(world.server.web).origin);
    await consent.click("#allow-always");
    await world.browser.noWindow("consent");
    const picker = await world.browser.window("picker");
    await picker.choose(local, ["take one.mov"]);
    await world.browser.noWindow("picker");
    const { title } = await app.finishes(before);
    assert.match(title, /take one\.mov/);
    assert.equal(differs(file, path.join(machine.docroot, "inbox", "take one.mov")), undefined);
    await until("the folder shows it", async () => (await app.names()).includes("take one.mov"));
    await look(app, name, "web-transfer", SIZE);
  });

  test("a folder goes up with all it holds, and comes down again", async () => {
    let before = await app.transfers();
    await app.click("#upload-folder");
    let picker = await world.browser.window("picker");
    await picker.choose(local, ["day 1"]);
    await world.browser.noWindow("picker");
    await app.finishes(before);
    assert.deepEqual(compare(path.join(local, "day 1"), path.join(machine.docroot, "inbox", "day 1")).differences, []);
    await until("the folder shows it", async () => (await app.names()).includes("day 1"));

    const saved = machine.made("home/saved");
    await app.mark(["day 1", "take one.mov"]);
    before = await app.transfers();
    await app.click("#download");
    picker = await world.browser.window("picker");
    await picker.goTo(saved);
    await picker.click("#choose");
    await world.browser.noWindow("picker");
    await app.finishes(before);
    assert.deepEqual(compare(path.join(machine.docroot, "inbox"), saved).differences, []);
  });

  test("what is dropped on the list goes up into the folder that is shown", async () => {
    await app.click('#crumbs [data-path="/"]');
    await app.at("/");
    await app.enterFolder("archive", "/archive");
    const take = path.join(local, "dropped.mov");
    fs.writeFileSync(take, "the dropped take");
    const before = await app.transfers();
    await world.browser.drop(/** @type {any} */ (app), "#drop", [take]);
    const window = await world.browser.window("drop");
    await window.click("#allow");
    await world.browser.noWindow("drop");
    await app.finishes(before);
    assert.equal(fs.readFileSync(path.join(machine.docroot, "archive", "dropped.mov"), "utf8"), "the dropped take");
  });

  // Firefox has no way to drop a folder from a test.
  test("a folder that is dropped on the list goes up with all it holds", { skip: name !== "chromium" }, async () => {
    const take = path.join(local, "day 1");
    const before = await app.transfers();
    await world.browser.drop(/** @type {any} */ (app), "#drop", [take]);
    const window = await world.browser.window("drop");
    await window.click("#allow");
    await world.browser.noWindow("drop");
    await app.finishes(before);
    const arrived = path.join(machine.docroot, "archive", "day 1");
    assert.deepEqual(compare(take, arrived).differences, []);
    await until("the list shows it", async () => (await app.names()).includes("day 1"));
    fs.rmSync(arrived, { recursive: true });
    await app.click("#refresh");
    await until("the list is as before", async () => !(await app.names()).includes("day 1"));
  });

  test("the list is sorted by type, and the other way round; programs can have files first", async () => {
    await app.click('#crumbs [data-path="/"]');
    await app.at("/");
    const up = ["archive", "inbox", "many", 'a <b>&amp; "c".txt'];
    assert.deepEqual(await app.names(), up, "folders first");
    await app.click('[data-sort="type"]');
    // By name alone.
    await until("downwards", async () => (await app.names()).join() === ["many", "inbox", "archive", up[3]].join());
    // As programs ask for it: files before folders.
    const asked = await app.evaluate(async () => {
      const headers = { "Content-Type": "application/json", "X-Godwit-Proof": (await (await fetch("/web/session")).json()).proof };
      const body = JSON.stringify({ path: "/", sort: "-type" });
      const answer = await (await fetch("/files/browse", { method: "POST", headers, body })).json();
      return answer.items.map((/** @type {{basename: string}} */ item) => item.basename);
    });
    assert.deepEqual(asked, [up[3], ...up.slice(0, 3)]);
    await app.click('[data-sort="type"]');
    await until("and back", async () => (await app.names()).join() === up.join());
    await app.enterFolder("archive", "/archive");
  });

  test("folders are made, entries renamed, and deleted only after a question", async () => {
    await app.click("#new-folder");
    await app.fill("#ask-name", "trip");
    await look(app, name, "web-new-folder", SIZE);
    await app.answer("yes");
    await until("it is there, and chosen", () => app.shows('#rows [data-name="trip"][aria-selected="true"]'));
    assert.ok(fs.statSync(path.join(machine.docroot, "archive", "trip")).isDirectory());
    await app.click("#rename");
    await app.fill("#ask-name", "journey");
    await app.answer("yes");
    await until("it has its new name", () => app.shows('#rows [data-name="journey"][aria-selected="true"]'));
    assert.ok(fs.existsSync(path.join(machine.docroot, "archive", "journey")));

    await app.click("#rename");
    await app.fill("#ask-name", "2026");
    await app.answer("yes");
    await until("the page says that the name is taken", () => app.shows("#message"));
    assert.ok(fs.existsSync(path.join(machine.docroot, "archive", "journey")), "nothing was replaced");

    await app.mark(["journey", "dropped.mov"]);
    await app.click("#delete");
    await look(app, name, "web-delete", SIZE);
    await app.press("Escape");
    await until("the question is gone", async () => !(await app.shows("#ask[open]")));
    assert.ok(fs.existsSync(path.join(machine.docroot, "archive", "journey")), "who leaves the question deletes nothing");
    await app.mark(["journey", "dropped.mov"]);
    // The event that this one closed comes after the next question is there, and is not its answer.
    await app.click("#delete");
    await app.evaluate(() => {
      /** @type {HTMLDialogElement} */ (document.querySelector("#ask")).close("");
      /** @type {HTMLElement} */ (document.querySelector("#delete")).click();
    });
    await app.answer("yes");
    await until("both are gone", async () => (await app.names()).join() === "2026,season.tar");
    assert.deepEqual(fs.readdirSync(path.join(machine.docroot, "archive")).sort(), ["2026", "season.tar"]);
  });

  test("the whole page works by keyboard", async () => {
    await app.page.bringToFront();
    const focus = () => app.evaluate(() => document.activeElement?.getAttribute("data-name") ?? document.activeElement?.id ?? "");
    await app.mark(["2026"]);
    await app.press("ArrowDown");
    assert.equal(await focus(), "season.tar");
    await app.press("ArrowUp");
    await app.press("Enter");
    await app.at("/archive/2026");
    await until("the focus goes along", async () => (await focus()) === "notes.txt");
    await app.press("F2");
    await until("the name can be typed", async () => (await focus()) === "ask-name");
    await app.press("Escape");
    await until("the focus is back", async () => (await focus()) === "notes.txt");
    await app.press("Delete");
    await until("the question comes", () => app.shows("#ask[open]"));
    // Enter on the question as it comes deletes nothing.
    await app.press("Enter");
    await until("the question is gone", async () => !(await app.shows("#ask[open]")));
    assert.ok(fs.existsSync(path.join(machine.docroot, "archive", "2026", "notes.txt")));
    await until("the focus is back", async () => (await focus()) === "notes.txt");
    await app.press("Backspace");
    await app.at("/archive");
    await walk(app);
  });

  test("ten thousand entries are shown at once, of which few are in the document", async () => {
    await app.click('#crumbs [data-path="/"]');
    await app.at("/");
    await app.enterFolder("many", "/many");
    assert.match(await app.text("#count"), /10[,.]000/);
    await app.click(app.named("file-00000.dat"));
    await app.press("End");
    await until("the last one is reached", () => app.shows('#rows [data-name="file-09999.dat"][aria-selected="true"]'));
    assert.ok((await app.names()).length < 100);
    await app.click('[data-sort="type"]');
    await until("the order is turned round", async () => (await app.names())[0] === "file-09999.dat");
    await app.click('[data-sort="type"]');
    await until("and back", async () => (await app.names())[0] === "file-00000.dat");
    await look(app, name, "web-many", SIZE);
  });

  test("a link lets anybody download what it names, until it is taken back", async () => {
    await app.click('#crumbs [data-path="/"]');
    await app.at("/");
    await app.enterFolder("archive", "/archive");
    await app.mark(["2026", "season.tar"]);
    await app.click("#share");
    await look(app, name, "web-share", SIZE);
    await app.click('#ask[open] button[value="yes"]');
    await until("the link is there", () => app.shows("#ask-copy"));
    const link = await app.value("#ask-copy");
    await app.answer("done");
    assert.ok(link.startsWith(`${world.server.web}#share=v4.public.`), link);

    await app.click("#sign-out");
    await until("nobody is signed in", () => app.shows("#sign-in-user"));
    const guest = await App.open(world, link.slice(world.server.web.length));
    await guest.running();
    assert.match(await guest.text("#share-items"), /2026.*season\.tar/);
    await look(guest, name, "web-link", SIZE);
    const saved = machine.made("home/shared");
    const before = await guest.transfers();
    assert.deepEqual(before, [], "transfers of who was signed in before are not the guest's");
    await guest.click("#share-download");
    const picker = await world.browser.window("picker");
    await picker.goTo(saved);
    await picker.click("#choose");
    await world.browser.noWindow("picker");
    await guest.finishes(before);
    assert.deepEqual(compare(path.join(machine.docroot, "archive"), saved).differences, []);

    await app.signIn("demo", "swordfish");
    await until("the files are back", () => app.shows("#view-files"));
    await app.click("#links");
    await until("the link is listed", () => app.shows("#ask[open] .items li"));
    await app.click("#ask[open] .items button");
    await until("it is taken back", async () => !(await app.shows("#ask[open] .items li")));
    await app.answer("done");
    await guest.page.reload();
    await until("the link leads nowhere any more", async () => (await guest.text("#share-error")) !== "");
    await guest.close();
  });

  test("a transfer that was stopped goes on, and what is done can be cleared away", async () => {
    const large = path.join(local, "large.bin");
    makeRandomFile(large, 15_000_000);
    await app.page.reload();
    await app.ready();
    await app.running();
    await app.at("/");
    await app.enterFolder("inbox", "/inbox");
    const before = await until("the page knows its transfers again", async () => {
      const all = await app.transfers();
      return all.length > 1 ? all : undefined;
    });
    await app.click("#upload-files");
    const picker = await world.browser.window("picker");
    await picker.choose(local, ["large.bin"]);
    await world.browser.noWindow("picker");
    await app.click('#transfer-list li:first-child [data-action="stop"]');
    const { uuid } = await app.finishes(before, "cancelled");
    await app.click(`[data-uuid="${uuid}"] [data-action="resume"]`);
    await until("it goes on", async () => (await app.transfers()).some((each) => each.uuid === uuid && each.status !== "cancelled"));
    await app.finishes(before);
    assert.equal(differs(large, path.join(machine.docroot, "inbox", "large.bin")), undefined);
    await app.click("#clear");
    await until("the list is empty", async () => (await app.transfers()).length === 0);
  });

  test("it speaks German, and a narrow window shows all that matters", async () => {
    const german = await App.open(world, "?lang=de#/inbox");
    await german.at("/inbox");
    assert.equal(await german.evaluate(() => document.documentElement.lang), "de");
    assert.equal(await german.text("#new-folder"), "Neuer Ordner…");
    await german.running();
    await look(german, name, "web-german", SIZE);
    await look(german, name, "web-narrow", { width: 420, height: 860 });
    await german.close();
  });

  test("when the session has ended the page asks for a sign-in, and goes on where it was", async () => {
    const other = await App.open(world, "#/inbox");
    await other.at("/inbox");
    await other.click("#sign-out");
    await until("nobody is signed in there", () => other.shows("#sign-in-user"));
    await other.close();
    await app.click("#refresh");
    await until("nor here", async () => (await app.shows("#sign-in-user")) && (await app.text("#sign-in-error")) !== "");
    assert.equal(await app.shows("#view-files"), false);
    await app.signIn("demo", "swordfish");
    await until("the folder is back", async () => (await app.shows("#view-files")) && (await app.names()).includes("large.bin"));
  });

  test("when the server is gone the page says so", async () => {
    await world.server.stop();
    await app.click("#refresh");
    await until("the page says that nobody answers", async () => /does not answer/.test(await app.text("#empty")));
  });
});

inEachBrowser("web application without Godwit", (name) => {
  const world = new World(name);
  before(() => world.start({ register: false }));
  after(() => world.end());

  test("who lacks the application is told what to do, step by step; who has installed it goes on", async () => {
    const app = await App.open(world);
    await app.signIn("demo", "swordfish");
    await app.at("/");
    await until("the page says what is missing", async () => (await app.status()) === "FAILED");
    assert.ok(await app.shows("#install ol li"));
    assert.ok(await app.shows("#upload-files:disabled"));
    await look(app, name, "web-no-program", SIZE);
    // Folders can be made all the same.
    await app.click("#new-folder");
    await app.fill("#ask-name", "made without");
    await app.answer("yes");
    await until("it is there", async () => (await app.names()).includes("made without"));
    world.registerHost();
    const popup = await world.browser.open("popup");
    await until("the extension has found it", async () => {
      await popup.evaluate(() => /** @type {HTMLElement | null} */ (document.querySelector("#retry"))?.click());
      return !(await popup.shows("#agent-missing"));
    });
    await app.page.bringToFront().catch(() => {});
    // As its button does, unless the SDK has found it by itself already.
    await app.page.reload();
    await app.ready();
    await app.running();
    assert.equal(await app.shows("#install"), false);
    await popup.close();
  });

  test("who lacks the extension is told so", async () => {
    await world.browser.driver.uninstallExtension(world.browser.id);
    const app = await App.open(world);
    await until("the page says what is missing", async () => (await app.status()) === "EXTENSION_INSTALL");
    assert.match(await app.text("#install"), name === "chromium" ? /chrome:\/\/extensions/ : /about:debugging/);
    await look(app, name, "web-no-extension", SIZE);
  });
});
