// @ts-check
// A machine on which nothing was done yet: a root, processes, a network and a user of its own, in namespaces.

import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { DIST } from "./machine.mjs";
import { release, stripped } from "./release.mjs";

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** The user there. Not root, and none that this machine has. */
const USER = "4711";

/**
 * Has a new user of such a machine do what `newcomer.mjs` says, with two releases on a stick; its words.
 * @param {import("./browser.mjs").BrowserName} name of the browser in which the large transfer runs
 * @param {number} bytes of that transfer
 * @returns {Promise<{code: number | null, said: string}>}
 */
export async function visit(name, bytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "godwit-c-"));
  const made = (/** @type {string} */ below) => {
    fs.mkdirSync(path.join(folder, below), { recursive: true });
    return path.join(folder, below);
  };
  try {
    for (const version of ["1.0.0", "1.1.0"]) release({ made: (below) => made(`releases/${below}`) }, version, [], stripped);
    const own = ["--user", "--mount", "--pid", "--net", "--ipc", "--uts", `--map-user=${USER}`, `--map-group=${USER}`];
    const script = fs.readFileSync(path.join(HERE, "clean-root.sh"), "utf8");
    const visitor = ["/stick/node", "/stick/tests/browser/harness/newcomer.mjs", name, String(bytes)];
    const child = spawn("unshare", [
      ...[...own, "--fork", "--kill-child", "--keep-caps", "--", "sh", "-euc", script, "sh"],
      ...[made("root"), path.join(folder, "releases"), DIST, path.resolve(HERE, ".."), process.execPath, ...visitor],
    ]);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
    const code = await new Promise((done, failed) => child.on("error", failed).on("close", done));
    return { code, said };
  } finally {
    if (!process.env.GODWIT_KEEP) fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
