// @ts-check
// Transfers from start to removal, and the list of them.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { until } from "../harness/wait.mjs";
import { all, anything, having, like, listOf, text, uuid, without } from "./match.mjs";
import { activity, APP_ID, COMMON, errorBody, settings, started, transferInfo, transferOutput } from "./shapes.mjs";

const START = "POST /connect/transfers/start";
const ACTIVITY = "POST /connect/transfers/activity";
const NOBODY = "00000000-0000-4000-8000-000000000000";
/** Slow enough to be caught in the middle. */
const SLOW = { rate_policy: "fixed", target_rate_kbps: 4_000 };

/** @param {import("./bench.mjs").Bench} bench */
export function transfers(bench) {
  const upload = (/** @type {string} */ to, more = {}) => ({
    ...bench.world.server.spec(),
    direction: "send",
    paths: [{ source: bench.path("film.bin") }],
    destination_root: to,
    create_dir: true,
    ...more,
  });
  /** The body of a start. @param {object} spec @param {object} [given] settings */
  const body = (spec, given = {}) => ({
    transfer_specs: [{ transfer_spec: spec, aspera_connect_settings: { ...given, app_id: APP_ID, request_id: uuid, back_link: like(/^http:.*conformance\.html$/) } }],
    ...COMMON,
  });
  /** Starts a slow upload and waits until it runs. @param {import("./bench.mjs").WirePage} page @param {string} to */
  const running = async (page, to, more = {}) => {
    const { success, error } = await page.call("startTransferPromise", [upload(to, { ...SLOW, ...more }), {}], "promise");
    assert.ok(success, JSON.stringify(error));
    const id = success.transfer_specs[0].uuid;
    await until("it runs and has moved bytes", async () => {
      const info = await page.info(id);
      return info.status === "running" && info.bytes_written > 0;
    });
    return id;
  };

  bench.row("startTransfer", "an upload, to its end", async ({ sees }) => {
    const page = await bench.site();
    const spec = upload("/kept");
    const call = await sees(page.call("startTransfer", [spec, { allow_dialogs: false }], "last"), {
      request: START, body: body(spec, { allow_dialogs: false }), status: 200, success: started,
    });
    const [output] = call.success.transfer_specs;
    const sent = JSON.parse(call.requests[0].body).transfer_specs[0].aspera_connect_settings.request_id;
    assert.deepEqual(call.also, { request_id: sent }, "the page has the request id at once");
    assert.equal(output.aspera_connect_settings.request_id, sent);
    assert.equal(output.aspera_connect_settings.allow_dialogs, false);
    bench.kept = output.uuid;
    const info = await page.reaches(bench.kept, "completed");
    const size = fs.statSync(bench.path("film.bin")).size;
    bench.fits(info, transferInfo({
      uuid: bench.kept, status: "completed", title: "film.bin", bytes_expected: size, bytes_written: size, percentage: 1,
      remaining_usec: 0, calculated_rate_kbps: 0, error_code: 0, error_desc: "", end_time: like(/T/),
      file_counts: { attempted: 1, completed: 1, failed: 0, skipped: 0 },
      files: [{ bytes_expected: size, bytes_written: size, fasp_file_id: anything, file: bench.path("film.bin") }],
    }));
  });
  bench.row("startTransferPromise", "a download into the download folder", async ({ sees }) => {
    const page = await bench.site();
    const spec = { ...bench.world.server.spec(), direction: "receive", paths: [{ source: "/kept/film.bin" }], destination_root: "from site", create_dir: true };
    const { success } = await sees(page.call("startTransferPromise", [spec, {}], "promise"), { request: START, body: body(spec), status: 200, success: started });
    const info = await page.reaches(success.transfer_specs[0].uuid, "completed");
    assert.ok(info.explorer_path.endsWith("/from site"), info.explorer_path);
    assert.ok(fs.existsSync(path.join(info.explorer_path, "film.bin")));
  });
  bench.row("startTransfers", "the first element is taken; no files and no paths come back if the page says so", async ({ sees }) => {
    const page = await bench.site();
    const spec = upload("/several");
    const settingsGiven = { return_files: false, return_paths: false };
    const specs = { transfer_specs: [{ transfer_spec: spec, aspera_connect_settings: settingsGiven }] };
    for (const style of /** @type {const} */ (["promise", "last"])) {
      const { success } = await sees(page.call("startTransfers", [specs], style), { request: START, body: body(spec, settingsGiven), status: 200, success: started });
      const info = await page.reaches(success.transfer_specs[0].uuid, "completed");
      const { files: _, ...rest } = transferInfo();
      bench.fits(info, { ...rest, transfer_spec: all(rest.transfer_spec, without("paths")) });
    }
  });
  bench.row("startTransfer", "a file that nobody chose", async ({ sees }) => {
    const page = await bench.site();
    const spec = upload("/never", { paths: [{ source: bench.path("secret.txt") }] });
    await sees(page.call("startTransfer", [spec, {}], "last"), { request: START, body: body(spec), status: 406, error: errorBody(406) });
  });
  for (const [name, style] of /** @type {const} */ ([["startTransfer", "last"], ["startTransferPromise", "promise"]])) {
    bench.row(name, "a spec that is none", async ({ sees }) => {
      const page = await bench.site();
      for (const spec of [{}, { direction: "sideways" }, { ...upload("/x"), remote_host: undefined }, { ...upload("/x"), paths: [] }]) {
        const sent = JSON.parse(JSON.stringify(spec));
        await sees(page.call(name, [sent, {}], style), { request: START, body: body(sent), status: 400, error: errorBody(400) });
      }
    });
    bench.row(name, "no spec", async ({ sees }) => {
      const page = await bench.site();
      await sees(page.call(name, [null, {}], "plain"), { request: null, thrown: like(/transferSpec is missing/) });
    });
  }
  bench.row("startTransfers", "an empty list", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("startTransfers", [{ transfer_specs: [] }], "promise"), { request: START, body: { transfer_specs: [], ...COMMON }, status: 400, error: errorBody(400) });
  });
  bench.row("startTransfer", "allow_dialogs false: no window for a missing password, the transfer fails", async ({ says }) => {
    const page = await bench.site();
    const { remote_password: _, ...spec } = /** @type {any} */ (upload("/nobody"));
    const { success } = await page.call("startTransferPromise", [spec, { allow_dialogs: false }], "promise");
    const info = await page.reaches(success.transfer_specs[0].uuid, "failed");
    bench.fits(info, transferInfo({ status: "failed", error_code: 19, error_desc: like(/./) }));
    await bench.noPrompt();
    says("200, then failed with code 19");
  });
  bench.row("startTransfer", "allow_dialogs false: the question about the site is asked all the same", async ({ sees }) => {
    const page = await bench.page({ origin: await bench.world.newOrigin() });
    const spec = upload("/never");
    const called = page.call("startTransfer", [spec, { allow_dialogs: false }], "last");
    await bench.decides("#deny");
    await sees(called, { request: START, body: body(spec, { allow_dialogs: false }), status: 403, error: errorBody(403) });
    await page.close();
  });

  bench.row("getAllTransfers", "from 0: all of this application", async ({ sees }) => {
    const page = await bench.site();
    const expected = (/** @type {number} */ token) => ({ request: ACTIVITY, body: { iteration_token: token, ...COMMON }, status: 200 });
    const list = listOf((/** @type {any} */ value, /** @type {string} */ at) => having({ uuid, status: anything, transfer_iteration_token: anything })(value, at));
    const { success } = await sees(page.call("getAllTransfers", [], "first"), { ...expected(0), success: activity(list) });
    assert.ok(success.transfers.some((/** @type {any} */ info) => info.uuid === bench.kept));
    for (const info of success.transfers) {
      const { "files": shape, ...rest } = transferInfo();
      bench.fits(info, { ...rest, "files?": shape });
    }
    const later = success.iteration_token + 1_000_000;
    const lost = await sees(page.call("getAllTransfers", [later], "first"), { ...expected(later), success: activity(list) });
    assert.equal(lost.success.transfers.length, success.transfers.length, "a token from a lost database counts as 0");
  });
  bench.row("getAllTransfers", "from a token: what changed since, then nothing", async ({ sees }) => {
    const page = await bench.site();
    const { success: first } = await page.call("getAllTransfers", [], "first");
    const id = await running(page, "/changed");
    await page.call("stopTransfer", [id], "promise");
    await page.reaches(id, "cancelled");
    const since = first.iteration_token;
    const changed = { request: ACTIVITY, body: { iteration_token: since, ...COMMON }, status: 200, success: activity([transferInfo({ uuid: id, status: "cancelled" })]) };
    const { success: second } = await sees(page.call("getAllTransfers", [since], "first"), changed);
    assert.ok(second.iteration_token > since);
    let token = second.iteration_token;
    // The last bytes of a worker that is just stopping are a change of the same transfer.
    const nothing = await until("nothing changes any more", async () => {
      const call = await page.call("getAllTransfers", [token], "first");
      const { iteration_token, transfers } = call.success;
      if (transfers.length === 0) return call;
      assert.deepEqual(transfers.filter((/** @type {any} */ info) => info.uuid !== id || info.status !== "cancelled"), []);
      token = iteration_token;
      return undefined;
    });
    const body = { iteration_token: token, ...COMMON };
    await sees(nothing, { request: ACTIVITY, body, status: 200, success: activity([]) });
    await page.call("removeTransfer", [id], "promise");
  });

  bench.row("getTransfer", "while it runs", async ({ sees }) => {
    const page = await bench.site();
    const id = await running(page, "/info");
    const expected = { request: `POST /connect/transfers/info/${id}`, body: COMMON, status: 200, success: { transfer_info: transferInfo({ uuid: id, status: "running", end_time: "" }) } };
    for (const style of /** @type {const} */ (["promise", "last"])) await sees(page.call("getTransfer", [id], style), expected);
    await page.call("removeTransfer", [id], "promise");
  });
  bench.row("modifyTransfer", "new limits, as number and as text, at once", async ({ sees }) => {
    const page = await bench.site();
    const id = await running(page, "/modified");
    const request = `POST /connect/transfers/modify/${id}`;
    const wish = { target_rate_kbps: "5000", rate_policy: "high", min_rate_kbps: 100 };
    await sees(page.call("modifyTransfer", [id, wish], "promise"), { request, body: { ...wish, ...COMMON }, status: 200, success: { ...wish, target_rate_kbps: 5000 } });
    await sees(page.call("modifyTransfer", [id, {}], "last"), { request, body: COMMON, status: 200, success: {} });
    const info = await page.info(id);
    assert.equal(info.transfer_spec.target_rate_kbps, 5000);
    const wrong = { rate_policy: "reckless" };
    await sees(page.call("modifyTransfer", [id, wrong], "last"), { request, body: { ...wrong, ...COMMON }, status: 400, error: errorBody(400) });
    await page.call("removeTransfer", [id], "promise");
  });
  bench.row("stopTransfer", "a running one is cancelled", async ({ sees }) => {
    const page = await bench.site();
    const id = await running(page, "/stopped");
    const expected = { request: `POST /connect/transfers/stop/${id}`, body: COMMON, status: 200, success: {} };
    await sees(page.call("stopTransfer", [id], "last"), expected);
    bench.fits(await page.reaches(id, "cancelled"), transferInfo({ status: "cancelled", previous_status: "running" }));
    await sees(page.call("stopTransfer", [id], "promise"), expected);
    bench.stopped = id;
  });
  bench.row("resumeTransfer", "a cancelled one goes on, with other credentials", async ({ sees }) => {
    const page = await bench.site();
    const wish = { remote_password: bench.world.server.password, remote_user: bench.world.server.user };
    const request = `POST /connect/transfers/resume/${bench.stopped}`;
    const output = { transfer_spec: all(transferOutput, having({ aspera_connect_settings: settings, uuid: bench.stopped })) };
    await sees(page.call("resumeTransfer", [bench.stopped, wish], "promise"), { request, body: { ...wish, ...COMMON }, status: 200, success: output });
    await until("it runs again", async () => (await page.info(bench.stopped)).status === "running");
  });
  bench.row("removeTransfer", "a running one: gone, and told once as removed", async ({ sees }) => {
    const page = await bench.site();
    const { success: before } = await page.call("getAllTransfers", [], "first");
    const request = `POST /connect/transfers/remove/${bench.stopped}`;
    await sees(page.call("removeTransfer", [bench.stopped], "last"), { request, body: COMMON, status: 200, success: {} });
    const { success: after } = await page.call("getAllTransfers", [before.iteration_token], "first");
    const told = after.transfers.find((/** @type {any} */ info) => info.uuid === bench.stopped);
    bench.fits(told, { ...transferInfo({ status: "removed", transfer_spec: anything, add_time: text, "files?": anything }), files: anything });
    const { success: all } = await page.call("getAllTransfers", [], "first");
    assert.ok(!all.transfers.some((/** @type {any} */ info) => info.uuid === bench.stopped), "not from 0");
    await sees(page.call("removeTransfer", [bench.stopped], "promise"), { request, body: COMMON, status: 404, error: errorBody(404) });
  });
  bench.row("resumeTransfer", "one that has completed", async ({ sees }) => {
    const page = await bench.site();
    const request = `POST /connect/transfers/resume/${bench.kept}`;
    await sees(page.call("resumeTransfer", [bench.kept, {}], "last"), { request, body: COMMON, status: 409, error: errorBody(409) });
  });
  for (const [name, uri, args] of /** @type {[string, string, any[]][]} */ ([
    ["getTransfer", "info", []],
    ["modifyTransfer", "modify", [{}]],
    ["stopTransfer", "stop", []],
    ["resumeTransfer", "resume", [{}]],
    ["removeTransfer", "remove", []],
  ])) {
    bench.row(name, "one that does not exist, or is another application's", async ({ sees }) => {
      const page = await bench.site();
      const request = `POST /connect/transfers/${uri}/`;
      await sees(page.call(name, [NOBODY, ...args], "last"), { request: request + NOBODY, body: COMMON, status: 404, error: errorBody(404) });
      const other = await bench.page({ appId: `${APP_ID}x` });
      const strangers = { aspera_connect_settings: { app_id: `${APP_ID}x` } };
      await sees(other.call(name, [bench.kept, ...args], "last"), { request: request + bench.kept, body: strangers, status: 404, error: errorBody(404) });
      await other.close();
    });
    bench.row(name, "no transfer", async ({ sees }) => {
      const page = await bench.site();
      await sees(page.call(name, ["", ...args], "last"), { request: null, thrown: like(/Must provide transfer id/) });
    });
  }
}
