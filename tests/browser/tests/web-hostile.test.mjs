// @ts-check
// Files whose names would like to be markup, scripts, addresses or formulas, in every view of the server's web application.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { App } from "../harness/app.mjs";
import { look } from "../harness/look.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const SIZE = { width: 1200, height: 900 };
/** A folder's name; a name has no slash in it. */
const FOLDER = `"><img src=x onerror="window.hit=1">`;
const FILES = [
  `<img src=x onerror=window.hit=2>.txt`,
  `<script>window.hit=3<script>.html`,
  `"><svg onload=window.hit=4>`,
  `' onmouseover='window.hit=5`,
  `javascript:window.hit=6`,
  `&lt;b&gt;&amp;amp;`,
  `{{7*7}} $\{7*7}`,
  `=HYPERLINK("x")`,
  `%3Cimg src=x%3E`,
  `#share=v4.public.x`,
  `?lang=de&x=1`,
];
const ALL = [FOLDER, ...FILES];

inEachBrowser("hostile names in the web application", (name) => {
  const world = new World(name);
  const { machine } = world;
  /** @type {App} */
  let app;

  before(async () => {
    fs.mkdirSync(path.join(machine.docroot, FOLDER), { recursive: true });
    for (const file of FILES) fs.writeFileSync(path.join(machine.docroot, file), "x");
    fs.writeFileSync(path.join(machine.docroot, FOLDER, FILES[0]), "inside");
    await world.start();
  });
  after(() => world.end());

  /** Counts what the page's policy had to stop. @param {App} page */
  const watch = (page) =>
    page.evaluate(() => {
      const own = /** @type {any} */ (window);
      own.stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => own.stopped.push(`${event.violatedDirective} ${event.blockedURI}`));
    });

  /** Nothing of a name became a part of the page. @param {App} page @param {string} where */
  const harmless = async (page, where) => {
    const found = await page.evaluate(() => {
      const own = /** @type {any} */ (window);
      const odd = [...document.querySelectorAll("img:not([src='/icons/godwit.svg']), iframe, object, embed, script:not([src]), base, form[action], a[href^='javascript:'], svg[onload], [onerror], [onload], [onmouseover], [onclick], #rows b")];
      return { hit: own.hit ?? null, stopped: own.stopped, odd: odd.map((element) => element.outerHTML), title: document.title };
    });
    assert.equal(found.hit, null, `${where}: a name was run`);
    assert.deepEqual(found.odd, [], `${where}: a name became an element`);
    assert.deepEqual(found.stopped, [], `${where}: only the policy stopped it`);
  };

  /** Chooses the entry of this name, whatever is in it. @param {string} wanted */
  const choose = (wanted) =>
    app.evaluate((text) => {
      const row = [...document.querySelectorAll("#rows [data-name]")].find((each) => each.getAttribute("data-name") === text);
      /** @type {HTMLElement} */ (row).click();
    }, wanted);

  test("T24: names that would be markup are shown as they are, in the list, in the way to a folder and in its address", async () => {
    app = await App.open(world);
    await watch(app);
    await app.signIn("demo", "swordfish");
    await app.at("/");
    assert.deepEqual((await app.names()).sort(), [...ALL].sort());
    const shown = await app.evaluate(() => [...document.querySelectorAll("#rows [data-name] .label")].map((label) => label.textContent ?? ""));
    assert.deepEqual(shown.sort(), [...ALL].sort());
    await harmless(app, "the list");
    await look(app, name, "web-hostile", SIZE);
    await app.evaluate((text) => {
      const rows = [...document.querySelectorAll("#rows [data-name]")];
      /** @type {HTMLElement} */ (rows.find((row) => row.getAttribute("data-name") === text)?.querySelector(".open")).click();
    }, FOLDER);
    await app.at(`/${FOLDER}`);
    assert.ok((await app.text("#crumbs")).includes(FOLDER));
    await harmless(app, "the way to the folder");
    // Straight to it, by its address.
    await app.page.reload();
    await app.ready();
    await watch(app);
    await app.at(`/${FOLDER}`);
    assert.deepEqual(await app.names(), [FILES[0]]);
    await harmless(app, "the folder by its address");
    await app.click('#crumbs [data-path="/"]');
    await app.at("/");
  });

  test("T24: nor do they become more in questions, messages and links", async () => {
    for (const wanted of [FOLDER, FILES[0], FILES[1], FILES[2]]) {
      await choose(wanted);
      await app.click("#rename");
      assert.equal(await app.value("#ask-name"), wanted);
      await harmless(app, `renaming ${wanted}`);
      await app.press("Escape");
      await until("the question is gone", async () => !(await app.shows("#ask[open]")));
      await choose(wanted);
      await app.click("#delete");
      assert.ok((await app.text("#ask[open]")).includes(wanted), await app.text("#ask[open]"));
      await harmless(app, `deleting ${wanted}`);
      await app.press("Escape");
      await until("the question is gone", async () => !(await app.shows("#ask[open]")));
    }
    // A name that is taken: the message says which.
    await app.click("#new-folder");
    await app.fill("#ask-name", FOLDER);
    await app.answer("yes");
    await until("the page says that the name is taken", () => app.shows("#message"));
    await harmless(app, "the message");

    await choose(FILES[0]);
    await app.click("#share");
    await app.click('#ask[open] button[value="yes"]');
    await until("the link is there", () => app.shows("#ask-copy"));
    const link = await app.value("#ask-copy");
    await harmless(app, "the new link");
    await app.answer("done");
    await app.click("#links");
    await until("the link is listed", () => app.shows("#ask[open] .items li"));
    assert.ok((await app.text("#ask[open] .items")).includes(FILES[0]));
    await harmless(app, "the list of links");
    await app.answer("done");

    const guest = await App.open(world, link.slice(world.server.web.length));
    await watch(guest);
    await until("the guest sees what it is", async () => (await guest.text("#share-items")).includes(FILES[0]));
    await harmless(guest, "what a link leads to");
    await guest.close();
  });

  test("T24: an address of the page leads nowhere else and runs nothing", async () => {
    const { origin } = new URL(world.server.web);
    for (const more of ["#//evil.example", "#javascript:window.hit=7", "#share=<img src=x onerror=window.hit=8>", "?lang=<img src=x onerror=window.hit=9>#/", "?next=https://evil.example", "#/%3Cimg%20src=x%20onerror=window.hit=10%3E", "#%", "#/../../evil.example"]) {
      const other = await App.open(world, more);
      await watch(other);
      await until("the page has looked", () => other.evaluate(() => document.readyState === "complete" && !document.querySelector("#scroller[aria-busy]")));
      assert.equal(await other.evaluate(() => location.origin), origin, more);
      await harmless(other, more);
      await other.close();
    }
  });
});
