// @ts-check
// A transfer server on free ports, with one user.

import { createInterface } from "node:readline";
import { kill } from "./machine.mjs";
import { until } from "./wait.mjs";

export class TransferServer {
  /**
   * @param {import("./machine.mjs").Machine} machine
   * @param {{user?: string, password?: string, docroot?: string}} [options]
   */
  static async start(machine, options = {}) {
    const server = new TransferServer();
    server.user = options.user ?? "demo";
    server.password = options.password ?? "swordfish";
    server.docroot = options.docroot ?? machine.docroot;
    server.process = machine.start("godwit-server", [
      ...["--docroot", server.docroot, "--user", `${server.user}:${server.password}`, "--bind", "127.0.0.1"],
      ...["--data-port", "0", "--api-port", "0", "--http-port", "0", "--state", machine.made("server-state")],
    ]);
    let ready = "";
    createInterface({ input: server.process.stdout }).on("line", (line) => {
      if (line.startsWith("ready ")) ready = line;
    });
    const line = await until("the server says it is ready", () => {
      if (server.process.exitCode !== null) throw new Error(`the server ended with ${server.process.exitCode}`);
      return ready;
    });
    const words = Object.fromEntries(line.split(" ").slice(1).map((word) => split(word)));
    server.port = Number(words.data.slice(words.data.lastIndexOf(":") + 1));
    server.fingerprint = words.fingerprint;
    return server;
  }

  /** The part of a transfer spec that every transfer with this server has. */
  spec() {
    return {
      remote_host: "127.0.0.1",
      remote_user: this.user,
      remote_password: this.password,
      authentication: "password",
      fasp_port: this.port,
      ssh_port: this.port,
      sshfp: this.fingerprint,
    };
  }

  async stop() {
    kill(this.process.pid, "SIGTERM");
    try {
      await until("the server ends", () => this.process.exitCode !== null || this.process.signalCode !== null, 5_000);
    } catch {
      kill(this.process.pid, "SIGKILL");
    }
  }
}

/** @param {string} word */
function split(word) {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}
