// @ts-check
// The SDK's installer and helpers: what they find when Godwit is there. None of them sends a request.

import assert from "node:assert/strict";
import { until } from "../harness/wait.mjs";
import { like } from "./match.mjs";

/** @param {import("./bench.mjs").Bench} bench */
export function installer(bench) {
  bench.row("Installer.isExtensionInstalled", "Godwit's extension is found, by promise and by callback", async ({ sees, says }) => {
    const page = await bench.site();
    await page.install();
    await sees(page.call("isExtensionInstalled", [2_000], "promise", "installer"), { request: null, success: true });
    await sees(page.call("isExtensionInstalled", [2_000], "last", "installer"), { request: null, success: null });
    says("found");
  });
  bench.row("Installer.doesBrowserNeedExtensionStore", "the SDK's own answer", async ({ sees }) => {
    const page = await bench.site();
    await page.install();
    await sees(page.call("doesBrowserNeedExtensionStore", [], "plain", "installer"), { request: null, returned: true });
  });
  bench.row("Installer.getExtensionStoreLink", "the vendor's store, fixed in the SDK", async ({ sees }) => {
    const page = await bench.site();
    await page.install();
    await sees(page.call("getExtensionStoreLink", [], "plain", "installer"), { request: null, returned: like(/^https:/) });
  });
  bench.row("Installer.startExtensionInstall", "a window with that link is opened by the SDK", async ({ says }) => {
    const page = await bench.page();
    await page.install();
    await page.page.evaluate(() => {
      const wire = /** @type {any} */ (globalThis).wire;
      globalThis.open = (url) => (wire.told.push(["window", String(url)]), null);
    });
    await page.call("startExtensionInstall", [], "plain", "installer");
    const [link] = await page.told("window");
    assert.match(link, /^https:/);
    says("opened");
    await page.close();
  });
  bench.row("Installer.installationJSON", "versions.js at the page's own sdkLocation is read", async ({ says }) => {
    const page = await bench.site();
    await page.install({ sdkLocation: new URL("/versions", bench.world.pages.address).href });
    await page.call("installationJSON", [{ listener: "json" }], "plain", "installer");
    const [[entry]] = await until("the entry is there", async () => {
      const told = await page.told("json");
      return told.length > 0 ? told : undefined;
    });
    assert.equal(entry.platform.os, "linux");
    assert.match(entry.links[0].hrefAbsolute, /\/versions\/bin\/godwit\.run$/);
    says("read");
  });
  bench.row("Installer.connected", "the banner shows that it runs and goes away", async ({ says }) => {
    const page = await bench.page();
    await page.install({ iframeId: "banner" });
    await page.call("showInstall", [], "plain", "installer");
    await until("the banner is there", () => page.page.evaluate(() => document.querySelector("#banner") !== null));
    await page.call("connected", [1], "plain", "installer");
    await until("the banner is gone", () => page.page.evaluate(() => {
      const banner = /** @type {HTMLElement} */ (document.querySelector("#banner"));
      return /hide/.test(banner.className) || getComputedStyle(banner).display === "none";
    }));
    says("gone");
    await page.close();
  });
  for (const name of ["showDownload", "showExtensionInstall", "showInstall", "showLaunching", "showPrevious", "showRetry", "showUnsupportedBrowser", "showUpdate", "dismiss"]) {
    bench.row(`Installer.${name}`, "the SDK's banner, beside a session that runs", async ({ sees, says }) => {
      const page = await bench.site();
      await page.install();
      await sees(page.call(name, name === "showLaunching" ? [1] : [], "plain", "installer"), { request: null, returned: null });
      assert.equal(await page.status(), "RUNNING");
      says("RUNNING stays");
    });
  }
  for (const [name, args] of /** @type {[string, any[]][]} */ ([["addEventListener", [{ listener: "event" }]], ["addActivityListener", ["connect_bar_event", { listener: "event" }]]])) {
    bench.row(`Installer.${name}`, "a message of the banner reaches the listener", async ({ says }) => {
      const page = await bench.page();
      await page.install();
      await page.call(name, args, "plain", "installer");
      await page.call("showInstall", [], "plain", "installer");
      const message = name === "addEventListener" ? "removeiframe" : "connect_bar_visible";
      await page.page.evaluate((text) => window.postMessage(text, location.origin), message);
      await until("the listener is told", async () => (await page.told("event")).some(([each]) => each === message));
      says("told");
      await page.close();
    });
  }
  bench.row("Utils", "utoa, atou, getFullURI, BROWSER", async ({ sees, says }) => {
    const page = await bench.site();
    await sees(page.call("utoa", ["Grüße"], "plain", "utils"), { request: null, returned: "R3LDvMOfZQ==" });
    await sees(page.call("atou", ["R3LDvMOfZQ=="], "plain", "utils"), { request: null, returned: "Grüße" });
    await sees(page.call("getFullURI", ["x.txt"], "plain", "utils"), { request: null, returned: `${bench.world.pages.address}x.txt` });
    const known = await page.page.evaluate(() => /** @type {any} */ (globalThis).AW4.Utils.BROWSER);
    assert.deepEqual([known.CHROME, known.FIREFOX], bench.name === "chromium" ? [true, false] : [false, true]);
    says("as declared");
  });
  bench.row("Utils.launchConnect", "the page stays, RUNNING stays", async ({ sees, says }) => {
    const page = await bench.page();
    await sees(page.call("launchConnect", [{ listener: "launched" }], "plain", "utils"), { request: null, returned: null });
    if (bench.name === "chromium") await until("the SDK gives its guess", async () => (await page.told("launched")).length > 0);
    assert.equal(await page.status(), "RUNNING");
    says("RUNNING stays");
    await page.close();
  });
  bench.row("Logger.setLevel", "a level", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("setLevel", [1], "plain", "logger"), { request: null, returned: null });
  });
}
