// @ts-check
// A machine of a company: files in /etc decide what its browsers install and may start, and a server of the company's own holds
// the extension. This machine's own /etc is not touched: the browser runs in a mount namespace with our files laid over it.

import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import https from "node:https";
import http from "node:http";
import path from "node:path";
import { ROOT } from "./machine.mjs";
import { PROGRAMS } from "./browser.mjs";

/** Where each browser finds its administrator's policy, below /etc. */
const PLACES = { chromium: "chromium/policies/managed/godwit.json", firefox: "firefox/policies/policies.json" };
const TYPES = { ".crx": "application/x-chrome-extension", ".xpi": "application/x-xpinstall", ".xml": "text/xml", ".json": "application/json" };

export class Company {
  /**
   * Its server runs. Chromium takes plain HTTP; Firefox takes updates only over HTTPS, from a name that it trusts.
   * @param {import("./machine.mjs").Machine} machine @param {import("./browser.mjs").BrowserName} browser
   */
  static async open(machine, browser) {
    const company = new Company(machine, browser);
    const answer = company.#answer.bind(company);
    company.server = browser === "chromium" ? http.createServer(answer) : https.createServer(certificate(machine), answer);
    await new Promise((ready) => company.server?.listen(0, "127.0.0.1", () => ready(undefined)));
    return company;
  }

  /** @param {import("./machine.mjs").Machine} machine @param {import("./browser.mjs").BrowserName} browser */
  constructor(machine, browser) {
    this.machine = machine;
    this.browser = browser;
    this.etc = machine.made("etc");
    this.packages = path.join(machine.folder, "packages");
    /** @type {http.Server | undefined} */
    this.server = undefined;
  }

  /** Where browsers are sent. */
  get base() {
    const { port } = /** @type {import("node:net").AddressInfo} */ (this.server?.address());
    return `${this.browser === "chromium" ? "http" : "https"}://127.0.0.1:${port}`;
  }

  /** Packs the extension under this version with the company's key, as the administrator does; returns its id in Chromium. @param {string} version */
  publish(version) {
    const wanted = ["package", "--no-build", "--only", "extension", "--base", this.base, "--as-version", version, "--out", this.packages];
    const environment = { ...process.env, GODWIT_EXTENSION_KEY: path.join(this.machine.folder, "company.pem") };
    const result = spawnSync(process.env.CARGO ?? "cargo", ["xtask", ...wanted], { cwd: ROOT, env: environment, encoding: "utf8" });
    if (result.status !== 0) throw new Error(`cargo xtask ${wanted.join(" ")}: ${result.stderr}`);
    return /appid="([a-p]{32})"/.exec(fs.readFileSync(path.join(this.packages, "updates.xml"), "utf8"))?.[1] ?? "";
  }

  /**
   * Puts the packed policy template in its place, with changes.
   * @param {(policy: any) => void} [change]
   */
  decree(change = () => {}) {
    const template = this.browser === "chromium" ? "policies/chromium/godwit.json" : "policies/firefox/policies.json";
    const policy = JSON.parse(fs.readFileSync(path.join(this.packages, template), "utf8"));
    // Drivers must see what policies install; a company needs neither.
    if (this.browser === "chromium") policy.DeveloperToolsAvailability = 1;
    else policy.policies.Certificates = { Install: [path.join(this.machine.folder, "company-ca.pem")] };
    change(policy);
    const file = path.join(this.etc, PLACES[this.browser]);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, JSON.stringify(policy));
  }

  /** The part of a policy that the extension reads. @param {any} policy @param {string} id the extension's, in Chromium */
  managed(policy, id) {
    return this.browser === "chromium" ? policy["3rdparty"].extensions[id] : policy.policies["3rdparty"].Extensions["godwit@godwit.io"];
  }

  /** Puts what the administrator says about sites and settings in its place. @param {string} text */
  rule(text) {
    const file = path.join(this.etc, "godwit/policy.toml");
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  /** A program that starts the browser on this company's machine. */
  program() {
    const file = path.join(this.machine.folder, `managed-${this.browser}`);
    const own = process.getuid?.() === 0 ? "-m" : "-rm";
    const inside = `mount -t overlay overlay -o lowerdir='${this.etc}':/etc /etc && exec ${PROGRAMS[this.browser]} "$@"`;
    fs.writeFileSync(file, `#!/bin/sh\nexec unshare ${own} sh -c '${inside.replaceAll("'", `'\\''`)}' sh "$@"\n`, { mode: 0o755 });
    return file;
  }

  close() {
    this.server?.closeAllConnections();
    this.server?.close();
  }

  /** @param {http.IncomingMessage} request @param {http.ServerResponse} response */
  #answer(request, response) {
    const name = path.basename(new URL(request.url ?? "/", "http://x").pathname);
    fs.readFile(path.join(this.packages, name), (error, content) => {
      const type = TYPES[/** @type {keyof TYPES} */ (path.extname(name))];
      response.writeHead(error ? 404 : 200, { "content-type": type ?? "application/octet-stream", "cache-control": "no-store" });
      response.end(error ? "" : content);
    });
  }
}

/** A certificate for 127.0.0.1 by an authority of the company's own. @param {import("./machine.mjs").Machine} machine */
export function certificate(machine) {
  const at = (/** @type {string} */ name) => path.join(machine.folder, name);
  const openssl = (/** @type {string[]} */ ...args) => execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3"];
  openssl("req", "-x509", ...key, "-subj", "/CN=Company CA", "-keyout", at("company-ca.key"), "-out", at("company-ca.pem"));
  const leaf = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"];
  const signer = ["-CA", at("company-ca.pem"), "-CAkey", at("company-ca.key")];
  openssl("req", "-x509", ...key, ...leaf, ...signer, "-keyout", at("server.key"), "-out", at("server.pem"));
  return { key: fs.readFileSync(at("server.key")), cert: fs.readFileSync(at("server.pem")) };
}
