// @ts-check
// A real browser with our extension, its own profile and home, driven by puppeteer: Chromium over CDP, Firefox over
// WebDriver BiDi. What differs between the two stays in this file.

import fs from "node:fs";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { ExtensionWindow } from "./window.mjs";
import { DIST, kill } from "./machine.mjs";
import { Site } from "./site.mjs";
import { until, withLimit } from "./wait.mjs";

/** The extension's id in Firefox, and the address its pages get there. */
const GECKO_ID = "godwit@godwit.io";
const GECKO_UUID = "6f1d2c3b-8a47-4e5e-9d10-0d171d171d17";

/** Firefox's own list of extensions. */
const ADDONS = 'ChromeUtils.importESModule("resource://gre/modules/AddonManager.sys.mjs").AddonManager';

/** Longest wait for one answer of the driver, milliseconds. */
const ANSWER = 10_000;

/** Longest wait for a browser's start, on a machine that has much else to do. */
const START = 120_000;

/** Longest wait for what a browser fetches and unpacks by itself, on a busy machine. */
const FETCHED = 120_000;

/** Pause before the browser is asked for an update again. */
const ASKED_AGAIN = 15_000;

/** Where they are. */
export const PROGRAMS = { chromium: "/usr/bin/chromium", firefox: "/usr/bin/firefox-esr" };

/** @typedef {"chromium" | "firefox"} BrowserName */

/** The browsers to test: both, unless GODWIT_BROWSERS names some. @type {BrowserName[]} */
export const BROWSERS = /** @type {any} */ ((process.env.GODWIT_BROWSERS ?? "chromium,firefox").split(","));

/**
 * Tells the browser of this machine where the host is.
 * @param {import("./machine.mjs").Machine} machine @param {BrowserName} name @param {string} [profile] name of its folder
 */
export function registerHost(machine, name, profile = `profile-${name}`) {
  const folder = name === "chromium" ? machine.made(profile) : machine.home;
  machine.run("godwit", ["register", "--browser", name, "--dir", folder]);
}

/** What keeps policies from fetching extensions; drivers say it by themselves. */
const ALONE = ["--disable-background-networking", "--disable-component-update"];

/** @param {import("puppeteer-core").LaunchOptions} common @param {boolean} managed @param {boolean} sandbox */
function launchChromium(common, managed, sandbox) {
  const flags = "--no-first-run --disable-quic --disable-sync";
  // Root has none.
  const args = [...(sandbox ? [] : ["--no-sandbox"]), ...(common.headless ? ["--disable-gpu"] : []), ...flags.split(" "), ...(managed ? [] : ALONE)];
  const ignoreDefaultArgs = managed ? [...ALONE, "--disable-extensions"] : false;
  return puppeteer.launch({ ...common, pipe: true, enableExtensions: true, args, ignoreDefaultArgs });
}

/** @param {import("puppeteer-core").LaunchOptions} common @param {string} language of its own windows; needs a language pack */
function launchFirefox(common, language) {
  return puppeteer.launch({
    ...common,
    browser: "firefox",
    args: ["--remote-allow-system-access"],
    extraPrefsFirefox: {
      "extensions.webextensions.uuids": JSON.stringify({ [GECKO_ID]: GECKO_UUID }),
      "browser.sessionstore.resume_from_crash": false,
      "toolkit.startup.max_resumed_crashes": -1,
      "datareporting.policy.dataSubmissionEnabled": false,
      "browser.aboutwelcome.enabled": false,
      // The system's notifications need a session bus; without one Firefox waits for it, with all its windows.
      "alerts.useSystemBackend": false,
      // Its driver cannot ask for dark: the whole browser is, or is not.
      "layout.css.prefers-color-scheme.content-override": process.env.GODWIT_SCHEME === "dark" ? 0 : 1,
      "intl.locale.requested": language === "en" ? "en-US" : language,
      // The language packs of the system's administrator.
      ...(language === "en" ? {} : { "extensions.enabledScopes": 15, "extensions.autoDisableScopes": 0 }),
    },
  });
}

/**
 * A browser whose administrator installs the extension: the program that starts it, the extension's id in Chromium, and whether
 * it is kept away.
 * @typedef {{program: string, id: string, absent?: boolean}} Managed
 */

/**
 * `profile`: name of its folder; `anyCertificate`: pages may have one that nobody trusts; `language`: of the browser's own windows;
 * `sandbox`: Chromium's processes are locked in as on a person's machine.
 * @typedef {{sandbox?: boolean, headless?: boolean, register?: boolean, profile?: string, managed?: Managed, anyCertificate?: boolean, language?: string}} LaunchOptions
 */

export class Browser {
  /**
   * Starts the browser and loads the extension. A second start on the same machine finds the same profile.
   * @param {import("./machine.mjs").Machine} machine
   * @param {BrowserName} name
   * @param {LaunchOptions} [options]
   */
  static async launch(machine, name, options = {}) {
    const profile = options.profile ?? `profile-${name}`;
    if (options.register ?? true) registerHost(machine, name, profile);
    const headless = options.headless ?? true;
    const language = options.language ?? process.env.GODWIT_LANGUAGE ?? "en";
    /** @type {import("puppeteer-core").LaunchOptions} */
    const common = {
      executablePath: options.managed?.program ?? PROGRAMS[name],
      headless,
      acceptInsecureCerts: options.anyCertificate ?? false,
      userDataDir: machine.made(profile),
      // Chromium's own windows speak the language of the environment.
      env: /** @type {any} */ ({ ...machine.environment, LANGUAGE: language }),
      defaultViewport: headless ? { width: 1200, height: 800 } : null,
      // Dialogs wait for people; a person's day is the limit.
      protocolTimeout: 24 * 3600 * 1000,
      handleSIGINT: false,
      timeout: START,
    };
    const { managed } = options;
    const driver = await (name === "chromium" ? launchChromium(common, managed !== undefined, options.sandbox ?? false) : launchFirefox(common, language));
    const id = managed ? managed.id : await driver.installExtension(path.join(DIST, `extension-${name}`));
    const base = name === "chromium" ? `chrome-extension://${id}/` : `moz-extension://${GECKO_UUID}/`;
    const browser = new Browser(machine, name, driver, base, id, machine.made(profile));
    if (managed && !managed.absent) await browser.installed();
    return browser;
  }

  /**
   * @param {import("./machine.mjs").Machine} machine @param {BrowserName} name
   * @param {import("puppeteer-core").Browser} driver @param {string} base address of the extension's pages
   * @param {string} id of the extension @param {string} profile its folder
   */
  constructor(machine, name, driver, base, id, profile) {
    this.id = id;
    this.profile = profile;
    this.machine = machine;
    this.name = name;
    this.driver = driver;
    this.base = base;
    this.pid = driver.process()?.pid ?? 0;
  }

  /** Opens a page of ours in a new tab. @param {string} url */
  async site(url) {
    const page = await this.driver.newPage();
    await page.goto(url);
    return new Site(page);
  }

  /**
   * The extension's windows of one kind that are open now.
   * @param {string} kind `consent`, `picker`, `certificate`, …
   */
  async windows(kind) {
    const prefix = `${this.base}pages/${kind}.html`;
    // A driver may lose an answer when a window closes meanwhile; whoever waits asks again.
    const pages = await withLimit(this.driver.pages(), ANSWER);
    if (this.name === "chromium") {
      return pages.filter((page) => page.url().startsWith(prefix)).map((page) => new ExtensionWindow(page));
    }
    // Firefox tells the driver of the window, but not where its page went: ask for the tree.
    const { contexts } = await withLimit(this.#bidi("browsingContext.getTree", { maxDepth: 0 }), ANSWER);
    const ids = contexts.filter((/** @type {any} */ c) => c.url.startsWith(prefix)).map((/** @type {any} */ c) => c.context);
    return pages.filter((page) => ids.includes(contextId(page))).map((page) => new ExtensionWindow(page));
  }

  /** Waits for the extension's window of this kind, filled. @param {string} kind */
  async window(kind) {
    const window = await until(`the ${kind} window opens`, async () => (await this.windows(kind))[0]);
    await window.ready();
    return window;
  }

  /** Waits until no window of this kind is open. @param {string} kind */
  async noWindow(kind) {
    await until(`the ${kind} window closes`, async () => (await this.windows(kind)).length === 0);
  }

  /** Opens one of the extension's pages in a tab. @param {string} kind `popup`, `activity`, … */
  async open(kind) {
    const page = await this.driver.newPage();
    const url = `${this.base}pages/${kind}.html`;
    if (this.name === "chromium") await page.goto(url);
    else await this.#bidi("browsingContext.navigate", { context: contextId(page), url, wait: "none" });
    const window = new ExtensionWindow(page);
    await window.ready();
    return window;
  }

  /** Stops the background (service worker or event page) as the browser would, whatever it is doing. */
  async stopBackground() {
    if (this.name === "chromium") {
      const target = await this.driver.waitForTarget((each) => each.type() === "service_worker");
      const gone = new Promise((done) => this.driver.on("targetdestroyed", (each) => each === target && done(undefined)));
      const worker = await target.worker();
      await worker?.close();
      await withLimit(gone, 10_000).catch(() => {}); // Some versions keep the target and only restart what is in it.
    } else {
      await this.#chrome(
        `WebExtensionPolicy.getByID("${GECKO_ID}").extension.terminateBackground({disableResetIdleForTest: true})`,
      );
    }
  }

  /**
   * Drops files on an element as the desktop would: the page's events are the browser's own. Firefox lets a test make the event only,
   * with files of the same name, content and time.
   * @param {Site} site @param {string} selector @param {string[]} files
   */
  async drop(site, selector, files) {
    await site.page.bringToFront();
    if (this.name === "chromium") {
      const session = await site.page.createCDPSession();
      const box = await (await site.page.$(selector))?.boundingBox();
      if (!box) throw new Error(`${selector} cannot be seen`);
      const at = { x: box.x + box.width / 2, y: box.y + box.height / 2, data: { items: [], files, dragOperationsMask: 1 } };
      for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"])) await session.send("Input.dispatchDragEvent", { type, ...at });
      return session.detach();
    }
    const described = files.map((file) => {
      return { name: path.basename(file), text: fs.readFileSync(file, "utf8"), lastModified: Math.floor(fs.statSync(file).mtimeMs) };
    });
    // What the browser's own code puts in, a page may not read: the files are the page's own.
    const make = `
      const data = new DataTransfer();
      for (const { name, text, lastModified } of ${JSON.stringify(described)}) data.items.add(new File([text], name, { lastModified }));
      new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });`;
    const script = `
      const event = Cu.evalInSandbox(${JSON.stringify(make)}, Cu.Sandbox(content, { sandboxPrototype: content, wantXrays: false }));
      content.windowUtils.dispatchDOMEventViaPresShellForTesting(content.document.querySelector(${JSON.stringify(selector)}), event);`;
    const url = JSON.stringify(site.page.url());
    await this.#chrome(`gBrowser.selectedBrowser.currentURI.spec === ${url}
      ? gBrowser.selectedBrowser.messageManager.loadFrameScript("data:," + encodeURIComponent(${JSON.stringify(script)}), false)
      : Promise.reject(new Error("another tab is shown: " + gBrowser.selectedBrowser.currentURI.spec))`);
  }

  /** The version of the extension that runs; undefined without one. @returns {Promise<string | undefined>} */
  async version() {
    if (this.name === "firefox") {
      return this.#chrome(`${ADDONS}.getAddonByID("${GECKO_ID}").then((addon) => addon?.isActive ? addon.version : undefined)`);
    }
    try {
      return await this.#inExtension(() => /** @type {any} */ (globalThis).chrome.runtime.getManifest().version);
    } catch (error) {
      // Chromium's word for an address of an extension that is not there.
      if (/ERR_BLOCKED_BY_CLIENT/.test(String(error))) return undefined;
      throw error;
    }
  }

  /**
   * Waits until a policy's extension has been fetched, in this version if one is named, and runs. Chromium is only looked at from
   * outside meanwhile: tabs opened in a hurry keep it from starting the extension.
   * @param {string} [version]
   */
  async installed(version) {
    if (this.name === "chromium") await until(`version ${version ?? "of the policy"} is in the profile`, () => this.#unpacked(version), FETCHED);
    await until("the policy's extension runs", () => this.version(), FETCHED);
  }

  /** Whether Chromium has unpacked the extension into its profile. @param {string} [version] */
  #unpacked(version) {
    const folder = path.join(this.profile, "Default/Extensions", this.id);
    return fs.existsSync(folder) && fs.readdirSync(folder).some((each) => version === undefined || each.startsWith(`${version}_`));
  }

  /** Has the browser look for a newer version of the extension, and waits until it has this one. @param {string} version */
  async update(version) {
    if (this.name === "firefox") {
      const found = "{ onUpdateAvailable: (_, install) => install.install().then(done, fail), onNoUpdateAvailable: () => fail(new Error('no update')) }";
      const look = `addon.findUpdates(${found}, ${ADDONS}.UPDATE_WHEN_USER_REQUESTED)`;
      await this.#chrome(`${ADDONS}.getAddonByID("${GECKO_ID}").then((addon) => new Promise((done, fail) => { ${look}; })).then(() => true)`);
      return;
    }
    // Chromium may find the update and drop it while it fetches: asked again after a while, it fetches it anew.
    let next = 0;
    await until(`version ${version} is in the profile`, async () => {
      if (this.#unpacked(version)) return true;
      if (Date.now() < next) return false;
      next = Date.now() + ASKED_AGAIN;
      const { status } = await this.#inExtension(() => /** @type {any} */ (globalThis).chrome.runtime.requestUpdateCheck());
      if (status === "no_update") throw new Error(`the browser says ${status}`);
      return false;
    }, FETCHED);
  }

  /** Takes the extension away and installs it again, with the pages that are open. */
  async reinstall() {
    await this.driver.uninstallExtension(this.id);
    await this.driver.installExtension(path.join(DIST, `extension-${this.name}`));
  }

  /** Shows pages and windows as with the system set to dark or light. @param {"dark" | "light"} scheme @param {ExtensionWindow | Site} on */
  async colours(scheme, on) {
    if (this.name === "chromium") {
      await on.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    } else {
      const value = scheme === "dark" ? 0 : 1;
      await this.#chrome(`Services.prefs.setIntPref("layout.css.prefers-color-scheme.content-override", ${value})`);
    }
  }

  /** Quits it as a person does. */
  async close() {
    await withLimit(this.driver.close(), 20_000).catch(() => {});
    kill(this.pid, "SIGKILL");
  }

  /** Kills it at once. */
  async kill() {
    const child = this.driver.process();
    kill(this.pid, "SIGKILL");
    await until("the browser is dead", () => child?.exitCode !== null || child?.signalCode !== null);
  }

  /** Evaluates in a page of the extension in Chromium: its worker need not run. @param {() => any} what */
  async #inExtension(what) {
    const page = await this.driver.newPage();
    try {
      await page.goto(`${this.base}pages/about.html`);
      return await page.evaluate(what);
    } finally {
      await page.close();
    }
  }

  /** Evaluates in Firefox's own windows. @param {string} expression */
  async #chrome(expression) {
    const { contexts } = await this.#bidi("browsingContext.getTree", { maxDepth: 0, "moz:scope": "chrome" });
    const target = { context: contexts[0].context };
    const answer = await this.#bidi("script.evaluate", { expression, target, awaitPromise: true });
    if (answer.type !== "success") throw new Error(`${expression}: ${JSON.stringify(answer.exceptionDetails)}`);
    return answer.result.value;
  }

  /** A command of WebDriver BiDi. @param {string} method @param {object} params */
  async #bidi(method, params) {
    return (await /** @type {any} */ (this.driver).connection.send(method, params)).result;
  }
}

/** @param {import("puppeteer-core").Page} page */
const contextId = (page) => /** @type {any} */ (page.mainFrame())._id;
