// @ts-check
// One user's machine in a scratch folder: home, the agent's home, files, and the programs of dist/bin.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "./wait.mjs";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const DIST = process.env.GODWIT_DIST ?? path.join(ROOT, "dist");

/** The path of one of our programs; an absolute path stands for itself. @param {string} name */
export const program = (name) => path.resolve(DIST, "bin", name);

export class Machine {
  /** @param {string} [folder] where to put it; a new folder below /tmp otherwise */
  constructor(folder) {
    // Short: the agent's socket lies below it, and a socket's path has room for 107 bytes.
    this.folder = folder ?? fs.mkdtempSync(path.join(os.tmpdir(), "godwit-b-"));
    this.home = this.made("home");
    this.godwitHome = path.join(this.folder, "godwit");
    this.files = this.made("files");
    this.docroot = this.made("docroot");
    this.temporary = folder === undefined;
    /** Environment of everything that runs on this machine. */
    this.environment = { ...process.env, HOME: this.home, GODWIT_HOME: this.godwitHome, TMPDIR: os.tmpdir() };
    // Nor must a dialog appear on the developer's own screen, where nobody answers it.
    const screen = ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"];
    for (const name of ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_DOWNLOAD_DIR", ...screen]) {
      delete (/** @type {any} */ (this.environment)[name]);
    }
  }

  /** A folder on this machine; an absolute path stands for itself. @param {string} name */
  made(name) {
    const folder = path.resolve(this.folder, name);
    fs.mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Runs one of our programs to its end; returns its standard output. @param {string} name @param {string[]} args */
  run(name, args) {
    const result = spawnSync(program(name), args, { env: this.environment, encoding: "utf8", timeout: 30_000 });
    if (result.status !== 0) {
      throw new Error(`${name} ${args.join(" ")}: ended with ${result.status ?? result.signal}: ${result.stderr}`);
    }
    return result.stdout;
  }

  /**
   * Starts one of our programs; its log goes to a file of this machine.
   * @param {string} name @param {string[]} args
   */
  start(name, args) {
    const log = fs.openSync(path.join(this.folder, `${name}.log`), "a");
    const child = spawn(program(name), args, { env: this.environment, stdio: ["ignore", "pipe", log] });
    fs.closeSync(log);
    return child;
  }

  /** Processes of ours on this machine: their environment names its GODWIT_HOME. @returns {{pid: number, name: string}[]} */
  processes() {
    const mark = `GODWIT_HOME=${this.godwitHome}`;
    const found = [];
    for (const entry of fs.readdirSync("/proc")) {
      if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
      try {
        const name = fs.readFileSync(`/proc/${entry}/comm`, "utf8").trim();
        if (!name.startsWith("godwit-")) continue;
        const environment = fs.readFileSync(`/proc/${entry}/environ`, "utf8").split("\0");
        if (environment.includes(mark)) found.push({ pid: Number(entry), name });
      } catch {
        // It ended while we looked.
      }
    }
    return found;
  }

  /** The agent's view of itself. */
  status() {
    return JSON.parse(this.run("godwit", ["status", "--json"]));
  }

  /** Ends everything this machine still runs and, unless GODWIT_KEEP is set, removes its folder. */
  async dispose() {
    // Agents first, or they start their workers again.
    const order = ["godwit-host", "godwit-agent"];
    const rank = (/** @type {string} */ name) => (order.includes(name) ? order.indexOf(name) : order.length);
    await until("our processes are gone", () => {
      const left = this.processes().sort((a, b) => rank(a.name) - rank(b.name));
      for (const { pid } of left) kill(pid, "SIGKILL");
      return left.length === 0;
    });
    if (this.temporary && !process.env.GODWIT_KEEP) {
      fs.rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    }
  }
}

/** Sends a signal; a process that is gone is fine. @param {number} pid @param {NodeJS.Signals} signal */
export function kill(pid, signal) {
  if (pid <= 0) return; // Zero would be our own group.
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}
