// Which modules a module needs.
import fs from "node:fs";
import path from "node:path";

const AT_ONCE = /^import (?:[^"]*? from )?"([^"]+)";/gm;
const LATER = /\bimport\("(\.[^"]+)"\)/g;

/** All modules that a file imports, and what those import; with `later` also what is loaded only when it is needed. */
export function modules(file, { later = false } = {}, found = new Set()) {
  const text = fs.readFileSync(file, "utf8");
  for (const [, name] of [...text.matchAll(AT_ONCE), ...(later ? text.matchAll(LATER) : [])]) {
    const next = path.join(path.dirname(file), name);
    if (found.has(next)) continue;
    found.add(next);
    if (fs.existsSync(next)) modules(next, { later }, found);
  }
  return found;
}
