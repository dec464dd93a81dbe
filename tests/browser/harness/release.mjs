// @ts-check
// A release as `cargo xtask package` makes it, of what was built.

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { DIST } from "./machine.mjs";

const PROGRAMS = ["godwit", "godwit-host", "godwit-agent", "godwit-worker", "godwit-setup"];

/**
 * Puts one together on a machine; returns its folder.
 * @param {{made: (name: string) => string}} machine
 * @param {string} version
 * @param {string[]} [ids] of extensions that were packed with other keys
 * @param {(from: string, to: string) => void} [put] places a program
 */
export function release(machine, version, ids = [], put = fs.copyFileSync) {
  const folder = machine.made(`release-${version}`);
  fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
  for (const each of PROGRAMS) put(path.join(DIST, "bin", each), path.join(folder, "bin", each));
  for (const each of ["extension-chromium", "extension-firefox"]) {
    fs.cpSync(path.join(DIST, each), path.join(folder, each), { recursive: true });
  }
  fs.cpSync(path.join(DIST, "share/client"), path.join(folder, "share"), { recursive: true });
  fs.writeFileSync(path.join(folder, "VERSION"), `${version}\n`);
  fs.writeFileSync(path.join(folder, "EXTENSION-IDS"), ids.map((id) => `${id}\n`).join(""));
  return folder;
}

/** Without what is for debuggers only, which is most of a debug build. @param {string} from @param {string} to */
export const stripped = (from, to) => void execFileSync("strip", ["-o", to, from]);
