// @ts-check
// A transfer server on free ports, with one user.

import { createInterface } from "node:readline";
import { kill } from "./machine.mjs";
import { SDK } from "./pages.mjs";
import { until } from "./wait.mjs";

export class TransferServer {
  /**
   * @param {import("./machine.mjs").Machine} machine
   * @param {{user?: string, password?: string, docroot?: string}} [options]
   */
  static async start(machine, options = {}) {
    const { user = "demo", password = "swordfish", docroot = machine.docroot } = options;
    const child = machine.start("godwit-server", [
      ...["--docroot", docroot, "--user", `${user}:${password}`, "--bind", "127.0.0.1"],
      ...["--data-port", "0", "--api-port", "0", "--http-port", "0", "--state", machine.made("server-state")],
      ...["--web-sdk", SDK],
    ]);
    let ready = "";
    createInterface({ input: /** @type {import("node:stream").Readable} */ (child.stdout) }).on("line", (line) => {
      if (line.startsWith("ready ")) ready = line;
    });
    const line = await until("the server says it is ready", () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      return ready;
    });
    const words = Object.fromEntries(line.split(" ").slice(1).map((word) => split(word)));
    const port = (/** @type {string} */ address) => Number(address.slice(address.lastIndexOf(":") + 1));
    return new TransferServer(child, user, password, port(words.data), words.fingerprint, port(words.api), port(words.http));
  }

  /**
   * @param {ReturnType<import("./machine.mjs").Machine["start"]>} child
   * @param {string} user @param {string} password @param {number} port @param {string} fingerprint
   * @param {number} tcpPort one that accepts TCP connections
   * @param {number} webPort of its own web application, plain HTTP
   */
  constructor(child, user, password, port, fingerprint, tcpPort, webPort) {
    this.process = child;
    this.user = user;
    this.password = password;
    this.port = port;
    this.fingerprint = fingerprint;
    this.tcpPort = tcpPort;
    /** The address of its own web application. */
    this.web = `http://127.0.0.1:${webPort}/`;
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
    kill(this.process.pid ?? 0, "SIGTERM");
    try {
      await until("the server ends", () => this.process.exitCode !== null || this.process.signalCode !== null, 5_000);
    } catch {
      kill(this.process.pid ?? 0, "SIGKILL");
    }
  }
}

/** @param {string} word */
function split(word) {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}
