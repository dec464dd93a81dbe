// @ts-check
// File dialogs and drag and drop.

import assert from "node:assert/strict";
import { until } from "../harness/wait.mjs";
import { having, like, text, whole } from "./match.mjs";
import { COMMON, dataTransfer, errorBody, file, folder } from "./shapes.mjs";

const FILES = "POST /connect/windows/select-open-file-dialog/";
const FOLDERS = "POST /connect/windows/select-open-folder-dialog/";
const SAVE = "POST /connect/windows/select-save-file-dialog/";
const DROPPED = "POST /connect/file/dropped-files";
/** The SDK's own time-out for dialogs: a day. */
const DAY = 86_400_000;
/** A page's own: long enough for the window to open on a slow machine. */
const OWN_TIME = 6_000;
const FILES_BODY = { title: "", suggestedName: "", allowMultipleSelection: true, allowedFileTypes: "", ...COMMON };
const FOLDERS_BODY = { title: "", allowMultipleSelection: true, ...COMMON };
const SAVE_BODY = { title: "", suggestedName: "", allowedFileTypes: "", ...COMMON };

/** @param {import("./bench.mjs").Bench} bench */
export function dialogs(bench) {
  const two = () => dataTransfer(...["alpha.txt", "film.bin"].map((name) => bench.file(name)));
  bench.row("showSelectFileDialog", "two files are chosen", async ({ sees }) => {
    const page = await bench.site();
    const types = [{ filter_name: "All", extensions: ["*"] }];
    const options = { title: "Choose", suggestedName: "a", allowMultipleSelection: true, allowedFileTypes: types };
    const called = page.call("showSelectFileDialog", [options], "first");
    await bench.picks((picker) => picker.choose(bench.folder, ["alpha.txt", "film.bin"]));
    await sees(called, { request: FILES, body: { ...options, ...COMMON }, timeout: DAY, status: 200, success: two() });
  });
  bench.row("showSelectFileDialogPromise", "one file is chosen", async ({ sees }) => {
    const page = await bench.site();
    const called = page.call("showSelectFileDialogPromise", [], "promise");
    await bench.picks((picker) => picker.enter("#path-input", bench.path("large.bin")));
    await sees(called, { request: FILES, body: FILES_BODY, timeout: DAY, status: 200, success: dataTransfer(bench.file("large.bin")) });
  });
  for (const [name, style] of /** @type {const} */ ([["showSelectFolderDialog", "first"], ["showSelectFolderDialogPromise", "promise"]])) {
    bench.row(name, "a folder is chosen", async ({ sees }) => {
      const page = await bench.site();
      const called = page.call(name, [{ allowMultipleSelection: false, title: "One" }], style);
      await bench.picks(async (picker) => {
        await picker.goTo(bench.path("deeper"));
        await picker.click("#choose");
      });
      const body = { ...FOLDERS_BODY, allowMultipleSelection: false, title: "One" };
      await sees(called, { request: FOLDERS, body, timeout: DAY, status: 200, success: dataTransfer(folder(bench.path("deeper"))) });
    });
  }
  bench.row("showSaveFileDialog", "the suggested name is taken", async ({ sees }) => {
    const page = await bench.site();
    const called = page.call("showSaveFileDialog", [{ title: "Save", suggestedName: "take.bin" }], "first");
    await bench.picks(async (picker) => {
      await picker.goTo(bench.folder);
      await picker.click("#choose");
    });
    const chosen = having({ name: bench.path("take.bin"), type: text, lastModifiedDate: text, size: whole });
    const body = { ...SAVE_BODY, title: "Save", suggestedName: "take.bin" };
    await sees(called, { request: SAVE, body, timeout: DAY, status: 200, success: dataTransfer(chosen) });
  });
  for (const [name, style, request, body] of /** @type {[string, "first" | "promise", string, object][]} */ ([
    ["showSelectFileDialog", "first", FILES, FILES_BODY],
    ["showSelectFileDialogPromise", "promise", FILES, FILES_BODY],
    ["showSelectFolderDialog", "first", FOLDERS, FOLDERS_BODY],
    ["showSelectFolderDialogPromise", "promise", FOLDERS, FOLDERS_BODY],
    ["showSaveFileDialog", "first", SAVE, SAVE_BODY],
  ])) {
    bench.row(name, "the user cancels: an empty list", async ({ sees }) => {
      const page = await bench.site();
      const called = page.call(name, [], style);
      await bench.picks((picker) => picker.click("#cancel"));
      await sees(called, { request, body, timeout: DAY, status: 200, success: dataTransfer() });
    });
    // The two functions with a promise send the same request.
    if (style === "promise") continue;
    bench.row(name, "nobody answers in the page's own time: the window closes", async ({ sees }) => {
      const page = await bench.page({ options: { extensionRequestTimeout: OWN_TIME } });
      const called = page.call(name, [], style);
      await bench.world.browser.window("picker");
      await sees(called, { request, body, timeout: OWN_TIME, status: 408, error: errorBody(408) });
      await bench.world.browser.noWindow("picker");
      await page.close();
    });
  }
  for (const name of ["showSelectFileDialog", "showSelectFolderDialog", "showSaveFileDialog"]) {
    bench.row(name, "without callbacks", async ({ sees }) => {
      const page = await bench.site();
      await sees(page.call(name, [], "plain"), { request: null, thrown: like(/Must provide callbacks/) });
    });
  }
  drops(bench);
}

/** @param {import("./bench.mjs").Bench} bench */
function drops(bench) {
  const seen = { "lastModifiedDate?": text, name: "alpha.txt", size: 5, type: "text/plain" };
  bench.row("setDragDropTargets", "a file is dropped and shown by the user", async ({ says }) => {
    const page = await bench.page();
    const set = await page.call("setDragDropTargets", ["#drop", { dragEnter: true, dragOver: true, dragLeave: true }, { listener: "drop" }], "plain");
    assert.equal(set.returned, null);
    await page.page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["alpha"], "alpha.txt", { type: "text/plain" }));
      const target = /** @type {Element} */ (document.querySelector("#drop"));
      for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
        target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    });
    const [request] = (await page.wire("requests")).filter((each) => each.uri_reference === DROPPED.split(" ")[1]);
    await bench.picks((picker) => picker.enter("#path-input", bench.path("alpha.txt")));
    const told = await until("the page has the dropped file", async () => {
      const all = (await page.told("drop")).map(([each]) => each);
      return all.some((each) => each.files) ? all : undefined;
    });
    assert.deepEqual(told.map((each) => each.event.event), ["dragenter", "dragover", "dragleave", "drop"]);
    bench.fits(JSON.parse(request.body), { dataTransfer: { files: [seen] }, ...COMMON });
    bench.fits(told.at(-1).files, dataTransfer(bench.file("alpha.txt")));
    says("200, the listener is told");
    await page.close();
  });
  bench.row("setDragDropTargets", "no such element; no options; no listener; not enabled", async ({ says }) => {
    const page = await bench.page();
    for (const args of [["#nothing", {}, { listener: "drop" }], ["#drop", null, { listener: "drop" }], ["#drop", {}, 5]]) {
      const { returned } = await page.call("setDragDropTargets", args, "plain");
      assert.equal(returned.error.code, -1, JSON.stringify(args));
    }
    const without = await bench.page({ options: { dragDropEnabled: false } });
    const { returned } = await without.call("setDragDropTargets", ["#drop", {}, { listener: "drop" }], "plain");
    assert.equal(returned.error.code, -1);
    says("returned errors of the SDK");
    await page.close();
    await without.close();
  });
  const dropped = { dataTransfer: { files: [{ name: "alpha.txt", size: 5, type: "text/plain" }] } };
  bench.row("getDroppedFiles", "the user shows where the dropped file is", async ({ sees }) => {
    const page = await bench.site();
    const called = page.call("getDroppedFiles", [dropped], "last");
    await bench.picks((picker) => picker.enter("#path-input", bench.path("alpha.txt")));
    await sees(called, { request: DROPPED, body: { ...dropped, ...COMMON }, status: 200, success: dataTransfer(file(bench.path("alpha.txt"), 5, "text/plain")) });
  });
  bench.row("getDroppedFiles", "the user cancels", async ({ sees }) => {
    const page = await bench.site();
    const called = page.call("getDroppedFiles", [dropped], "last");
    await bench.picks((picker) => picker.click("#cancel"));
    await sees(called, { request: DROPPED, body: { ...dropped, ...COMMON }, status: 200, success: dataTransfer() });
  });
  bench.row("getDroppedFiles", "nothing that could be a list of files", async ({ sees }) => {
    const page = await bench.site();
    await sees(page.call("getDroppedFiles", [{ dataTransfer: 5 }], "last"), { request: DROPPED, body: { dataTransfer: 5, ...COMMON }, status: 400, error: errorBody(400) });
  });
}
