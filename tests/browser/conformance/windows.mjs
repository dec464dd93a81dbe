// @ts-check
// The windows of Godwit that a page may open, and the folder of a transfer.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { until } from "../harness/wait.mjs";
import { like } from "./match.mjs";
import { errorBody } from "./shapes.mjs";

const NOBODY = "00000000-0000-4000-8000-000000000000";
const PAGES = ["general", "transfers", "network", "bandwidth", "security"];

/** @param {import("./bench.mjs").Bench} bench */
export function windows(bench) {
  for (const [name, args, uri, kind] of /** @type {[string, any[], string, string][]} */ ([
    ["showAbout", [], "about", "about"],
    ["showPreferences", [], "preferences", "preferences"],
    ...PAGES.map((page) => ["showPreferencesPage", [{ page }], `preferences/${page}`, "preferences"]),
    ["showTransferManager", [], "transfer-manager", "activity"],
  ])) {
    bench.row(name, `the window opens${args[0] ? `: ${args[0].page}` : ""}`, async ({ sees }) => {
      const page = await bench.site();
      for (const style of /** @type {const} */ (["promise", "last"])) {
        await sees(page.call(name, args, style), { request: `GET /connect/windows/${uri}`, status: 200, success: {} });
        await bench.windowOpens(kind);
      }
    });
  }
  bench.row("showPreferencesPage", "a page that is none", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("showPreferencesPage", [{ page: "nonsense" }], "last"), { request: null, thrown: like(/options argument/) });
  });
  bench.row("showTransferMonitor", "the window opens", async ({ sees }) => {
    const page = await bench.site();
    const uri = `GET /connect/windows/transfer-monitor/${bench.kept}`;
    await sees(page.call("showTransferMonitor", [bench.kept], "promise"), { request: uri, status: 200, success: {} });
    await bench.windowOpens("activity", "monitor");
  });
  bench.row("showDirectory", "the folder of the transfer is opened on the desktop", async ({ sees }) => {
    const page = await bench.site();
    const uri = `GET /connect/windows/finder/${bench.kept}`;
    await sees(page.call("showDirectory", [bench.kept], "last"), { request: uri, status: 200, success: {} });
    const folder = path.dirname(bench.path("film.bin"));
    await until("the folder is opened", () => fs.readFileSync(bench.opened, "utf8").split("\n").includes(folder));
  });
  for (const [name, uri] of [["showTransferMonitor", "transfer-monitor"], ["showDirectory", "finder"]]) {
    bench.row(String(name), "a transfer that does not exist", async ({ sees }) => {
      const page = await bench.site();
      const before = fs.readFileSync(bench.opened, "utf8");
      await sees(page.call(String(name), [NOBODY], "last"), { request: `GET /connect/windows/${uri}/${NOBODY}`, status: 404, error: errorBody(404) });
      assert.equal(fs.readFileSync(bench.opened, "utf8"), before, "nothing is opened");
    });
    bench.row(String(name), "no transfer", async ({ sees }) => {
      const page = await bench.site();
      await sees(page.call(String(name), [""], "last"), { request: null, thrown: like(/Must provide transfer id/) });
    });
  }
}
