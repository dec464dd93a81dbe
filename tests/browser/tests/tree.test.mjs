// @ts-check
// The main job: a tree goes up and comes back, byte for byte.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import path from "node:path";
import { compare, list, makeTree } from "../harness/tree.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

inEachBrowser("a tree", (name) => {
  const world = new World(name);
  const { files, docroot } = world.machine;
  const source = path.join(files, "tree");
  before(async () => {
    makeTree(source, { files: 1_200, large: 300_000_000 });
    fs.writeFileSync(path.join(files, "first.txt"), "for the first dialog");
    await world.start();
  });
  after(() => world.end());

  /** Starts, measures from the click to the first byte, waits for the end. @param {import("../harness/site.mjs").Site} site @param {{direction: string} & Record<string, unknown>} spec @param {object} [settings] */
  async function transfer(site, spec, settings) {
    const clicked = await site.now();
    const uuid = await site.start(spec, settings);
    const accepted = await site.now();
    // Asked again and again, because the SDK's own listener asks every two seconds only.
    const moving = async () => (await site.last("getTransfer", uuid)).ok?.transfer_info.bytes_written > 0;
    await until("the first byte is there", moving);
    const [answer, first] = [accepted - clicked, (await site.now()) - clicked].map(Math.round);
    console.log(`    ${name}: ${spec.direction}: click to the SDK's answer ${answer} ms, to the first byte reported ${first} ms`);
    return site.reaches(uuid, "completed");
  }

  test("1,200 files, empty ones, long and foreign names and 300 MB arrive on the server as they were", async (t) => {
    assert.equal([...list(source).keys()].filter((each) => !each.endsWith("/")).length, 1_200);
    const site = await world.openSite();
    await world.pickAfterConsent(site, [path.join(files, "first.txt")]);
    const picked = await world.pickFolder(site, source);
    assert.equal(picked.ok.dataTransfer.files[0].name, source);

    const info = await transfer(site, {
      ...world.server.spec(),
      direction: "send",
      paths: [{ source }],
      destination_root: "/inbox",
      create_dir: true,
    });
    assert.equal(info.bytes_written, info.bytes_expected);
    assert.equal(info.file_counts.completed, 1_200);
    const result = compare(source, path.join(docroot, "inbox/tree"));
    assert.deepEqual(result.differences, []);
    assert.equal(result.files, 1_200);
    t.diagnostic(`${result.files} files, ${result.bytes} bytes compared`);
  });

  test("the same tree comes back into a folder that was picked, as it was", async (t) => {
    const site = await world.openSite();
    const target = world.machine.made("files/back");
    await world.pickFolder(site, target);
    await transfer(
      site,
      {
        ...world.server.spec(),
        direction: "receive",
        paths: [{ source: "/inbox/tree" }],
        destination_root: target,
        create_dir: true,
      },
      { use_absolute_destination_path: true },
    );
    const result = compare(source, path.join(target, "tree"));
    assert.deepEqual(result.differences, []);
    assert.equal(result.files, 1_200);
    t.diagnostic(`${result.files} files, ${result.bytes} bytes compared`);
  });

  test("a download without a chosen folder lands in the download folder, beneath it only", async () => {
    const site = await world.openSite();
    const uuid = await site.start({
      ...world.server.spec(),
      direction: "receive",
      paths: [{ source: "/inbox/tree/special" }],
      destination_root: "from-site",
      create_dir: true,
    });
    const info = await site.reaches(uuid, "completed");
    assert.ok(path.isAbsolute(info.explorer_path), info.explorer_path);
    const found = find(world.machine.folder, "from-site");
    assert.deepEqual(compare(path.join(source, "special"), path.join(found, "special")).differences, []);

    const escaping = await site.last(
      "startTransfer",
      { ...world.server.spec(), direction: "receive", paths: [{ source: "/inbox" }], destination_root: "../../outside" },
      {},
    );
    assert.ok(escaping.error, "a destination outside the download folder was accepted");
  });
});

/** The folder of this name below `folder`. @param {string} folder @param {string} name @returns {string} */
function find(folder, name) {
  const found = [...list(folder).keys()].find((each) => each.endsWith(`/${name}/`) || each === `${name}/`);
  assert.ok(found, `${name} is nowhere below ${folder}`);
  return path.join(folder, found);
}
