// @ts-check
// The preferences window through the real agent: every setting, its default, its lock, its refusal; sites; files.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

const SIZE = { width: 860, height: 700 };
const row = (/** @type {string} */ name) => `[data-setting="${name}"]`;

inEachBrowser("preferences", (name) => {
  const world = new World(name);
  /** @type {import("../harness/window.mjs").ExtensionWindow} */
  let preferences;
  /** The agent's file, as the window names it. */
  let file = "";

  before(async () => {
    fs.mkdirSync(world.machine.godwitHome, { recursive: true });
    const policy = '[lock.files]\ncheckpoint_suffix = ".journal"\n[trust]\ntrusted = ["https://*.intranet.example"]\n';
    fs.writeFileSync(path.join(world.machine.godwitHome, "policy.toml"), policy);
    await world.start({ server: false });
    preferences = await world.browser.open("preferences");
    file = await preferences.text("#settings-file");
  });
  after(() => world.end());

  /** @param {string} setting @param {string} value */
  const shows = (setting, value) =>
    until(`${setting} shows ${value}`, async () => (await preferences.value(`${row(setting)} .field`)) === value);
  const written = () => fs.readFileSync(file, "utf8");

  test("every setting that the agent has is here, in words", async () => {
    const { known, strange } = await preferences.evaluate(() => {
      const rows = [...document.querySelectorAll("[data-setting]")];
      const name = (/** @type {Element} */ element) => element.getAttribute("data-setting") ?? "";
      return { known: rows.length, strange: rows.filter((r) => r.querySelector("label")?.textContent === name(r)).map(name) };
    });
    assert.ok(known >= 24, `${known} settings`);
    assert.deepEqual(strange, [], "settings without a name in the catalogue");
    await look(preferences, name, "preferences", SIZE);
    for (const section of ["bandwidth", "security", "advanced"]) {
      await preferences.click(`[data-section="${section}"]`);
      await look(preferences, name, `preferences-${section}`, SIZE);
    }
  });

  test("a changed setting is in the agent's file at once and goes back to its default with one button", async () => {
    assert.equal(await preferences.shows(`${row("queue.active")} .reset`), false);
    await preferences.fill("#set-queue-active", "7");
    await until("the file has it", () => fs.existsSync(file) && /active = 7/.test(written()));
    await until("the button is there", () => preferences.shows(`${row("queue.active")} .reset`));
    await preferences.click(`${row("queue.active")} .reset`);
    await shows("queue.active", "3");
    await until("the button is gone", async () => !(await preferences.shows(`${row("queue.active")} .reset`)));
  });

  test("rates and times are typed in the unit of one's choice", async () => {
    const rate = "#set-bandwidth-manual-downloads-kbps";
    await preferences.fill(rate, "1.5");
    await until("the file has kbit/s", () => /manual_downloads_kbps = 1500/.test(written()));
    await preferences.fill(`${row("bandwidth.manual_downloads_kbps")} .unit`, "Gbit/s");
    await until("the unit counts", () => /manual_downloads_kbps = 1500000/.test(written()));
    await preferences.fill(rate, "");
    await until("nothing means no limit", () => /manual_downloads_kbps = 0/.test(written()));
    await preferences.fill(`${row("retry.interval_seconds")} .unit`, "unitMinutes");
    await until("30 minutes", () => /interval_seconds = 1800/.test(written()));
  });

  test("a value that is refused says why beside the field, changes nothing, and Escape brings the old one back", async () => {
    const field = "#set-queue-active";
    for (const wrong of ["0", "many"]) {
      await preferences.fill(field, wrong);
      await until("the reason is shown", async () => /100/.test(await preferences.text(`${row("queue.active")} .field-error`)));
      assert.equal(await preferences.evaluate((s) => document.querySelector(s)?.getAttribute("aria-invalid"), field), "true");
    }
    assert.doesNotMatch(written(), /active = 0/);
    await preferences.fill("#set-files-partial-suffix", "no dot");
    await until("a reason for the suffix", () => preferences.shows(`${row("files.partial_suffix")} .field-error`));
    await preferences.click('[data-section="transfers"]');
    await look(preferences, name, "preferences-refused", SIZE);
    await preferences.evaluate((s) => /** @type {HTMLElement} */ (document.querySelector(s)).focus(), field);
    await preferences.press("Escape");
    await shows("queue.active", "3");
    assert.equal(await preferences.text(`${row("queue.active")} .field-error`), "");
    await preferences.fill("#set-files-partial-suffix", ".partial");
    await until("the right value ends the complaint", async () => !(await preferences.shows(`${row("files.partial_suffix")} .field-error`)));
  });

  test("what the administrator fixed is shown, locked and explained", async () => {
    const locked = row("files.checkpoint_suffix");
    const state = await preferences.evaluate((s) => {
      const element = document.querySelector(s);
      const field = /** @type {HTMLInputElement} */ (element?.querySelector(".field"));
      return { disabled: field.disabled, value: field.value };
    }, locked);
    assert.deepEqual(state, { disabled: true, value: ".journal" });
    assert.ok(await preferences.shows(`${locked} .locked`));
    assert.ok(await preferences.shows('#trusted [data-managed="https://*.intranet.example"]'));
    assert.equal(await preferences.shows("#trusted [data-managed] button"), false);
  });

  test("the window follows the file when somebody edits it", async () => {
    fs.writeFileSync(file, `${written().replace(/^active = .*\n/m, "").replace("[queue]\n", "[queue]\nactive = 9\n")}`);
    await shows("queue.active", "9");
  });

  test("sites are listed, added in any of three lists and forgotten; what is no site is refused with a reason", async () => {
    for (const [list, site] of [["trusted", "https://*.example.com"], ["restricted", "https://bad.example"], ["ask", "https://now.and.then.example"]]) {
      await preferences.fill(`#${list}-new`, /** @type {string} */ (site));
      await preferences.click(`#${list} ~ .adder button`);
      await until(`${site} is in the list`, () => preferences.shows(`#${list} [data-pattern="${site}"]`));
    }
    await preferences.fill("#trusted-new", "not a site");
    await preferences.click("#trusted ~ .adder button");
    await until("the reason is shown", () => preferences.shows("#trusted-error"));
    await preferences.click('#restricted [data-pattern] .forget');
    await until("it is forgotten", async () => !(await preferences.shows("#restricted [data-pattern]")));
  });

  test("servers whose uploads are encrypted are a list: added, refused with a reason, removed by the keyboard", async () => {
    const list = "#set-security-protected-hosts";
    const hosts = () => preferences.evaluate((s) => [...document.querySelectorAll(`${s} [data-host]`)].map((each) => each.getAttribute("data-host")), list);
    const focused = () => preferences.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
    assert.deepEqual(await hosts(), []);
    assert.ok(await preferences.shows(`${list} ~ .none`), "an empty list says so");
    await preferences.click('[data-section="security"]');
    for (const typed of ["store.example", "*.film.example, 192.0.2.7"]) {
      await preferences.fill(`${list}-new`, typed);
      await preferences.click(`${list} ~ .adder button`);
      await until(`${typed} is taken`, async () => (await preferences.value(`${list}-new`)) === "");
    }
    await until("all are listed", async () => String(await hosts()) === "store.example,*.film.example,192.0.2.7");
    assert.match(written(), /protected_hosts = "store\.example \*\.film\.example 192\.0\.2\.7"/u);
    assert.ok(!(await preferences.shows(`${list} ~ .none`)));
    // Nothing is listed twice.
    await preferences.fill(`${list}-new`, "STORE.example");
    await preferences.click(`${list} ~ .adder button`);
    await until("that is in the list", async () => (await preferences.value(`${list}-new`)) === "");
    assert.equal((await hosts()).length, 3);
    await preferences.fill(`${list}-new`, "no://server");
    await preferences.click(`${list} ~ .adder button`);
    await until("the reason is shown", () => preferences.shows(`${list}-error`));
    assert.equal(await preferences.value(`${list}-new`), "no://server", "what was typed can be mended");
    assert.doesNotMatch(written(), /no:/u);
    await preferences.evaluate((s) => document.querySelector(s)?.scrollIntoView({ block: "center" }), list);
    await look(preferences, name, "preferences-protected", SIZE);
    await preferences.press("Escape");
    await until("Escape takes it back", async () => !(await preferences.shows(`${list}-error`)) && (await preferences.value(`${list}-new`)) === "");
    await preferences.evaluate((s) => /** @type {HTMLElement} */ (document.querySelector(`${s} [data-host="*.film.example"] button`)).focus(), list);
    await preferences.press("Enter");
    await until("it is gone", async () => String(await hosts()) === "store.example,192.0.2.7");
    await until("the next can be removed at once", async () => /192\.0\.2\.7/u.test(await focused()));
    await preferences.press("Enter");
    await until("one is left", async () => String(await hosts()) === "store.example");
    // Somebody edits the file: the list follows.
    fs.writeFileSync(file, written().replace('"store.example"', '"other.example"'));
    await until("the window follows", async () => String(await hosts()) === "other.example");
  });

  test("a search leaves what fits, and says so when nothing does", async () => {
    await preferences.fill("#search", "queue.active_up");
    await until("one setting is left", async () => {
      const shown = await preferences.evaluate(() => [...document.querySelectorAll("[data-setting]")].filter((each) => each.getClientRects().length > 0).map((each) => each.getAttribute("data-setting")));
      return String(shown) === "queue.active_uploads";
    });
    await preferences.fill("#search", "zzz");
    await until("nothing fits", () => preferences.shows("#nothing"));
    await preferences.fill("#search", "");
    await until("all are back", () => preferences.shows(row("log.level")));
  });

  test("a file of settings is taken over after a question, except what is locked", async () => {
    const content = { "godwit-settings": 1, settings: { "queue.active": 4, "files.checkpoint_suffix": ".x", "security.protected_hosts": "from.a.file" }, sites: { trusted: ["https://new.example"] } };
    const choose = (/** @type {string} */ text) =>
      preferences.evaluate((json) => {
        const input = /** @type {HTMLInputElement} */ (document.querySelector("#import-file"));
        const carried = new DataTransfer();
        carried.items.add(new File([json], "godwit-settings.json"));
        input.files = carried.files;
        input.dispatchEvent(new Event("change"));
      }, text);
    await choose("{}");
    await until("a strange file is refused", () => preferences.shows("#import-error"));
    await choose(JSON.stringify(content));
    await preferences.click('dialog [value="yes"]');
    await shows("queue.active", "4");
    await until("so is the list of servers", () => preferences.shows('#set-security-protected-hosts [data-host="from.a.file"]'));
    await until("the site is trusted", () => preferences.shows('#trusted [data-pattern="https://new.example"]'));
    await until("what was left is named", async () => /files\.checkpoint_suffix/.test(await preferences.text("#import-result")));
  });

  test("every part can be reached by Tab alone", () => walk(preferences));
});
