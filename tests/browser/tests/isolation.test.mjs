// @ts-check
// What a site may see and name.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import path from "node:path";
import { inEachBrowser, World } from "../harness/world.mjs";

inEachBrowser("isolation", (name) => {
  const world = new World(name);
  const file = path.join(world.machine.files, "mine.txt");
  const secret = path.join(world.machine.files, "secret.txt");
  before(async () => {
    fs.writeFileSync(file, "mine");
    fs.writeFileSync(secret, "nobody picked this");
    await world.start();
  });
  after(() => world.end());

  const upload = (/** @type {string} */ source) => ({
    ...world.server.spec(),
    direction: "send",
    paths: [{ source }],
    destination_root: "/",
  });

  test("a site does not see the transfers of another, even with the same app id", async () => {
    const mine = await world.openSite(world.pages.address);
    await world.pickAfterConsent(mine, [file]);
    const uuid = await mine.start(upload(file));
    await mine.reaches(uuid, "completed");
    assert.equal((await mine.first("getAllTransfers", 0)).ok.transfers.length, 1);

    const theirs = await world.openSite(world.pages.localhost);
    assert.equal(theirs.appId, mine.appId);
    await world.pickAfterConsent(theirs, [file]);
    assert.deepEqual((await theirs.first("getAllTransfers", 0)).ok.transfers, []);
    const info = await theirs.last("getTransfer", uuid);
    assert.equal(info.error?.error?.code, 404, JSON.stringify(info));
    for (const action of ["stopTransfer", "removeTransfer"]) {
      const answer = await theirs.last(action, uuid);
      assert.equal(answer.error?.error?.code, 404, `${action}: ${JSON.stringify(answer)}`);
    }
    assert.equal((await mine.first("getAllTransfers", 0)).ok.transfers.length, 1);
  });

  test("H11: a page that names a path nobody picked gets 406, and nothing is sent", async () => {
    const site = await world.openSite(world.pages.address);
    for (const [source, code] of [
      [secret, 406],
      ["/etc/hostname", 406],
      [world.machine.files, 406],
      [`${file}/../secret.txt`, 400], // no path of a dialog: refused before anybody asks what was picked
    ]) {
      const answer = await site.last("startTransfer", upload(String(source)), {});
      assert.equal(answer.error?.error?.code, code, `${source}: ${JSON.stringify(answer)}`);
    }
    assert.ok(!fs.existsSync(path.join(world.machine.docroot, "secret.txt")));
    assert.ok(!fs.existsSync(path.join(world.machine.docroot, "hostname")));
  });

  test("H12: a page that names an absolute download folder nobody picked gets 406", async () => {
    const site = await world.openSite(world.pages.address);
    const answer = await site.last(
      "startTransfer",
      {
        ...world.server.spec(),
        direction: "receive",
        paths: [{ source: "/mine.txt" }],
        destination_root: world.machine.home,
      },
      { use_absolute_destination_path: true },
    );
    assert.equal(answer.error?.error?.code, 406, JSON.stringify(answer));
    assert.ok(!fs.existsSync(path.join(world.machine.home, "mine.txt")));
  });

  test("H15: the password is in nothing that a page can read back", async () => {
    const site = await world.openSite(world.pages.address);
    const all = await site.first("getAllTransfers", 0);
    assert.ok(all.ok.transfers.length > 0);
    assert.ok(!JSON.stringify(all).includes(world.server.password));
  });
});
