// @ts-check
// A release as `cargo xtask package` makes it, of what was built.

import fs from "node:fs";
import path from "node:path";
import { DIST } from "./machine.mjs";

const PROGRAMS = ["godwit", "godwit-host", "godwit-agent", "godwit-worker", "godwit-setup"];

/**
 * Puts one together on a machine; returns its folder.
 * @param {import("./machine.mjs").Machine} machine
 * @param {string} version
 * @param {string[]} [ids] of extensions that were packed with other keys
 */
export function release(machine, version, ids = []) {
  const folder = machine.made(`release-${version}`);
  fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
  for (const each of PROGRAMS) fs.copyFileSync(path.join(DIST, "bin", each), path.join(folder, "bin", each));
  for (const each of ["extension-chromium", "extension-firefox"]) {
    fs.cpSync(path.join(DIST, each), path.join(folder, each), { recursive: true });
  }
  fs.cpSync(path.join(DIST, "share/client"), path.join(folder, "share"), { recursive: true });
  fs.writeFileSync(path.join(folder, "VERSION"), `${version}\n`);
  fs.writeFileSync(path.join(folder, "EXTENSION-IDS"), ids.map((id) => `${id}\n`).join(""));
  return folder;
}
