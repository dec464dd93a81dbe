// @ts-check
// A server that wants another login asks the user, not the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import path from "node:path";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("credentials", (name) => {
  const world = new World(name);
  const file = path.join(world.machine.files, "one.bin");
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  let targets = 0;

  before(async () => {
    makeRandomFile(file, 10_000);
    await world.start();
    site = await world.openSite();
    await world.pickAfterConsent(site, [file]);
  });
  after(() => world.end());

  /** Starts an upload without a password, or with another one. @param {object} more @param {object} [settings] */
  const start = (more, settings = {}) => {
    const { remote_password, ...spec } = world.server.spec();
    targets += 1;
    const where = { direction: "send", paths: [{ source: file }], destination_root: `/in${targets}`, create_dir: true };
    return site.start({ ...spec, ...where, ...more }, settings);
  };
  /** The window with its button awake. */
  const asked = async () => {
    const window = await world.browser.window("credentials");
    await until("the button wakes up", () => window.evaluate(() => !(/** @type {any} */ (document.querySelector("#log-in")).disabled)));
    return window;
  };
  /** The agent refuses a login with the same window again: wait for the new one. */
  const askedAgain = async () => {
    await until("it is asked again", async () => {
      const [window] = await world.browser.windows("credentials");
      return window !== undefined && (await window.text("#problem").catch(() => "")) !== "";
    });
    return asked();
  };

  test("a wrong password opens the window, a right one completes the transfer", async () => {
    const uuid = await start({ remote_password: "wrong" });
    const window = await asked();
    assert.equal(await window.text("#server"), `127.0.0.1:${world.server.port}`);
    assert.equal(await window.text("#origin"), new URL(world.pages.address).origin);
    assert.notEqual(await window.text("#problem"), "", "it says that the login was refused");
    assert.equal(await window.evaluate(() => document.activeElement?.id), "password");
    await look(window, name, "credentials", { width: 520, height: 560 });
    await walk(window);
    await window.click("#log-in");
    assert.notEqual(await window.text("#problem"), "", "an empty password is not sent");
    await window.fill("#password", world.server.password);
    await window.click("#log-in");
    await site.reaches(uuid, "completed");
    await world.browser.noWindow("credentials");
    const { ok } = await site.first("getAllTransfers", 0);
    assert.ok(!JSON.stringify(ok).includes(world.server.password), "the page does not learn what was typed");
  });

  test("a password that was mistyped is asked for again, and saved once it is right", async () => {
    const uuid = await start({});
    const window = await asked();
    await window.fill("#password", "mistyped");
    await window.click("#save");
    await window.click("#log-in");
    const again = await askedAgain();
    await again.fill("#password", world.server.password);
    await again.click("#save");
    await again.press("Enter");
    await site.reaches(uuid, "completed");
    await world.browser.noWindow("credentials");

    await site.reaches(await start({}), "completed");
    assert.equal((await world.browser.windows("credentials")).length, 0, "the saved one is used");
  });

  test("Escape, the button and closing the window end the transfer with error 19", async () => {
    for (const how of ["Escape", "button", "close"]) {
      const uuid = await start({ remote_user: `nobody-${how}` });
      const window = await asked();
      if (how === "Escape") await window.press("Escape");
      else if (how === "button") await window.click("#cancel");
      else await window.close();
      await site.reaches(uuid, "failed");
      const { ok } = await site.last("getTransfer", uuid);
      assert.equal(ok.transfer_info.error_code, 19, how);
      await world.browser.noWindow("credentials");
    }
  });

  test("a page that allows no dialogs gets the error and no window", async () => {
    const uuid = await start({ remote_user: "nobody" }, { allow_dialogs: false });
    await site.reaches(uuid, "failed");
    assert.equal((await world.browser.windows("credentials")).length, 0);
  });
});
