// @ts-check
// The transfer outlives the page, the background and the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import path from "node:path";
import { differs, makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { TRANSFER, until } from "../harness/wait.mjs";

const SIZE = 30_000_000;
const SLOW = { rate_policy: "fixed", target_rate_kbps: 24_000 };

inEachBrowser("survival", (name) => {
  const world = new World(name);
  const file = path.join(world.machine.files, "survivor.bin");
  before(async () => {
    makeRandomFile(file, SIZE);
    await world.start();
    await world.pickAfterConsent(await world.openSite(), [file]);
  });
  after(() => world.end());

  /** @param {string} to @param {number} [kbps] */
  const upload = (to, kbps) => ({
    ...world.server.spec(),
    ...SLOW,
    ...(kbps ? { target_rate_kbps: kbps } : {}),
    direction: "send",
    paths: [{ source: file }],
    destination_root: to,
    create_dir: true,
  });
  /** @param {string} from */
  const arrived = (from) => differs(file, path.join(world.machine.docroot, from, "survivor.bin"));

  test("the background may be stopped in mid-transfer: the page goes on asking, and sees the end", async () => {
    const site = await world.openSite();
    await world.pickFile(site, file);
    const uuid = await site.start(upload("/background"));
    await site.midway(uuid);
    await world.browser.stopBackground();
    const { ok } = await site.first("version");
    assert.equal(ok.version, "4.2.0.1");
    await site.reaches(uuid, "completed");
    assert.equal(arrived("background"), undefined);
  });

  test("P7: after the background was stopped while idle, dialogs and transfers work as before", async () => {
    const site = await world.openSite();
    await world.browser.stopBackground();
    await world.pickFile(site, file);
    await world.browser.stopBackground();
    const uuid = await site.start(upload("/idle", 800_000));
    await site.reaches(uuid, "completed");
    assert.equal(arrived("idle"), undefined);
  });

  for (const [how, end] of /** @type {[string, (b: any) => Promise<void>][]} */ ([
    ["killed with SIGKILL", (browser) => browser.kill()],
    ["quit", (browser) => browser.close()],
  ])) {
    test(`the browser is ${how} in mid-transfer: the transfer completes, is verified, and the page finds it again`, async () => {
      const to = how.split(" ")[0];
      const site = await world.openSite();
      await world.pickFile(site, file);
      const uuid = await site.start(upload(to));
      await site.midway(uuid);
      await end(world.browser);

      const status = () => world.machine.status().transfers.find((/** @type {any} */ each) => each.uuid === uuid);
      assert.ok(["running", "completed"].includes(status().status), `after the end of the browser: ${status().status}`);
      await until("the transfer completes without a browser", () => status().status === "completed", TRANSFER);
      assert.equal(arrived(to), undefined);

      await world.startBrowser();
      const again = await world.openSite();
      const info = await again.last("getTransfer", uuid);
      assert.equal(info.ok?.transfer_info.status, "completed", JSON.stringify(info));
      assert.equal(info.ok.transfer_info.bytes_written, SIZE);
    });
  }
});
