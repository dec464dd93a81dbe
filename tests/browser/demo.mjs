// @ts-check
// `cargo xtask demo`: sets the stage (content, server, web application, browser), then lets a person or a script play.

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { App } from "./harness/app.mjs";
import { Browser } from "./harness/browser.mjs";
import { Machine } from "./harness/machine.mjs";
import { serve } from "./harness/pages.mjs";
import { TransferServer } from "./harness/server.mjs";
import { makeContent, listServer } from "./demo/content.mjs";
import { play } from "./demo/script.mjs";

const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    browser: { type: "string", default: "chromium" },
    size: { type: "string", default: "1000000000" },
    headless: { type: "boolean", default: false },
  },
});
const name = /** @type {import("./harness/browser.mjs").BrowserName} */ (values.browser);
const folder = path.resolve(/** @type {string} */ (values.folder));

/** What must be undone at the end, last first. @type {(() => unknown)[]} */
const undo = [];
let ending = false;

async function end(/** @type {number} */ code) {
  if (ending) return;
  ending = true;
  for (const step of undo.reverse()) {
    try {
      await step();
    } catch (error) {
      console.error(`demo: cleaning up: ${error}`);
    }
  }
  process.exit(code);
}
for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => end(1));

try {
  // What an earlier demo left running or lying there.
  await new Machine(folder).dispose();
  fs.rmSync(folder, { recursive: true, force: true });
  const machine = new Machine(folder);
  undo.push(() => machine.dispose());
  undo.push(() => removeContent(machine));

  const content = makeContent(machine, Number(values.size));
  const server = await TransferServer.start(machine, { password: crypto.randomBytes(12).toString("base64url") });
  undo.push(() => server.stop());
  const application = await serve("demo", {
    "/api/login": () => server.spec(),
    "/api/list": (request) => listServer(machine.docroot, request),
  });
  undo.push(() => application.close());
  const page = `http://localhost:${application.port}/`;
  const stage = { name, machine, server, content, page };

  if (values.headless) {
    const good = await play(stage, undo);
    await end(good ? 0 : 1);
  } else {
    await forAPerson(stage);
    await end(0);
  }
} catch (error) {
  console.error(`demo: ${error instanceof Error ? error.stack : error}`);
  await end(1);
}

/** Gigabytes that nobody needs again; pictures and logs stay. @param {Machine} machine */
async function removeContent(machine) {
  if (process.env.GODWIT_KEEP) return;
  await machine.dispose(); // Nothing may write there any more.
  for (const each of [machine.docroot, machine.home, machine.files]) fs.rmSync(each, { recursive: true, force: true });
}

/** Opens the browser, explains, and opens it again as often as the person likes. @param {import("./demo/script.mjs").Stage} stage */
async function forAPerson({ machine, content, page, server }) {
  console.log(`
  The browser shows the web application that the transfer server brings along, at ${server.web}
  You are signed in; the name is ${server.user}, the password ${server.password}
  It uses the vendor's SDK from npm, unmodified; everything behind the SDK is Godwit.

    1. "Upload folder": Godwit asks you once whether this site may use it: allow it.
       Then its picker opens in ${machine.home}:
       "${content.treeName}" holds ${content.treeFiles.toLocaleString("en")} real files, "${content.largeName}" is the large one.
       Or drag files and folders from your desktop onto the list.
    2. Watch. Godwit's own list of transfers is behind the puzzle piece of the toolbar.
    3. Open "library" or "archive", mark something and "Download". "Share" makes a link for others.
    4. Start the large one, quit the browser, and open it again from here: the transfer has gone on.

  The other tab is Flyway, a small application of the kind that you would write yourself: ${page}

  Ctrl-C ends the demo. What arrives on the server lies in ${machine.docroot} until then.
`);
  /** @type {Browser | undefined} */
  let browser;
  undo.push(() => browser?.close());
  const lines = process.stdin.isTTY ? createInterface({ input: process.stdin }) : undefined;
  for (;;) {
    browser = await Browser.launch(machine, name, { headless: false });
    const child = browser.driver.process();
    const closed = new Promise((done) => child?.once("exit", done));
    const [blank] = await browser.driver.pages();
    await browser.site(page);
    const app = await App.open({ browser, server });
    await app.signIn(server.user, server.password);
    await blank?.close();
    await closed;
    if (!lines) return;
    const active = machine.status().transfers.filter((/** @type {any} */ each) => each.status === "running").length;
    console.log(`  The browser is closed; transfers still running: ${active}. Enter opens it again, Ctrl-C ends the demo.`);
    await new Promise((pressed) => lines.once("line", pressed));
  }
}
