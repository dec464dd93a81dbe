// @ts-check
// The scripted user: clicks through the demo page as a person would, and trusts nobody: every byte is compared.

import fs from "node:fs";
import path from "node:path";
import { App } from "../harness/app.mjs";
import { Browser } from "../harness/browser.mjs";
import { compare, differs, makeRandomFile } from "../harness/tree.mjs";
import { until } from "../harness/wait.mjs";

/**
 * @typedef {object} Stage
 * @property {import("../harness/browser.mjs").BrowserName} name
 * @property {import("../harness/machine.mjs").Machine} machine
 * @property {import("../harness/server.mjs").TransferServer} server
 * @property {ReturnType<typeof import("./content.mjs").makeContent>} content
 * @property {string} page
 */

/** Milliseconds a transfer may take, whatever its size. */
const PATIENCE = 30 * 60_000;

/** Plays the whole piece; true if every byte was compared equal. @param {Stage} stage @param {(() => unknown)[]} undo */
export async function play(stage, undo) {
  const { machine, content } = stage;
  const user = new User(stage);
  undo.push(() => user.browser?.close());
  const inbox = path.join(machine.docroot, "inbox");
  const tree = path.join(machine.home, content.treeName);
  const large = path.join(machine.home, content.largeName);

  await user.arrive();
  await user.picture("page-light.png");

  say("allows the site, and picks a folder");
  await user.press("#choose-folder");
  const consent = await user.browser.window("consent");
  await consent.screenshot(user.file("consent.png"), { width: 580, height: 520 });
  await consent.click("#allow-always");
  await user.browser.noWindow("consent");
  const picker = await user.browser.window("picker");
  await picker.goTo(machine.home);
  await picker.screenshot(user.file("picker.png"), { width: 900, height: 640 });
  await picker.choose(machine.home, [content.treeName]);
  await user.browser.noWindow("picker");

  say("uploads it");
  await user.upload(`upload: ${content.treeFiles.toLocaleString("en")} files`, () => check(tree, path.join(inbox, content.treeName)));

  say("picks the large file, uploads it, and quits the browser in the middle");
  await user.pickFile(large);
  await user.leaveInTheMiddle(() => check(large, path.join(inbox, content.largeName)));

  say("marks what the server has, and downloads it");
  const saved = machine.made("home/saved");
  await user.download("/", ["archive", "library"], saved, "download: the server's files", () => ({
    ...merge(check(path.join(machine.docroot, "archive"), path.join(saved, "archive")), check(path.join(machine.docroot, "library"), path.join(saved, "library"))),
  }));
  fs.rmSync(saved, { recursive: true });

  say("downloads back what was uploaded");
  const back = machine.made("home/back");
  await user.download("/inbox", [content.treeName, content.largeName], back, "download back: what was uploaded", () =>
    merge(check(tree, path.join(back, content.treeName)), check(large, path.join(back, content.largeName))),
  );

  say("signs in to the server's own web application, uploads a file there, and downloads it again");
  await user.webApplication(inbox);
  return user.table();
}

class User {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    /** @type {Browser | undefined} */
    this.open = undefined;
    /** @type {{what: string, files: number, bytes: number, seconds: number, note: string, verified: boolean}[]} */
    this.rows = [];
    /** How long each transfer took, as the SDK tells the page. @type {Map<string, number>} */
    this.seconds = new Map();
  }

  get browser() {
    return /** @type {Browser} */ (this.open);
  }

  /** @param {string} name */
  file(name) {
    return path.join(this.stage.machine.folder, name);
  }

  /** Starts the browser and opens the page. */
  async arrive() {
    say(`opens ${this.stage.name} and the page`);
    this.open = await Browser.launch(this.stage.machine, this.stage.name);
    this.site = await this.browser.site(this.stage.page);
    await this.waits("the page says that Godwit is ready", () => document.getElementById("status")?.dataset.status === "RUNNING");
    await this.waits("the page lists the server's files", () => document.querySelectorAll("#server [data-name]").length > 0);
  }

  get page() {
    return /** @type {import("../harness/site.mjs").Site} */ (this.site).page;
  }

  /** @param {string} what @param {(...args: any[]) => any} probe @param {any[]} [args] @param {number} [patience] */
  waits(what, probe, args = [], patience) {
    return until(what, () => this.page.evaluate(probe, ...args), patience);
  }

  /** @param {string} name */
  async picture(name) {
    await this.page.screenshot({ path: /** @type {any} */ (this.file(name)), fullPage: true });
  }

  /** Clicks a button of the page as soon as it is enabled. @param {string} selector */
  async press(selector) {
    await this.waits(`${selector} can be pressed`, (s) => {
      const button = document.querySelector(s);
      if (!(button instanceof HTMLElement) || /** @type {any} */ (button).disabled) return false;
      button.click();
      return true;
    }, [selector]);
  }

  /** @param {string} file */
  async pickFile(file) {
    await this.press("#choose-files");
    const picker = await this.browser.window("picker");
    await picker.choose(path.dirname(file), [path.basename(file)]);
    await this.browser.noWindow("picker");
  }

  /** Uploads what was chosen. @param {string} what @param {() => Check} verify */
  async upload(what, verify) {
    const uuid = await this.startBy("#upload");
    await this.completes(uuid);
    this.note(what, uuid, verify());
  }

  /** Presses a button that starts a transfer; its uuid. @param {string} selector */
  async startBy(selector) {
    const known = this.transfers().map((each) => each.uuid);
    await this.press(selector);
    return until("the transfer is accepted", () => this.transfers().find((each) => !known.includes(each.uuid))?.uuid);
  }

  /** The agent's own list. @returns {any[]} */
  transfers() {
    return this.stage.machine.status().transfers;
  }

  /** @param {string} uuid */
  transfer(uuid) {
    return this.transfers().find((each) => each.uuid === uuid);
  }

  /** Waits until the page shows it completed. @param {string} uuid */
  async completes(uuid) {
    const end = await this.waits("the page shows the transfer's end", (id) => {
      const line = document.querySelector(`#transfers [data-uuid="${id}"]`);
      const status = line instanceof HTMLElement ? line.dataset.status : "";
      if (status === "failed") return `failed: ${line?.textContent}`;
      return status === "completed" ? `completed ${/** @type {HTMLElement} */ (line).dataset.seconds}` : "";
    }, [uuid], PATIENCE);
    if (!end.startsWith("completed")) throw new Error(`the transfer ${end}`);
    this.seconds.set(uuid, Number(end.split(" ")[1]));
  }

  /** Uploads what was chosen, quits the browser in mid-transfer and comes back. @param {() => Check} verify */
  async leaveInTheMiddle(verify) {
    // Slow enough that there is a middle to leave in.
    const limit = this.stage.content.size >= 1_000_000_000 ? 500_000 : this.stage.content.size >= 100_000_000 ? 100_000 : 20_000;
    await this.page.select("#rate", String(limit));
    const uuid = await this.startBy("#upload");
    await until("bytes are on their way", () => this.transfer(uuid)?.bytes_written > 0);
    await this.pictures();
    await this.browser.close();
    const left = this.transfer(uuid);
    say(`has quit the browser; the agent says: ${left.status}, ${percent(left)} %`);
    const middle = left.status === "running" && left.bytes_written < left.bytes_expected;
    await this.arrive();
    await this.waits("the page finds the transfer again", (id) => document.querySelector(`#transfers [data-uuid="${id}"]`) !== null, [uuid]);
    const now = this.transfer(uuid);
    say(`is back; the page shows it, the agent says: ${now.status}, ${percent(now)} %`);
    await this.completes(uuid);
    this.note("upload: the large file", uuid, verify(), `speed set to ${limit / 1000} Mbit/s, browser quit ${middle ? `at ${percent(left)} %` : `when ${left.status}`}`);
  }

  /** Page and popup, light and dark, while something moves. */
  async pictures() {
    for (const scheme of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
      const popup = await this.browser.open("popup");
      await this.browser.colours(scheme, popup);
      await popup.screenshot(this.file(`popup-${scheme}.png`), { width: 420, height: 480 });
      await popup.close();
      await this.page.bringToFront().catch(() => {});
      await this.browser.colours(scheme, /** @type {any} */ (this.site));
      await this.picture(`page-${scheme}.png`);
    }
  }

  /** Marks names in a folder of the server and saves them. @param {string} folder @param {string[]} names @param {string} target @param {string} what @param {() => Check} verify */
  async download(folder, names, target, what, verify) {
    for (const part of folder.split("/").filter(Boolean)) {
      await this.press(`#server [data-name="${part}"] button.name`);
    }
    for (const name of names) await this.press(`#server [data-name="${name}"] input`);
    await this.page.select("#rate", "10000000");
    await this.press("#download");
    const known = this.transfers().map((each) => each.uuid);
    const picker = await this.browser.window("picker");
    await picker.goTo(target);
    await picker.click("#choose");
    await this.browser.noWindow("picker");
    const uuid = await until("the transfer is accepted", () => this.transfers().find((each) => !known.includes(each.uuid))?.uuid);
    await this.completes(uuid);
    this.note(what, uuid, verify());
  }

  /** The other application: the one that the server brings along. @param {string} inbox its folder on the disk */
  async webApplication(inbox) {
    const { machine, server } = this.stage;
    const name = "sketch.tif";
    const file = path.join(machine.home, name);
    makeRandomFile(file, 30_000_000);
    const app = await App.open({ browser: this.browser, server });
    await app.signIn(server.user, server.password);
    await app.at("/");
    await app.running();
    await app.enterFolder("inbox", "/inbox");
    let before = await app.transfers();
    let begin = Date.now();
    await app.click("#upload-files");
    const consent = await this.browser.window("consent");
    await consent.click("#allow-always");
    await this.browser.noWindow("consent");
    let picker = await this.browser.window("picker");
    await picker.choose(machine.home, [name]);
    await this.browser.noWindow("picker");
    let { uuid } = await app.finishes(before);
    this.seconds.set(uuid, (Date.now() - begin) / 1000);
    this.note("web application: upload", uuid, check(file, path.join(inbox, name)));
    await until("the folder shows it", async () => (await app.names()).includes(name));

    const target = machine.made("home/from the web");
    await app.mark([name]);
    before = await app.transfers();
    begin = Date.now();
    await app.click("#download");
    picker = await this.browser.window("picker");
    await picker.goTo(target);
    await picker.click("#choose");
    await this.browser.noWindow("picker");
    ({ uuid } = await app.finishes(before));
    this.seconds.set(uuid, (Date.now() - begin) / 1000);
    this.note("web application: download", uuid, check(file, path.join(target, name)));
    for (const scheme of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
      await this.browser.colours(scheme, app);
      await app.screenshot(this.file(`web-${scheme}.png`), { width: 1200, height: 900 });
    }
    await app.close();
  }

  /** @param {string} what @param {string} uuid @param {Check} result @param {string} [note] */
  note(what, uuid, result, note = "") {
    const view = this.transfer(uuid);
    for (const each of result.differences.slice(0, 10)) console.log(`demo: DIFFERENT: ${each}`);
    const { files, bytes } = result;
    const seconds = this.seconds.get(uuid) ?? 0;
    const verified = result.differences.length === 0 && bytes === view.bytes_written;
    this.rows.push({ what, files, bytes, seconds, note, verified });
  }

  /** Prints the table; true if all was verified. */
  table() {
    console.log(`\n${"".padEnd(36)}${"files".padStart(7)}${"bytes".padStart(16)}${"seconds".padStart(10)}${"Mbit/s".padStart(9)}  verified`);
    for (const { what, files, bytes, seconds, note, verified } of this.rows) {
      const rate = seconds > 0 ? Math.round((bytes * 8) / seconds / 1e6) : 0;
      const numbers = [files.toLocaleString("en").padStart(7), bytes.toLocaleString("en").padStart(16)];
      console.log(`${what.padEnd(36)}${numbers.join("")}${seconds.toFixed(1).padStart(10)}${String(rate).padStart(9)}  ${verified ? "every byte" : "NO"}${note && `, ${note}`}`);
    }
    console.log(`\nScreenshots: ${this.stage.machine.folder}/*.png`);
    return this.rows.length === 6 && this.rows.every((row) => row.verified);
  }
}

/** @typedef {{files: number, bytes: number, differences: string[]}} Check */

/** Compares two files or two trees. @param {string} left @param {string} right @returns {Check} */
function check(left, right) {
  if (!fs.existsSync(right)) return { files: 0, bytes: 0, differences: [`missing: ${right}`] };
  if (fs.statSync(left).isDirectory()) return compare(left, right);
  const where = differs(left, right);
  return where === undefined
    ? { files: 1, bytes: fs.statSync(left).size, differences: [] }
    : { files: 0, bytes: 0, differences: [`${left}: ${where}`] };
}

/** @param {...Check} checks @returns {Check} */
function merge(...checks) {
  return {
    files: checks.reduce((sum, each) => sum + each.files, 0),
    bytes: checks.reduce((sum, each) => sum + each.bytes, 0),
    differences: checks.flatMap((each) => each.differences),
  };
}

/** @param {{bytes_written: number, bytes_expected: number}} view */
const percent = (view) => (view.bytes_expected > 0 ? Math.floor((100 * view.bytes_written) / view.bytes_expected) : 0);

/** @param {string} what */
function say(what) {
  console.log(`demo: the user ${what}`);
}
