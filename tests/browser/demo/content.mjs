// @ts-check
// What is moved: real files of this machine, and one large file of bytes that no compression helps with.

import fs from "node:fs";
import path from "node:path";
import { makeRandomFile } from "../harness/tree.mjs";

const SOURCE = "/usr/share";
/** Files for the server and for the user, each. */
const FILES = 4_000;
/** Larger ones would make the many look few. */
const LARGEST = 4_000_000;

/**
 * Fills the server's docroot and the user's home.
 * @param {import("../harness/machine.mjs").Machine} machine @param {number} size of the large files
 */
export function makeContent(machine, size) {
  console.log(`demo: copying files of ${SOURCE}, and making two files of ${size.toLocaleString("en")} bytes`);
  const treeName = "field notes";
  const largeName = "dawn recording.wav";
  const found = [...regularFiles(SOURCE, 2 * FILES)];
  // Every second one: both get a bit of everything.
  const library = copy(found.filter((_, index) => index % 2 === 0), path.join(machine.docroot, "library"));
  const treeFiles = copy(found.filter((_, index) => index % 2 === 1), path.join(machine.home, treeName));
  const archive = path.join(machine.docroot, "archive");
  fs.mkdirSync(archive);
  makeRandomFile(path.join(archive, "season.tar"), size);
  makeRandomFile(path.join(machine.home, largeName), size);
  console.log(`demo: ${library} files for the server, ${treeFiles} for the user`);
  return { treeName, treeFiles, largeName, size };
}

/** Regular files in a fixed order. @param {string} folder @param {number} limit @returns {Generator<string>} */
function* regularFiles(folder, limit) {
  let given = 0;
  /** @type {string[]} */
  const open = [folder];
  while (open.length > 0 && given < limit) {
    const here = /** @type {string} */ (open.pop());
    const entries = fs.readdirSync(here, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? 1 : -1));
    for (const entry of entries) {
      const file = path.join(here, entry.name);
      if (entry.isDirectory()) {
        open.push(file);
      } else if (entry.isFile() && given < limit && fs.statSync(file).size <= LARGEST) {
        given += 1;
        yield file;
      }
    }
  }
}

/** @param {string[]} files @param {string} target */
function copy(files, target) {
  for (const file of files) {
    const to = path.join(target, path.relative(SOURCE, file));
    fs.mkdirSync(path.dirname(to), { recursive: true });
    fs.copyFileSync(file, to);
  }
  return files.length;
}

/**
 * The web application's list of a folder of its server.
 * @param {string} docroot @param {import("node:http").IncomingMessage} request
 */
export function listServer(docroot, request) {
  const asked = new URL(request.url ?? "/", "http://x").searchParams.get("path") ?? "/";
  const folder = path.join(docroot, path.normalize(`/${asked}`));
  if (!fs.existsSync(folder)) return { entries: [] };
  const entries = fs.readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const file = path.join(folder, entry.name);
    if (!entry.isDirectory()) return { name: entry.name, folder: false, size: fs.lstatSync(file).size };
    const all = fs.readdirSync(file, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
    const size = all.reduce((sum, each) => sum + fs.lstatSync(path.join(each.parentPath ?? each.path, each.name)).size, 0);
    return { name: entry.name, folder: true, size, files: all.length };
  });
  entries.sort((a, b) => Number(b.folder) - Number(a.folder) || (a.name < b.name ? -1 : 1));
  return { entries };
}
