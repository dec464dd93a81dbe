// @ts-check
// The diagnostics page of the server's web application: what is between a person's machine and the server.

import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import { App } from "../harness/app.mjs";
import { walk } from "../harness/keys.mjs";
import { look } from "../harness/look.mjs";
import { until } from "../harness/wait.mjs";
import { inEachBrowser, World } from "../harness/world.mjs";

const SIZE = { width: 1200, height: 900 };

/**
 * A fake of a network that lets the web through and the data port not: pages are told of another one, behind which is nothing by UDP.
 * @param {string} web address of the real application @param {number} port told to pages
 */
async function fakeNetwork(web, port) {
  const { hostname, port: webPort } = new URL(web);
  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const on = http.request({ hostname, port: webPort, method, path, headers }, (answer) => {
      /** @type {Buffer[]} */
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        let body = Buffer.concat(parts);
        const kept = { ...answer.headers };
        delete kept["transfer-encoding"];
        if (path === "/web/session" && answer.statusCode === 200) body = Buffer.from(JSON.stringify({ ...JSON.parse(String(body)), data_port: port }));
        response.writeHead(answer.statusCode ?? 500, { ...kept, "content-length": body.length });
        response.end(body);
      });
    });
    request.pipe(on);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const { port: own } = /** @type {net.AddressInfo} */ (server.address());
  return {
    web: `http://127.0.0.1:${own}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

inEachBrowser("diagnostics page", (name) => {
  const world = new World(name);
  before(() => world.start());
  after(() => world.end());

  /** The results by test. @param {App} app @returns {Promise<Record<string, string>>} */
  const results = (app) =>
    app.evaluate(() => Object.fromEntries([...document.querySelectorAll("#diagnose-tests li")].map((line) => [line.getAttribute("data-test"), line.getAttribute("data-result")])));
  /** What was found, when all tests are made. @param {App} app @returns {Promise<string>} */
  const found = (app) =>
    until("the page comes to a verdict", () =>
      app.evaluate(() => {
        const verdict = /** @type {HTMLElement | null} */ (document.querySelector("#diagnose-verdict:not([hidden])"));
        return verdict?.dataset.found;
      }),
    90_000,
    );
  /** Lets the person allow the site. */
  const allow = async () => {
    const consent = await world.browser.window("consent");
    await consent.click("#allow-always");
    await world.browser.noWindow("consent");
  };

  test("where everything works it says so, before and after signing in", async () => {
    const app = await App.open(world, "#diagnostics");
    await allow();
    assert.equal(await found(app), "foundGood", JSON.stringify(await results(app)));
    assert.deepEqual(await results(app), { http: "good", extension: "good", agent: "good", tcp: "good", udp: "good" });
    await look(app, name, "web-diagnostics", SIZE);
    await walk(app);
    await app.click("#diagnose-back");
    await app.signIn("demo", "swordfish");
    await app.at("/");
    await app.click("#diagnose");
    assert.equal(await found(app), "foundGood");
    await app.click("#diagnose-copy");
    const report = await app.value("#diagnose-report");
    assert.match(report, /UDP port \d+, with a login: works/);
    await app.close();
  });

  test("a port that lets only TCP through: UDP is blocked, and whom to ask", async () => {
    const listener = net.createServer((socket) => socket.end());
    await new Promise((ready) => listener.listen(0, "127.0.0.1", () => ready(undefined)));
    const { port } = /** @type {net.AddressInfo} */ (listener.address());
    const network = await fakeNetwork(world.server.web, port);
    try {
      const app = new App(await world.browser.driver.newPage());
      await app.page.goto(`${network.web}?lang=en#diagnostics`);
      await allow();
      assert.equal(await found(app), "foundUdp", JSON.stringify(await results(app)));
      assert.match(await app.text("#diagnose-verdict"), new RegExp(`administrator of your network to allow UDP ${port} .*to 127\\.0\\.0\\.1`));
      await look(app, name, "web-diagnostics-udp", SIZE);
      await new Promise((closed) => listener.close(() => closed(undefined)));
      await app.click("#diagnose-again");
      await until("the tests begin anew", async () => !(await app.shows("#diagnose-verdict")));
      assert.equal(await found(app), "foundBoth", JSON.stringify(await results(app)));
      await app.close();
    } finally {
      listener.close();
      network.close();
    }
  });

  test("without the extension it says what is missing", async () => {
    await world.browser.driver.uninstallExtension(world.browser.id);
    const app = await App.open(world, "?lang=de#diagnostics");
    assert.equal(await found(app), "foundExtension");
    assert.equal((await results(app)).udp, "unknown");
    await look(app, name, "web-diagnostics-german", SIZE);
  });
});
