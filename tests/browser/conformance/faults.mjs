// @ts-check
// What goes wrong between page and agent: lost connections, repeated requests, refused sites, old versions.

import assert from "node:assert/strict";
import { kill } from "../harness/machine.mjs";
import { until } from "../harness/wait.mjs";
import { activity, APP_ID, COMMON, dataTransfer, errorBody } from "./shapes.mjs";

const NOBODY = "00000000-0000-4000-8000-000000000000";
/** Texts by which the SDK knows that nothing can be hoped for. */
const LASTING = /native messaging host not found|Error when communicating|is forbidden|No such native application/;

/** @param {import("./bench.mjs").Bench} bench */
export function faults(bench) {
  wire(bench);
  lost(bench);
  refused(bench);
}

/** What the SDK sends but no function of it stands for. @param {import("./bench.mjs").Bench} bench */
function wire(bench) {
  bench.row("(wire)", "one request id twice while the first is in flight: both are answered", async ({ says }) => {
    const page = await bench.page();
    const request = { min_version: "", method: "GET", uri_reference: "/connect/info/version", body: "" };
    const answers = await page.raw([{ request_id: 777, ...request }, { request_id: 777, ...request }]);
    assert.deepEqual(answers.map((each) => [each.request_id, each.status]), [[777, 200], [777, 200]]);
    says("200 and 200");
    await page.close();
  });
  bench.row("(wire)", "a start that is sent again with the same request id: one transfer", async ({ says }) => {
    const page = await bench.page();
    const { success: before } = await page.call("getAllTransfers", [], "first");
    const spec = { ...bench.world.server.spec(), direction: "send", paths: [{ source: bench.path("film.bin") }], destination_root: "/once", create_dir: true };
    const settings = { app_id: APP_ID, request_id: "7d0f8f0e-0f65-4a11-9d3b-2b52f1f7a111" };
    const body = JSON.stringify({ transfer_specs: [{ transfer_spec: spec, aspera_connect_settings: settings }], ...COMMON });
    const start = { min_version: "", method: "POST", uri_reference: "/connect/transfers/start", body };
    const two = await page.raw([{ request_id: 900, ...start }, { request_id: 901, ...start }]);
    const ids = two.map((each) => JSON.parse(each.body).transfer_specs?.[0].uuid);
    assert.equal(ids[0], ids[1], JSON.stringify(two));
    await page.reaches(ids[0], "completed");
    const [third] = await page.raw([{ request_id: 902, ...start }]);
    assert.equal(JSON.parse(third.body).transfer_specs[0].uuid, ids[0], "also after its end");
    const { success: after } = await page.call("getAllTransfers", [], "first");
    assert.equal(after.transfers.length, before.transfers.length + 1);
    await page.call("removeTransfer", [ids[0]], "promise");
    const [fourth] = await page.raw([{ request_id: 903, ...start }]);
    assert.equal(JSON.parse(fourth.body).transfer_specs[0].uuid, ids[0], "also after its removal");
    says("200, the same id");
    await page.close();
  });
  bench.row("(wire)", "no such path, wrong method, no JSON, too large: JSON with an error each time", async ({ says }) => {
    const page = await bench.page();
    /** @type {[number, string, string, string][]} */
    const cases = [
      [404, "GET", "/connect/nothing/here", ""],
      [405, "GET", "/connect/transfers/start", ""],
      [400, "POST", "/connect/transfers/start", "{"],
      [400, "POST", "/connect/transfers/stop/a%2fb", "{}"],
      [413, "POST", "/connect/transfers/start", `"${"x".repeat(1024 * 1024)}"`],
      [404, "POST", "/connect/transfers/activity", "{}"],
    ];
    for (const [index, [status, method, uri_reference, body]] of cases.entries()) {
      const [answer] = await page.raw([{ request_id: 1_000 + index, min_version: "", method, uri_reference, body }]);
      assert.equal(answer.status, status, `${method} ${uri_reference}: ${answer.body}`);
      bench.fits(JSON.parse(answer.body), errorBody(status));
    }
    says("404, 405, 400, 400, 413, 404");
    await page.close();
  });
  bench.row("(wire)", "the page asks for a newer version: OUTDATED, update/require", async ({ says }) => {
    const page = await bench.page({ appId: null, options: {} });
    await page.make({ minVersion: "99.0.0", sdkLocation: "//sdk.example/connect/v4" }, APP_ID);
    await until("the SDK is OUTDATED", async () => (await page.status()) === "OUTDATED");
    const update = await until("it asks for the update", async () =>
      (await page.wire("requests")).find((request) => request.uri_reference === "/connect/update/require"));
    assert.equal(update.method, "POST");
    assert.deepEqual(JSON.parse(update.body), { min_version: "99.0.0", sdk_location: "http://sdk.example/connect/v4" });
    const answer = await until("it is answered", async () => (await page.wire("responses")).find((each) => each.request_id === update.request_id));
    assert.deepEqual([answer.status, answer.body], [200, "{}"]);
    await bench.windowOpens("about");
    await until("the SDK looks again", async () =>
      (await page.wire("responses")).filter((each) => each.status === 200 && each.body.includes("version")).length >= 3);
    assert.equal(await page.status(), "OUTDATED");
    says("OUTDATED; 200; the window about the version opens");
    await page.close();
  });
}

/** @param {import("./bench.mjs").Bench} bench */
function lost(bench) {
  for (const program of ["godwit-host", "godwit-agent"]) {
    bench.row("(wire)", `${program} dies while a dialog waits: AsperaConnectDisconnect, RUNNING again, the request is sent again`, async ({ says }) => {
      const page = await bench.page();
      const called = page.call("showSelectFileDialog", [], "first");
      await bench.world.browser.window("picker");
      const dead = bench.world.machine.processes().filter((each) => each.name === program);
      assert.ok(dead.length > 0, `${program} runs`);
      for (const { pid } of dead) kill(pid, "SIGKILL");
      const [text] = await until("the page is told", async () => {
        const all = await page.wire("disconnects");
        return all.length > 0 ? all : undefined;
      });
      assert.equal(typeof text, "string");
      assert.ok(text.length > 0 && !LASTING.test(text), text);
      await until("the request is sent again", async () =>
        (await page.wire("requests")).filter((each) => each.uri_reference === "/connect/windows/select-open-file-dialog/").length >= 2);
      assert.equal(await page.status(), "RUNNING");
      await until("the dialog can be answered", async () => {
        const [picker] = await bench.world.browser.windows("picker");
        if (picker === undefined) return false;
        await picker.ready();
        await picker.enter("#path-input", bench.path("alpha.txt"));
        await bench.world.browser.noWindow("picker");
        return true;
      });
      bench.fits((await called).success, dataTransfer(bench.file("alpha.txt")));
      says("status 0, then 200");
      await page.close();
    });
  }
}

/** @param {import("./bench.mjs").Bench} bench */
function refused(bench) {
  bench.row("(wire)", "a site that is refused for good: every call is refused, and nobody is asked", async ({ says }) => {
    const page = await bench.page({ origin: await bench.world.newOrigin() });
    const called = page.call("showAbout", [], "last");
    await (await bench.world.browser.window("consent")).click("#deny-always");
    bench.fits((await called).error, errorBody(403));
    const file = { path: "/etc/passwd", offset: 0, chunkSize: 5 };
    const spec = { direction: "receive", remote_host: "a.example", paths: [{ source: "x" }] };
    /** @type {[string, any[], "first" | "last"][]} */
    const calls = [
      ["authenticate", [{ remote_host: "127.0.0.1" }], "last"], ["testSshPorts", [{ remote_host: "127.0.0.1" }], "last"],
      ["startTransfer", [spec, {}], "last"], ["startTransfers", [{ transfer_specs: [{ transfer_spec: spec }] }], "last"],
      ["getTransfer", [NOBODY], "last"], ["modifyTransfer", [NOBODY, {}], "last"], ["stopTransfer", [NOBODY], "last"],
      ["resumeTransfer", [NOBODY, {}], "last"], ["removeTransfer", [NOBODY], "last"],
      ["readAsArrayBuffer", [file], "last"], ["readChunkAsArrayBuffer", [file], "last"], ["getChecksum", [file], "last"],
      ["getDroppedFiles", [{ dataTransfer: { files: [] } }], "last"],
      ["showAbout", [], "last"], ["showPreferences", [], "last"], ["showPreferencesPage", [{ page: "network" }], "last"],
      ["showTransferManager", [], "last"], ["showTransferMonitor", [NOBODY], "last"], ["showDirectory", [NOBODY], "last"],
      ["showSelectFileDialog", [], "first"], ["showSelectFolderDialog", [], "first"], ["showSaveFileDialog", [], "first"],
    ];
    for (const [name, args, style] of calls) {
      const { error, responses } = await page.call(name, args, style);
      assert.equal(responses[0]?.status, 403, name);
      bench.fits(error, errorBody(403));
    }
    const { success } = await page.call("getAllTransfers", [], "first");
    bench.fits(success, activity([]));
    await bench.noPrompt();
    says("403, error; the list is empty");
    await page.close();
  });
}
