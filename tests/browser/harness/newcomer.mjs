// @ts-check
// What a new user does on a machine on which nothing was done yet, from the stick to the last file that is gone. Runs there
// (`clean-root.mjs`): `newcomer.mjs BROWSER BYTES`.

import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { Browser } from "./browser.mjs";
import { Machine } from "./machine.mjs";
import { TransferServer } from "./server.mjs";
import { differs, makeRandomFile } from "./tree.mjs";
import { until } from "./wait.mjs";
import { World } from "./world.mjs";

const HOME = "/home/ann";
/** Where browsers keep their profile by themselves: there Chromium looks for hosts. */
const PROFILES = { chromium: `${HOME}/.config/chromium`, firefox: `${HOME}/.mozilla/firefox/new` };
/** Folders that browsers, fontconfig and dconf make for themselves: not compared, but for the hosts' manifests in them. */
const BROWSERS_OWN = [
  ...[`${HOME}/.config/chromium`, `${HOME}/.cache`, `${HOME}/.pki`],
  ...[`${HOME}/.mozilla`, `${HOME}/.config/mozilla`, "/var/cache", "/run/user/4711/dconf"],
];
/** Folders that are everybody's, whoever makes them first. */
const COMMON = [`${HOME}/Downloads`, `${HOME}/.config`, `${HOME}/.local`, `${HOME}/.local/state`];
/** The agent's socket and locks; they end with the session, or when the user's own is purged. */
const SESSION = "/run/user/4711/godwit";
/** What an uninstallation leaves unless it is told to purge. */
const KEPT = [`${HOME}/.config/godwit`, `${HOME}/.local/state/godwit`, SESSION];
/** Kilobits a second: the large transfer until the upgrade is through, and after it. */
const [SLOWLY, FAST] = [40_000, 400_000];

const leading = /** @type {import("./browser.mjs").BrowserName} */ (process.argv[2]);
const bytes = Number(process.argv[3]);
const began = Date.now();
const say = (/** @type {string} */ words) => console.log(`${((Date.now() - began) / 1000).toFixed(1)} s: ${words}`);

/** Everything that can be written to, with kind, rights, owner and content; not the server's disk. */
function list() {
  const found = new Map();
  const visit = (/** @type {string} */ folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (["/usr", "/etc", "/stick", "/dev", "/proc", "/srv"].includes(file)) continue;
      const { mode, uid, gid } = fs.lstatSync(file);
      const what = entry.isFile() && !ofBrowsers(file) ? sum(file) : entry.isSymbolicLink() ? fs.readlinkSync(file) : "";
      found.set(file, `${mode.toString(8)} ${uid}:${gid} ${what}`);
      if (entry.isDirectory()) visit(file);
    }
  };
  visit("/");
  return found;
}

/** @param {string} file */
function sum(file) {
  const hash = crypto.createHash("blake2b512");
  const handle = fs.openSync(file, "r");
  const piece = Buffer.alloc(1 << 20);
  for (let got; (got = fs.readSync(handle, piece)) > 0; ) hash.update(piece.subarray(0, got));
  fs.closeSync(handle);
  return hash.digest("base64");
}

/** Whether a file is one that browsers and the desktop's libraries write for themselves, with Godwit or without. @param {string} file */
function ofBrowsers(file) {
  const hosts = /^\/home\/ann\/(\.config\/chromium\/NativeMessagingHosts|\.mozilla\/native-messaging-hosts)(\/|$)/;
  return !hosts.test(file) && BROWSERS_OWN.some((own) => file === own || file.startsWith(`${own}/`));
}

/** What is other now than before: added, gone or changed, without what browsers write. @param {(file: string) => boolean} [fine] */
function left(fine = () => false) {
  const now = list();
  const files = new Set([...before.keys(), ...now.keys()]);
  const other = [...files].filter((file) => before.get(file) !== now.get(file) && !ofBrowsers(file) && !fine(file));
  return other.filter((file) => !COMMON.includes(file)).sort();
}

const machine = new Machine("/srv");
Object.assign(machine, { home: HOME });
Object.assign(machine.environment, { HOME });
delete (/** @type {any} */ (machine.environment).GODWIT_HOME);

/** @param {string} program @param {string[]} args */
function run(program, ...args) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env: machine.environment });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
  return stdout;
}
/** @param {string} version @param {string[]} args */
const stick = (version, ...args) => run(`/stick/releases/release-${version}/bin/godwit-setup`, ...args);
/** @param {string} version */
const install = (version) => stick(version, "install", "--from", `/stick/releases/release-${version}`);

/** What a link below each process of this machine says. @param {string} below @returns {string[]} */
function ofProcesses(below) {
  const links = [];
  for (const pid of fs.readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      links.push(fs.readlinkSync(`/proc/${pid}/${below}`));
    } catch {
      // It ended while we looked.
    }
  }
  return links;
}

/** The versions that the agents which run are of; a program from elsewhere stands as it is. */
const agents = () =>
  ofProcesses("exe")
    .filter((program) => program.endsWith("/godwit-agent"))
    .map((program) => program.replace(/^\/home\/ann\/\.local\/share\/godwit\/versions\/([^-]+)-.*/, "$1"));

/** A person opens this browser and uploads a letter. @param {import("./browser.mjs").BrowserName} name */
async function firstSteps(name) {
  const world = new World(name, machine);
  world.server = server;
  await world.serve();
  world.browser = await Browser.launch(machine, name, { register: false, profile: PROFILES[name], sandbox: true });
  const site = await world.openSite();
  // Chromium locks its processes into namespaces of their own, and Firefox those of its pages.
  const namespaces = new Set(ofProcesses("ns/user"));
  assert.ok(namespaces.size > 1, "the browser runs without its sandbox");
  await world.pickAfterConsent(site, [letter]);
  await site.reaches(await site.start(upload(letter, `/by-${name}`)), "completed");
  assert.equal(differs(letter, `${machine.docroot}/by-${name}/letter.txt`), undefined);
  assert.deepEqual(agents(), ["1.0.0"], "the one that was installed");
  say(`${name} found the host, and a file went through`);
  return { world, site };
}

/** @param {string} file @param {string} to @param {object} [more] */
const upload = (file, to, more) => ({ ...server.spec(), ...more, direction: "send", paths: [{ source: file }], destination_root: to, create_dir: true });

const [letter, reel] = [`${HOME}/letter.txt`, `${HOME}/reel.bin`];
fs.writeFileSync(letter, "Dear Godwit");
makeRandomFile(reel, bytes);
const before = list();
assert.throws(() => fs.writeFileSync("/usr/godwit", ""), /EROFS/, "the machine is not ours");
assert.throws(() => fs.writeFileSync("/etc/godwit", ""), /EROFS/);
assert.deepEqual(Object.keys(os.networkInterfaces()), ["lo"], "no network");

install("1.0.0");
say("1.0.0 is installed");
const server = await TransferServer.start(machine);
for (const name of /** @type {const} */ (["chromium", "firefox"])) {
  if (name === leading) continue;
  const { world } = await firstSteps(name);
  await world.browser.close();
  world.pages.close();
}
const { world, site } = await firstSteps(leading);

await world.pickFile(site, reel);
const uuid = await site.start(upload(reel, "/upgrade", { rate_policy: "fixed", target_rate_kbps: SLOWLY }));
const first = await site.midway(uuid);
install("1.1.0");
// Whoever talks to the agent next makes it look.
run(`${HOME}/.local/bin/godwit`, "status");
await until("the new version's agent runs", () => agents().join() === "1.1.0");
const told = () => site.last("getTransfer", uuid).then(({ ok }) => ok?.transfer_info);
const then = await until("the new agent goes on with the transfer", async () => {
  const info = await told();
  return info?.bytes_written > first.bytes_written && info;
});
assert.ok(then.bytes_written < bytes, `the upgrade came after the end: ${JSON.stringify(then)}`);
say(`1.1.0 took over between ${first.bytes_written} and ${then.bytes_written} of ${bytes} bytes`);
await until("the rate is changed", async () => (await site.last("modifyTransfer", uuid, { target_rate_kbps: FAST })).ok);
await site.reaches(uuid, "completed");
assert.equal(differs(reel, `${machine.docroot}/upgrade/reel.bin`), undefined);
say("it completed, byte for byte");

await world.browser.close();
world.pages.close();
await server.stop();
run(`${HOME}/.local/bin/godwit-setup`, "uninstall");
assert.ok(!fs.existsSync(`${SESSION}/agent.sock`), "the agent has ended");
assert.deepEqual(left((file) => KEPT.some((kept) => file === kept || file.startsWith(`${kept}/`))), [], "without --purge the user's own stays");
stick("1.1.0", "uninstall", "--purge");
assert.deepEqual(left(), []);
say(`as before: ${before.size} entries`);
