// @ts-check
// Installed by godwit-setup into a user's home: the browser finds the host where it always looks, transfers work, an upgrade
// does not disturb them, and the removal leaves nothing.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { release } from "../harness/release.mjs";
import { differs, makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const SIZE = 30_000_000;
/** Where browsers keep their profile by themselves: there they look for hosts. */
const PROFILES = { chromium: "home/.config/chromium", firefox: "profile-firefox" };

inEachBrowser("installation", (name) => {
  const world = new World(name);
  const { machine } = world;
  Object.assign(machine.environment, { GODWIT_SETUP_AS_ROOT: "1" });
  const file = path.join(machine.files, "reel.bin");
  const ours = path.join(machine.home, ".local/share/godwit");

  /** @param {string[]} args */
  const setup = (...args) => machine.run("godwit-setup", args);
  /** The version that the agent's program is from. */
  const agents = () =>
    machine
      .processes()
      .filter((each) => each.name === "godwit-agent")
      .map((each) => fs.readlinkSync(`/proc/${each.pid}/exe`).slice(path.join(ours, "versions/").length).split("-")[0]);
  /** @param {string} to @param {object} [more] */
  const upload = (to, more) => ({
    ...world.server.spec(),
    ...more,
    direction: "send",
    paths: [{ source: file }],
    destination_root: to,
    create_dir: true,
  });
  /** @param {string} from */
  const arrived = (from) => assert.equal(differs(file, path.join(machine.docroot, from, "reel.bin")), undefined);
  /** @type {string[]} */
  let homeBefore;

  before(async () => {
    makeRandomFile(file, SIZE);
    homeBefore = fs.readdirSync(machine.home).sort();
    setup("install", "--from", release(machine, "1.0.0"));
    await world.start({ register: false, profile: PROFILES[name] });
  });
  after(() => world.end());

  test("the browser finds the installed host, and a file goes through the installed programs", async () => {
    const site = await world.openSite();
    await world.pickAfterConsent(site, [file]);
    const uuid = await site.start(upload("/first"));
    await site.reaches(uuid, "completed");
    arrived("first");
    assert.deepEqual(agents(), ["1.0.0"]);
  });

  test("after an upgrade in mid-transfer the new agent takes over, and the transfer completes", async () => {
    const site = await world.openSite();
    await world.pickFile(site, file);
    const uuid = await site.start(upload("/upgrade", { rate_policy: "fixed", target_rate_kbps: 24_000 }));
    await site.midway(uuid);
    setup("install", "--from", release(machine, "1.1.0"));
    // Whoever talks to the agent next makes it look.
    machine.run(path.join(ours, "current/bin/godwit"), ["status"]);
    await until("the new version's agent runs", () => agents().join() === "1.1.0");
    await site.reaches(uuid, "completed");
    arrived("upgrade");
    assert.equal(fs.readFileSync(path.join(ours, "current/VERSION"), "utf8").trim(), "1.1.0");
  });

  test("the removal takes everything that was installed, and leaves settings and queue", async () => {
    await world.browser.close();
    machine.run("godwit", ["agent", "stop"]);
    setup("uninstall");
    assert.equal(fs.existsSync(ours), false);
    const left = fs.readdirSync(machine.home, { recursive: true }).map(String);
    assert.deepEqual(left.filter((each) => /io\.godwit\.host|godwit\.desktop|godwit\.(svg|png)$|bin\/godwit/.test(each)), []);
    assert.ok(fs.existsSync(machine.godwitHome));
    const own = name === "chromium" ? [".config"] : [];
    const made = fs.readdirSync(machine.home).filter((each) => !homeBefore.includes(each) && !own.includes(each));
    // What the browser made for itself.
    assert.deepEqual(made.filter((each) => ![".cache", ".mozilla", ".pki", "Downloads", "Desktop", ".config", ".local"].includes(each)), []);
  });
});
