// @ts-check
// A page that means harm (docs/fault-matrix.md): what it sends is refused with its error, and everyone else is served on.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { WirePage } from "../conformance/bench.mjs";
import { APP_ID } from "../conformance/shapes.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";
import { until } from "../harness/wait.mjs";

const DIALOG = "/connect/windows/select-open-file-dialog/";

inEachBrowser("hostile", (name) => {
  const world = new World(name);
  const picked = path.join(world.machine.files, "picked.txt");
  const secret = path.join(world.machine.files, "secret.txt");
  before(async () => {
    fs.writeFileSync(picked, "picked");
    fs.writeFileSync(secret, "nobody picked this");
    await world.start();
    const first = await world.openSite();
    await world.pickAfterConsent(first, [picked]);
    // A site's question goes with its last page.
    await first.page.close();
  });
  after(() => world.end());

  /** A page that writes down what it sends and gets; no session of the SDK. @param {string} [origin] */
  const page = async (origin = world.pages.address) => {
    // Firefox's driver opens a tab beside one that may be closing in this moment.
    const tab = await until("a tab opens", () => world.browser.driver.newPage());
    await tab.goto(`${origin}conformance.html`);
    return new WirePage(tab);
  };
  /** Puts a frame into a page and waits until its script runs. @param {WirePage} on @param {string} source @param {string} [sandbox] */
  const frame = async (on, source, sandbox) => {
    await on.page.evaluate(
      (url, flags) => {
        const element = document.createElement("iframe");
        if (flags !== undefined) element.setAttribute("sandbox", flags);
        element.src = url;
        document.body.append(element);
      },
      source,
      sandbox,
    );
    const found = await until("the frame is there", async () => {
      const inner = on.page.frames().find((each) => each.url() === source && each !== on.page.mainFrame());
      return inner && (await inner.evaluate(() => typeof (/** @type {any} */ (globalThis).wire) === "object")) ? inner : undefined;
    });
    return new WirePage(/** @type {any} */ (found));
  };
  /** The agent, the host and the background are well: another site is answered. */
  const othersAreServed = async () => {
    const other = await page(world.pages.localhost);
    const [answer] = await other.raw([get(1, "/connect/info/version")]);
    assert.equal(answer.status, 200);
    await other.close();
  };

  test("H6: objects that bite, in place of a request, harm nobody", async () => {
    const site = await page();
    await site.page.evaluate(() => {
      const cyclic = { request_id: 5, method: "GET", uri_reference: "/connect/info/version" };
      /** @type {any} */ (cyclic).self = cyclic;
      const biting = { get request_id() { throw new Error("bite"); } };
      const bitingLater = { request_id: 6, get body() { throw new Error("bite"); } };
      const trap = new Proxy({}, { get() { throw new Error("bite"); }, has() { throw new Error("bite"); } });
      const polluting = JSON.parse('{"request_id": 7, "__proto__": {"method": "GET", "oversize": true}, "constructor": {"prototype": {"x": 1}}}');
      for (const detail of [null, undefined, 5, "text", true, [], [1], {}, () => 5, Symbol("s"), 5n, biting, bitingLater, trap, polluting,
        { request_id: "9" }, { request_id: NaN }, { request_id: 1.5 }, { request_id: 2 ** 60 }, { request_id: {} }, new Map([["request_id", 8]]), document.body, window]) {
        document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail }));
      }
      document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail: cyclic }));
      document.dispatchEvent(new Event("AsperaConnectRequest"));
      document.dispatchEvent(new Event("AsperaConnectCheck"));
      window.postMessage({ type: "AsperaConnectResponse", detail: { request_id: 1, status: 200, body: "{}" } }, location.origin);
    });
    const [answer] = await site.raw([get(100, "/connect/info/version")]);
    assert.equal(answer.status, 200);
    assert.ok((await site.wire("responses")).every((each) => [1, 5, 6, 7, 100].includes(each.request_id)), "no answer without a request");
    await site.close();
    await othersAreServed();
  });

  test("H7: fields of the wrong type and paths that are none get their error, each time as JSON", async () => {
    const site = await page();
    const good = get(1, "/connect/info/version");
    const answers = await site.raw([
      { ...good, request_id: 1, method: 5 },
      { ...good, request_id: 2, method: { get: "GET" } },
      { ...good, request_id: 3, uri_reference: ["/connect/info/version"] },
      { ...good, request_id: 4, min_version: {} },
      { ...good, request_id: 5, timeout: "soon" },
      { ...good, request_id: 6, uri_reference: `/connect/${"x".repeat(5_000)}` },
      { ...good, request_id: 7, uri_reference: "/connect/transfers/../info/version" },
      { ...good, request_id: 8, uri_reference: "javascript:alert(1)" },
      { ...good, request_id: 9, method: "DELETE" },
      post(10, "/connect/transfers/activity", "[]"),
      post(11, "/connect/transfers/activity", "{} {}"),
      post(12, "/connect/transfers/activity", '{"a":1,"a":2}'),
      post(13, "/connect/transfers/activity", "\ufeff{}"),
      post(14, "/connect/transfers/activity", `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    ]);
    for (const answer of answers) {
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.request_id}: ${answer.status} ${answer.body}`);
      assert.equal(JSON.parse(answer.body).error.code, answer.status);
    }
    assert.equal(answers.length, 14);
    await site.close();
  });

  test("H3: a body of 30 MB is refused before it leaves the page's own process", async () => {
    const site = await page();
    const status = await site.page.evaluate(async () => {
      const answered = new Promise((done) => window.addEventListener("message", (event) => {
        if (event.data?.detail?.request_id === 31) done(event.data.detail.status);
      }));
      const detail = { request_id: 31, min_version: "", method: "POST", uri_reference: "/connect/transfers/start", body: `"${"x".repeat(30_000_000)}"` };
      document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail }));
      return answered;
    });
    assert.equal(status, 413);
    await site.close();
    await othersAreServed();
  });

  test("H8: a frame of another site is asked about under its own name", async () => {
    const outer = await page();
    const other = await world.newOrigin();
    const inner = await frame(outer, `${other}conformance.html`);
    await inner.send([post(1, DIALOG, "{}")]);
    const consent = await world.browser.window("consent");
    assert.equal(await consent.text("#origin"), new URL(other).origin);
    await consent.click("#deny");
    const [answer] = await inner.answers([1]);
    assert.equal(answer.status, 403);
    assert.deepEqual(await outer.wire("responses"), [], "the page around it hears nothing");
    await outer.close();
  });

  test("H8: a sandboxed frame has no name to ask for, and is told nothing", async () => {
    const outer = await page();
    const inner = await frame(outer, `${world.pages.address}conformance.html`, "allow-scripts");
    assert.equal(await inner.page.evaluate(() => globalThis.origin), "null");
    await inner.page.evaluate(() => {
      window.addEventListener("message", (event) => /** @type {any} */ (globalThis).wire.told.push(["message", event.data]));
      document.dispatchEvent(new CustomEvent("AsperaConnectCheck"));
    });
    await inner.send([get(1, "/connect/info/version"), post(2, DIALOG, "{}")]);
    // The page around it asks later and is answered: what the frame would get had been there by then.
    assert.equal((await outer.raw([get(3, "/connect/info/version")]))[0].status, 200);
    assert.deepEqual(await inner.told("message"), []);
    assert.equal((await world.browser.windows("picker")).length, 0);
    await outer.close();
  });

  test("H8: what a request says about its sender is not believed", async () => {
    const other = await world.newOrigin();
    const site = await page(other);
    const { origin } = new URL(world.pages.address);
    const forged = { origin, sender: { origin, url: world.pages.address }, frame_id: "x", type: "request", greeting: true, name: "view" };
    await site.send([{ ...forged, ...post(1, DIALOG, JSON.stringify({ origin, aspera_connect_settings: { app_id: APP_ID, origin } })) }]);
    const consent = await world.browser.window("consent");
    assert.equal(await consent.text("#origin"), new URL(other).origin, "although the other site is allowed");
    await consent.click("#deny");
    assert.equal((await site.answers([1]))[0].status, 403);
    await site.close();
  });

  test("H11: sources that no dialog returned are refused, in every way to write them", async () => {
    const site = await page();
    const folder = path.dirname(picked);
    const sources = [secret, "/etc/passwd", "../../etc/passwd", `${folder}/../files/secret.txt`, `${picked}/../secret.txt`, "~/secret.txt",
      `file://${secret}`, "\\\\host\\share", "/dev/zero", "/proc/self/environ", folder, `${picked}\u0000`, "", "."];
    const answers = await site.raw(sources.map((source, index) => start(index, { ...world.server.spec(), direction: "send", paths: [{ source }] })));
    for (const [index, source] of sources.entries()) {
      const answer = answers.find((each) => each.request_id === index);
      assert.ok([400, 406].includes(answer?.status), `${source}: ${JSON.stringify(answer)}`);
    }
    assert.deepEqual(fs.readdirSync(world.machine.docroot), []);
    await site.close();
  });

  test("H12: destinations outside the download folder are refused, in every way to write them", async () => {
    fs.writeFileSync(path.join(world.machine.docroot, "down.txt"), "down");
    const site = await page();
    const settings = [{}, { use_absolute_destination_path: true }];
    const places = ["../out", "a/../../out", "..", "/../out", "a\u0000b", "a/\u202ecod.exe"];
    const wishes = [
      ...places.map((destination_root) => [{ destination_root }, {}]),
      ...["/etc", world.machine.home, "/"].map((destination_root) => [{ destination_root }, settings[1]]),
      ...["../out.txt", "/etc/out.txt/../../x", "a/../../out.txt"].map((destination) => [{ paths: [{ source: "/down.txt", destination }] }, {}]),
    ];
    const spec = { ...world.server.spec(), direction: "receive", paths: [{ source: "/down.txt" }] };
    const answers = await site.raw(wishes.map(([more, given], index) => start(index, { ...spec, ...more }, given)));
    for (const [index, wish] of wishes.entries()) {
      const answer = answers.find((each) => each.request_id === index);
      assert.ok([400, 406].includes(answer?.status), `${JSON.stringify(wish)}: ${JSON.stringify(answer)}`);
    }
    await site.close();
  });

  test("H13: before the user allowed it, a site learns that Godwit exists, and the same as every other site", async () => {
    const asked = [get(1, "/connect/info/version"), get(2, "/connect/info/ping"), get(3, "/connect/file/initialize-drag-drop"),
      post(4, "/connect/transfers/activity", '{"iteration_token":0,"aspera_connect_settings":{"app_id":"x"}}'), post(5, "/connect/update/require", '{"min_version":"99"}'),
      get(6, "/connect/nothing"), get(7, "/connect/transfers/start"), post(8, "/connect/transfers/start", "{"), post(9, "/connect/transfers/stop/a%2f", "{}")];
    const all = [];
    for (const origin of [await world.newOrigin(), await world.newOrigin()]) {
      const site = await page(origin);
      const answers = await site.raw(asked);
      all.push(answers.sort((a, b) => a.request_id - b.request_id));
      tellsNothing(JSON.stringify(answers));
      await site.close();
    }
    assert.deepEqual(all[0], all[1]);
    assert.equal((await world.browser.windows("consent")).length, 0);
    assert.equal((await world.browser.windows("about")).length, 0, "a stranger opens no window");
  });

  test("H13: errors do not tell whether a file exists, and name nothing that the page did not name", async () => {
    const site = await page();
    const read = (/** @type {number} */ id, /** @type {string} */ file) => post(id, "/connect/file/read-as-array-buffer/", JSON.stringify({ path: file }));
    const there = path.join(world.machine.files, "secret.txt");
    const nowhere = path.join(world.machine.files, "nothing.txt");
    const [one, two] = (await site.raw([read(1, there), read(2, nowhere)])).sort((a, b) => a.request_id - b.request_id);
    assert.equal(one.body.replaceAll("secret", "X"), two.body.replaceAll("nothing", "X"));
    const others = await site.raw([
      post(3, "/connect/transfers/info/00000000-0000-4000-8000-000000000000", '{"aspera_connect_settings":{"app_id":"x"}}'),
      start(4, { direction: "receive", remote_host: "a.example", paths: [{ source: "x" }], destination_root: "../x" }),
      start(5, { direction: "send", remote_host: "a.example", paths: [{ source: "/nowhere/at/all" }] }),
    ]);
    tellsNothing(JSON.stringify(others));
    await site.close();
  });

  test("H14: of ten thousand starts at once a few are looked at, the rest is refused, and another site is served meanwhile", async () => {
    const site = await page();
    const spec = { direction: "receive", remote_host: "a.example", paths: [{ source: "x" }], destination_root: "../x" };
    await site.page.evaluate((detail) => {
      for (let id = 1; id <= 10_000; id += 1) document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail: { ...detail, request_id: id } }));
    }, start(0, spec));
    await othersAreServed();
    const counts = await until("all of them are answered", async () => {
      const statuses = (await site.wire("responses")).map((each) => each.status);
      return statuses.length === 10_000 ? statuses : undefined;
    });
    const busy = counts.filter((status) => status === 429).length;
    assert.ok(busy > 9_000, `${busy} were refused for their number`);
    assert.deepEqual([...new Set(counts)].sort(), [400, 429]);
    await site.close();
    await othersAreServed();
  });

  test("H14: fifty dialogs at once are one window, a few that wait, and the rest refused; with the page all of them go", async () => {
    const site = await page();
    await site.send(Array.from({ length: 50 }, (_, index) => post(index, DIALOG, "{}")));
    const refused = await until("the rest is refused", async () => {
      const statuses = (await site.wire("responses")).map((each) => each.status);
      return statuses.length >= 46 ? statuses : undefined;
    });
    assert.deepEqual([...new Set(refused)], [429]);
    assert.equal(refused.length, 46);
    await world.browser.window("picker");
    assert.equal((await world.browser.windows("picker")).length, 1);
    await site.close();
    await world.browser.noWindow("picker");
    await othersAreServed();
  });

  test("S2: an answer reaches the document that asked and no other of the same site", async () => {
    const outer = await page();
    const inner = await frame(outer, `${world.pages.address}conformance.html`);
    const twin = await page();
    assert.equal((await inner.raw([get(11, "/connect/info/version")])).length, 1);
    assert.equal((await outer.raw([get(12, "/connect/info/version")])).length, 1);
    assert.equal((await twin.raw([get(13, "/connect/info/version")])).length, 1);
    const ids = async (/** @type {WirePage} */ of) => (await of.wire("responses")).map((each) => each.request_id);
    assert.deepEqual([await inner.page.evaluate(() => /** @type {any} */ (globalThis).wire.responses.map((/** @type {any} */ each) => each.request_id)), await ids(outer), await ids(twin)], [[11], [12], [13]]);
    await outer.close();
    await twin.close();
  });

  test("S6: a back link that is no web address is dropped, and no path of the page's is opened", async () => {
    const site = await page();
    const spec = { ...world.server.spec(), direction: "send", paths: [{ source: picked }], destination_root: "/in", create_dir: true };
    const [answer] = await site.raw([start(1, spec, { back_link: "javascript:alert(1)" })]);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(JSON.parse(answer.body).transfer_specs[0].aspera_connect_settings.back_link, "");
    for (const id of ["..", "%2e%2e", "$(id)", "a;b", encodeURIComponent("/etc")]) {
      const [refused] = await site.raw([get(2, `/connect/windows/finder/${id}`)]);
      assert.ok([400, 404].includes(refused.status), `${id}: ${refused.status}`);
    }
    await site.close();
  });

  test("S11: no page can read, run or frame a file of the extension", async () => {
    const site = await page();
    const files = ["pages/consent.html", "pages/picker.html", "wasm/godwit_core_bg.wasm", "background/main.js", "manifest.json", "icons/godwit-16.png"];
    for (const file of files) {
      const read = await site.page.evaluate((url) => fetch(url).then((answer) => `read: ${answer.status}`, () => "refused"), world.browser.base + file);
      assert.equal(read, "refused", file);
    }
    const ran = await site.page.evaluate((url) => new Promise((done) => {
      const script = document.createElement("script");
      script.onload = () => done("ran");
      script.onerror = () => done("refused");
      script.src = url;
      document.head.append(script);
    }), `${world.browser.base}content/relay.js`);
    assert.equal(ran, "refused");
    await site.page.evaluate((url) => {
      const element = document.createElement("iframe");
      element.src = url;
      document.body.append(element);
    }, `${world.browser.base}pages/consent.html`);
    assert.equal((await site.raw([get(1, "/connect/info/version")]))[0].status, 200);
    assert.ok(site.page.frames().every((each) => !each.url().startsWith(world.browser.base)), "the window is not in a frame");
    await site.close();
  });

  /** Nothing about this machine or its user. @param {string} text */
  function tellsNothing(text) {
    const { machine } = world;
    for (const word of [machine.folder.slice(1), machine.home.slice(1), machine.godwitHome.slice(1), os.homedir().slice(1), os.userInfo().username, os.hostname(), "Downloads"]) {
      const whole = new RegExp(`\\b${word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\b`);
      assert.ok(!whole.test(text), `${word} is in ${text}`);
    }
  }
});

/** @param {number} request_id @param {string} uri_reference */
const get = (request_id, uri_reference) => ({ request_id, min_version: "", method: "GET", uri_reference, body: "" });
/** @param {number} request_id @param {string} uri_reference @param {string} body */
const post = (request_id, uri_reference, body) => ({ request_id, min_version: "", method: "POST", uri_reference, body });
/** @param {number} request_id @param {object} spec @param {object} [settings] */
const start = (request_id, spec, settings = {}) =>
  post(request_id, "/connect/transfers/start", JSON.stringify({ transfer_specs: [{ transfer_spec: spec, aspera_connect_settings: { ...settings, app_id: APP_ID } }] }));

inEachBrowser("a host that is not ours", (name) => {
  const world = new World(name);
  const log = path.join(world.machine.folder, "starts");
  const program = path.join(world.machine.folder, "host.mjs");
  before(async () => {
    await world.start({ server: false });
    const manifest = name === "chromium" ? "profile-chromium/NativeMessagingHosts" : "home/.mozilla/native-messaging-hosts";
    const file = path.join(world.machine.folder, manifest, "io.godwit.host.json");
    fs.writeFileSync(file, JSON.stringify({ ...JSON.parse(fs.readFileSync(file, "utf8")), path: program }));
  });
  after(() => world.end());

  /** The program that the browser starts as the host from now on. @param {string} body */
  const host = (body) => {
    const first = `#!${process.execPath}\nimport fs from "node:fs";\nfs.appendFileSync(${JSON.stringify(log)}, Date.now() + "\\n");\n`;
    fs.writeFileSync(log, "");
    fs.writeFileSync(program, first + body, { mode: 0o755 });
  };
  const starts = () => fs.readFileSync(log, "utf8").trim().split("\n").filter(Boolean).map(Number);
  /** A page that looks for Godwit as long as it lives. */
  const searching = async () => {
    const tab = await world.browser.driver.newPage();
    await tab.goto(`${await world.newOrigin()}conformance.html`);
    const page = new WirePage(tab);
    await page.make({ minVersion: "3.9.0" }, APP_ID);
    return page;
  };

  for (const [major, older] of /** @type {[number, string][]} */ ([[0, "application"], [9, "extension"]])) {
    host("");
    test("H19: of an application and an extension that are too far apart the page hears OUTDATED, and the user which is older", async () => {
      host(`
        const text = Buffer.from(JSON.stringify({ type: "hello", id: 0, protocol: { major: ${major}, minor: 0 }, product: "godwit", version: "${major}.0.0", role: "agent", capabilities: [] }));
        const length = Buffer.alloc(4);
        length.writeUInt32LE(text.length);
        process.stdin.once("data", () => process.stdout.write(Buffer.concat([length, text])));
        process.stdin.on("end", () => process.exit(0));`);
      const page = await searching();
      await until("the SDK is OUTDATED", async () => (await page.status()) === "OUTDATED");
      const answer = (await page.wire("responses")).find((each) => each.status === 503);
      assert.equal(JSON.parse(answer.body).error.code, 503);
      const popup = await world.browser.open("popup");
      // What was found out before is believed for some seconds.
      await until("the popup says why", async () => new RegExp(`The ${older} is older`).test(await popup.text("#agent-missing-reason")));
      await popup.close();
      await page.close();
    });
  }

  test("P8: a host that breaks at once is started again after pauses that grow, however often pages ask", async () => {
    host("process.exit(3);");
    const pages = [await searching(), await searching(), await searching()];
    let asked = 0;
    const times = await until("it was started six times", async () => {
      // The SDK pauses by itself; a page that means harm does not.
      for (const page of pages) await page.send([get((asked += 1), "/connect/info/version")]);
      const all = starts();
      return all.length >= 6 ? all : undefined;
    }, 120_000);
    const [first = 0] = times;
    const took = (times[5] ?? 0) - first;
    assert.ok(took >= 2_000, `six starts within ${took} ms`);
    assert.ok(asked > 3 * times.length, `${asked} requests did not start it each time`);
    for (const page of pages) {
      assert.ok((await page.wire("responses")).every((each) => [0, 429, 503].includes(each.status) && JSON.parse(each.body).error), "no page waits for ever");
      await page.close();
    }
  });

  test("S7: a host that writes something else than frames is dropped, and the page hears of it", async () => {
    host('process.stdin.once("data", () => process.stdout.write("Hello, this is no frame. Not at all, whatever you make of it.\\n"));');
    const page = await searching();
    const [text] = await until("the page is told", async () => {
      const all = await page.wire("disconnects");
      return all.length > 0 ? all : undefined;
    });
    assert.equal(typeof text, "string");
    assert.notEqual(await page.status(), "RUNNING");
    await page.close();
  });
});
