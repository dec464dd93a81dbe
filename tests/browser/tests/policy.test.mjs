// @ts-check
// Closed environments: the extension comes from the company's own server, by policy, and so do its updates; what the
// administrator forbids is said.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../harness/browser.mjs";
import { Company } from "../harness/managed.mjs";
import { release } from "../harness/release.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

/** Where browsers keep their profile by themselves: there they look for hosts. */
const PROFILES = { chromium: "home/.config/chromium", firefox: "profile-firefox" };

inEachBrowser("policy", (name) => {
  const world = new World(name);
  const { machine } = world;
  Object.assign(machine.environment, { GODWIT_SETUP_AS_ROOT: "1" });
  /** @type {Company} */
  let company;
  let id = "";

  before(async () => {
    company = await Company.open(machine, name);
    id = company.publish("1.0.0");
    machine.run("godwit-setup", ["install", "--from", release(machine, "1.0.0", [id])]);
    await world.serve();
  });
  after(async () => {
    company?.close();
    await world.end();
  });

  const start = async () => {
    const managed = { program: company.program(), id };
    world.browser = await Browser.launch(machine, name, { register: false, profile: PROFILES[name], managed });
  };

  /** The page gets an answer that only the agent can give. */
  const answered = async () => {
    const site = await world.openSite();
    const { ok } = await site.first("version");
    assert.equal(typeof ok?.version, "string", JSON.stringify(ok));
  };

  test("the extension is there by policy, from the company's server, and finds the host although all others are blocked", async () => {
    company.decree((policy) => {
      if (name === "chromium") policy.NativeMessagingBlocklist = ["*"];
    });
    await start();
    assert.equal(await world.browser.version(), "1.0.0");
    await answered();
  });

  // Chromium finds the new version at once, and now and then unpacks it minutes later.
  const slow = name === "chromium" && process.env.GODWIT_SOAK === undefined && "takes minutes at times: GODWIT_SOAK=1 runs it";
  test("a higher version on the company's server takes its place", { skip: slow }, async () => {
    company.publish("1.0.1");
    await world.browser.update("1.0.1");
    await world.browser.close();
    await start();
    await until("the new version runs", async () => (await world.browser.version()) === "1.0.1");
    await answered();
  });

  test("sites that the administrator trusts are not asked about, those on no list may nothing, and what is fixed is locked", async () => {
    await world.browser.close();
    machine.run("godwit", ["agent", "stop"]);
    const { origin } = new URL(world.pages.address);
    company.rule(`[lock.queue]\nactive = 7\n[lock.security]\nprotected_hosts = "*.company.example"\n[trust]\ntrusted = ["${origin}"]\nonly_listed = true\n`);
    await start();
    const site = await world.openSite();
    void site.first("showSelectFileDialog", { title: "A file" });
    const picker = await world.browser.window("picker");
    assert.deepEqual(await world.browser.windows("consent"), []);
    await picker.click("#cancel");
    await world.browser.noWindow("picker");

    const stranger = await world.openSite(await world.newOrigin());
    const refused = await stranger.first("showSelectFileDialog", { title: "A file" });
    assert.equal(refused.ok, undefined, JSON.stringify(refused));
    assert.deepEqual([...(await world.browser.windows("consent")), ...(await world.browser.windows("picker"))], []);

    const preferences = await world.browser.open("preferences");
    const active = '[data-setting="queue.active"]';
    await until("the fixed value is shown", async () => (await preferences.value(`${active} .field`)) === "7");
    assert.equal(await preferences.evaluate((s) => /** @type {HTMLInputElement} */ (document.querySelector(s)).disabled, `${active} .field`), true);
    const list = "#set-security-protected-hosts";
    await until("the list of servers is the administrator's", async () => /administrator/i.test(await preferences.text(`${list} [data-host="*.company.example"]`)));
    assert.ok(!(await preferences.shows(`${list} button`)) && !(await preferences.shows(`${list}-new`)), "and cannot be changed");
    await until("the site is listed as the administrator's", async () => /administrator/i.test(await preferences.text(`[data-managed="${origin}"]`)));
  });

  test("sites and settings of the browser's own policies hold after those of the machine, are locked, and end when they are taken back", async () => {
    const again = async () => {
      await world.browser.close();
      machine.run("godwit", ["agent", "stop"]);
      await start();
      return world.browser.open("preferences");
    };
    const { origin } = new URL(world.pages.address);
    company.rule("[lock.queue]\nactive = 7\n");
    company.decree((policy) => {
      const wrong = { "lock.retry.interval_seconds": 0 };
      const settings = { "lock.queue.active": 9, "lock.retry.attempts": 8, "set.queue.active_uploads": 2, ...wrong };
      Object.assign(company.managed(policy, id), settings, { "trust.trusted": [origin], "trust.only_listed": true });
    });
    let preferences = await again();
    const field = (/** @type {string} */ name) => `[data-setting="${name}"] .field`;
    const locked = (/** @type {string} */ name) =>
      preferences.evaluate((s) => /** @type {HTMLInputElement} */ (document.querySelector(s)).disabled, field(name));
    await until("the browser's value is shown", async () => (await preferences.value(field("retry.attempts"))) === "8");
    assert.deepEqual([await preferences.value(field("queue.active")), await preferences.value(field("queue.active_uploads"))], ["7", "2"]);
    const names = ["retry.attempts", "queue.active", "queue.active_uploads", "retry.interval_seconds"];
    assert.deepEqual(await Promise.all(names.map(locked)), [true, true, false, false]);
    assert.match(await preferences.text(`[data-setting="retry.attempts"] .locked`), /administrator/i);
    // Chromium holds back what its schema does not allow.
    const told = name === "firefox" ? /policy of firefox.*retry\.interval_seconds/ : /^$/;
    assert.match(await preferences.text("#problems"), told);
    await until("the site is listed as the administrator's", async () => /administrator/i.test(await preferences.text(`[data-managed="${origin}"]`)));

    const site = await world.openSite();
    void site.first("showSelectFileDialog", { title: "A file" });
    const picker = await world.browser.window("picker");
    await picker.click("#cancel");
    await world.browser.noWindow("picker");
    const stranger = await world.openSite(await world.newOrigin());
    const refused = await stranger.first("showSelectFileDialog", { title: "A file" });
    assert.equal(refused.ok, undefined, JSON.stringify(refused));
    assert.deepEqual([...(await world.browser.windows("consent")), ...(await world.browser.windows("picker"))], []);

    company.decree();
    preferences = await again();
    await until("the user's value holds again", async () => (await preferences.value(field("retry.attempts"))) === "3");
    assert.deepEqual(await Promise.all(names.map(locked)), [false, true, false, false]);
    await until("no site is listed", async () => !(await preferences.evaluate(() => document.querySelector("[data-managed]") !== null)));
  });

  test("a host that the administrator blocks is named as such, with what to ask for", { skip: name === "firefox" && "no such policy" }, async () => {
    await world.browser.close();
    company.decree((policy) => {
      policy.NativeMessagingAllowlist = [];
      policy.NativeMessagingBlocklist = ["io.godwit.host"];
    });
    await start();
    const popup = await world.browser.open("popup");
    await until("the popup says who disabled it", async () => /administrator has disabled/.test(await popup.text("#agent-missing")));
    assert.match(await popup.text("#agent-missing"), /io\.godwit\.host/);
  });

  test("an extension that the administrator blocks is gone, and pages see that", async () => {
    await world.browser.close();
    company.decree((policy) => {
      const settings = name === "chromium" ? policy.ExtensionSettings : policy.policies.ExtensionSettings;
      for (const each of Object.keys(settings)) settings[each] = { installation_mode: "blocked" };
    });
    const managed = { program: company.program(), id, absent: true };
    world.browser = await Browser.launch(machine, name, { register: false, profile: PROFILES[name], managed });
    const site = await world.browser.site(world.pages.address);
    await site.begin();
    await until("the SDK reports FAILED", async () => (await site.statuses()).includes("FAILED"));
    assert.equal(await world.browser.version(), undefined);
  });
});
