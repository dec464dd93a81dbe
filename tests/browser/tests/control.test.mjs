// @ts-check
// Stop, resume, remove: from the page and from the popup.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import path from "node:path";
import { differs, makeRandomFile } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

const SIZE = 24_000_000;
/** Slow enough to be caught in the middle, fast enough to end soon. */
const SLOW = { rate_policy: "fixed", target_rate_kbps: 24_000 };

inEachBrowser("control", (name) => {
  const world = new World(name);
  const file = path.join(world.machine.files, "film.bin");
  /** @type {import("../harness/site.mjs").Site} */
  let site;
  before(async () => {
    makeRandomFile(file, SIZE);
    await world.start();
    site = await world.openSite();
    await world.pickAfterConsent(site, [file]);
  });
  after(() => world.end());

  /** @param {string} to */
  const upload = (to) => ({
    ...world.server.spec(),
    ...SLOW,
    direction: "send",
    paths: [{ source: file }],
    destination_root: to,
    create_dir: true,
  });
  /** @param {string} from */
  const arrived = (from) => differs(file, path.join(world.machine.docroot, from, "film.bin"));

  test("a transfer that the page stops is cancelled, and goes on from there when the page resumes it", async () => {
    const uuid = await site.start(upload("/page"));
    await site.midway(uuid);
    assert.ok((await site.last("stopTransfer", uuid)).ok);
    const stopped = await site.reaches(uuid, "cancelled");
    assert.ok(stopped.bytes_written < SIZE, "it was stopped before the end");

    const resumed = await site.last("resumeTransfer", uuid, {});
    assert.ok(resumed.ok, JSON.stringify(resumed.error));
    const info = await site.reaches(uuid, "completed");
    assert.equal(info.bytes_written, SIZE);
    assert.equal(arrived("page"), undefined);
  });

  test("the popup shows the transfer, stops it and resumes it", async () => {
    const uuid = await site.start(upload("/popup"));
    await site.midway(uuid);
    const popup = await world.browser.open("popup");
    const shown = await until("the popup shows it running", async () => {
      const row = await popup.row(uuid);
      return row?.status === "running" ? row : undefined;
    });
    assert.match(shown.title, /film\.bin/);
    await popup.click(`[data-uuid="${uuid}"] .stop`);
    await until("the popup shows it stopped", async () => (await popup.row(uuid))?.status === "cancelled");
    await site.reaches(uuid, "cancelled");
    await popup.click(`[data-uuid="${uuid}"] .resume`);
    await site.reaches(uuid, "completed");
    await until("the popup shows it completed", async () => (await popup.row(uuid))?.status === "completed");
    assert.equal(arrived("popup"), undefined);
    await popup.close();
  });

  test("a transfer that is removed in mid-way leaves the list, is reported once as removed, and leaves nothing under the final name", async () => {
    const uuid = await site.start(upload("/removed"));
    await site.midway(uuid);
    assert.ok((await site.last("removeTransfer", uuid)).ok);
    await site.reaches(uuid, "removed");
    const all = await site.first("getAllTransfers", 0);
    assert.ok(!all.ok.transfers.some((/** @type {any} */ info) => info.uuid === uuid), "it is still listed");
    assert.match(arrivedError("removed"), /ENOENT/);
  });

  test("the popup removes a finished transfer from the list", async () => {
    const uuid = await site.start({ ...upload("/short"), target_rate_kbps: 800_000 });
    await site.reaches(uuid, "completed");
    const popup = await world.browser.open("popup");
    await until("the popup shows it", () => popup.row(uuid));
    await popup.click(`[data-uuid="${uuid}"] .remove`);
    await until("the row is gone", async () => (await popup.row(uuid)) === null);
    await site.reaches(uuid, "removed");
    assert.equal(arrived("short"), undefined, "the file stays");
    await popup.close();
  });

  /** @param {string} from */
  function arrivedError(from) {
    try {
      return arrived(from) ?? "equal";
    } catch (error) {
      return String(error);
    }
  }
});
