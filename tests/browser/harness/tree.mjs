// @ts-check
// Trees of files: making them, and comparing them byte for byte.

import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const PIECE = 4 * 1024 * 1024;

/** Writes a file of incompressible bytes. @param {string} file @param {number} size */
export function makeRandomFile(file, size) {
  const cipher = crypto.createCipheriv("aes-256-ctr", crypto.randomBytes(32), Buffer.alloc(16));
  const zeros = Buffer.alloc(Math.min(size, PIECE));
  const handle = fs.openSync(file, "w");
  for (let left = size; left > 0; left -= zeros.length) {
    fs.writeSync(handle, cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros));
  }
  fs.closeSync(handle);
}

/**
 * A tree with what file systems and people bring: many small files, an empty file and folder, names in several scripts, names as
 * long as the file system allows, a name that looks like one of our partial files, and one large file.
 * @param {string} folder @param {{files: number, large: number}} size
 */
export function makeTree(folder, { files, large }) {
  fs.mkdirSync(folder, { recursive: true });
  const special = path.join(folder, "special");
  fs.mkdirSync(path.join(special, "empty folder"), { recursive: true });
  fs.writeFileSync(path.join(special, "empty"), "");
  fs.writeFileSync(path.join(special, "report.partial"), crypto.randomBytes(5_000));
  fs.writeFileSync(path.join(special, "漢字 עברית Ωμέγα — naïve 🪶.txt"), "bar-tailed godwit");
  fs.writeFileSync(path.join(special, "-leading dash & 'quotes' \"too\" #%?*"), "odd");
  fs.writeFileSync(path.join(special, `${"long".repeat(63)}.gw`.padEnd(255, "x")), crypto.randomBytes(70_000));
  fs.writeFileSync(path.join(special, "é".repeat(127) + "x"), "255 bytes of UTF-8");
  makeRandomFile(path.join(folder, "large.bin"), large);
  let made = 7;
  for (let index = 0; made < files; index += 1, made += 1) {
    const below = path.join(folder, `folder ${index % 12}`, `deeper ${index % 5}`);
    fs.mkdirSync(below, { recursive: true });
    fs.writeFileSync(path.join(below, `file-${index}.dat`), crypto.randomBytes((index * 37) % 9_001));
  }
}

/**
 * Everything in a tree, by path: folders end in a slash.
 * @param {string} folder @returns {Map<string, number>} sizes
 */
export function list(folder) {
  const found = new Map();
  const visit = (/** @type {string} */ below) => {
    for (const entry of fs.readdirSync(path.join(folder, below), { withFileTypes: true })) {
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) {
        found.set(`${name}/`, 0);
        visit(name);
      } else {
        found.set(name, fs.lstatSync(path.join(folder, name)).size);
      }
    }
  };
  visit("");
  return found;
}

/**
 * Compares two trees name by name and byte by byte.
 * @param {string} left @param {string} right
 * @returns {{files: number, bytes: number, differences: string[]}}
 */
export function compare(left, right) {
  const [a, b] = [list(left), list(right)];
  const differences = [];
  let [files, bytes] = [0, 0];
  for (const name of b.keys()) if (!a.has(name)) differences.push(`only in ${right}: ${name}`);
  for (const [name, size] of a) {
    if (!b.has(name)) {
      differences.push(`missing in ${right}: ${name}`);
    } else if (!name.endsWith("/")) {
      const where = differs(path.join(left, name), path.join(right, name));
      if (where === undefined) [files, bytes] = [files + 1, bytes + size];
      else differences.push(`${name}: ${where}`);
    }
  }
  return { files, bytes, differences };
}

/** Where two files differ, in words; undefined if they do not. @param {string} left @param {string} right */
export function differs(left, right) {
  const [a, b] = [fs.openSync(left, "r"), fs.openSync(right, "r")];
  try {
    const [sizeA, sizeB] = [fs.fstatSync(a).size, fs.fstatSync(b).size];
    if (sizeA !== sizeB) return `${sizeA} bytes against ${sizeB}`;
    const [pieceA, pieceB] = [Buffer.alloc(PIECE), Buffer.alloc(PIECE)];
    for (let at = 0; at < sizeA; at += PIECE) {
      const [gotA, gotB] = [fs.readSync(a, pieceA, 0, PIECE, at), fs.readSync(b, pieceB, 0, PIECE, at)];
      if (gotA !== gotB || !pieceA.subarray(0, gotA).equals(pieceB.subarray(0, gotB))) {
        return `other content within ${PIECE} bytes from byte ${at}`;
      }
    }
    return undefined;
  } finally {
    fs.closeSync(a);
    fs.closeSync(b);
  }
}
