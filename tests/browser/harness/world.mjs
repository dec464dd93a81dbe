// @ts-check
// A machine, a server, a web server and a browser: what nearly every test needs, with one way to clean up.

import { Browser, BROWSERS, registerHost } from "./browser.mjs";
import { describe } from "node:test";
import { Machine } from "./machine.mjs";
import { certificate } from "./managed.mjs";
import { serve } from "./pages.mjs";
import { TransferServer } from "./server.mjs";

export class World {
  /** @param {import("./browser.mjs").BrowserName} name @param {Machine} [machine] */
  constructor(name, machine = new Machine()) {
    this.name = name;
    this.machine = machine;
    /** @type {Awaited<ReturnType<typeof serve>>[]} */
    this.morePages = [];
    /** @type {Awaited<ReturnType<typeof serve>>} */
    this.pages = /** @type {any} */ (undefined);
    /** @type {TransferServer} */
    this.server = /** @type {any} */ (undefined);
    /** @type {Browser} */
    this.browser = /** @type {any} */ (undefined);
  }

  /** @param {{server?: boolean} & import("./browser.mjs").LaunchOptions} [options] */
  async start(options = {}) {
    await this.serve();
    if (options.server ?? true) this.server = await TransferServer.start(this.machine);
    this.browser = await Browser.launch(this.machine, this.name, options);
  }

  /** Only the pages; a test starts its own browser. */
  async serve() {
    this.pages = await serve("pages");
  }

  /** The browser again, after it was quit or killed. */
  async startBrowser() {
    this.browser = await Browser.launch(this.machine, this.name);
  }

  registerHost() {
    registerHost(this.machine, this.name);
  }

  /** The address of a site that nobody has seen yet: after a refusal Godwit is quiet for a moment about the one refused. */
  async newOrigin() {
    const more = await serve("pages");
    this.morePages.push(more);
    return more.address;
  }

  /** The same pages over HTTPS under a name of this machine; start the browser with `anyCertificate`. @param {string} name such as `a.localhost` */
  async httpsOrigin(name) {
    const more = await serve("pages", {}, certificate(this.machine));
    this.morePages.push(more);
    return `https://${name}:${more.port}`;
  }

  /** A tab on 127.0.0.1 (or another address) with the SDK running. @param {string} [url] */
  async openSite(url = this.pages.address) {
    const site = await this.browser.site(url);
    await site.open();
    return site;
  }

  /** Lets the person allow a site for good: through the dialog that it asks for first. @param {import("./site.mjs").Site} site @param {string[]} paths */
  async pickAfterConsent(site, paths) {
    const picked = site.first("showSelectFileDialog", { title: "First" });
    const consent = await this.browser.window("consent");
    await consent.click("#allow-always");
    await this.browser.noWindow("consent");
    const picker = await this.browser.window("picker");
    await picker.enter("#path-input", paths[0]);
    await this.browser.noWindow("picker");
    return picked;
  }

  /** Picks one file through the dialog; the site is allowed already. @param {import("./site.mjs").Site} site @param {string} file */
  async pickFile(site, file) {
    const picked = site.first("showSelectFileDialog", { title: "A file" });
    const picker = await this.browser.window("picker");
    await picker.enter("#path-input", file);
    await this.browser.noWindow("picker");
    return picked;
  }

  /** Picks the folder through the dialog by showing it; the site is allowed already. @param {import("./site.mjs").Site} site @param {string} folder */
  async pickFolder(site, folder) {
    const picked = site.first("showSelectFolderDialog", { title: "A folder", allowMultipleSelection: false });
    const picker = await this.browser.window("picker");
    await picker.goTo(folder);
    await picker.click("#choose");
    await this.browser.noWindow("picker");
    return picked;
  }

  /** Cleans up; safe to call after a failed start. */
  async end() {
    await this.browser?.close();
    await this.server?.stop();
    for (const pages of [this.pages, ...this.morePages]) pages?.close();
    await this.machine.dispose();
  }
}

/** The same promises for each browser. @param {string} theme @param {(name: import("./browser.mjs").BrowserName) => void} tests */
export function inEachBrowser(theme, tests) {
  for (const name of BROWSERS) describe(`${theme} (${name})`, { concurrency: false }, () => tests(name));
}
