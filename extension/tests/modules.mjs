// Which modules a module needs.
import fs from "node:fs";
import path from "node:path";

/** All modules that a file imports, and what those import. */
export function modules(file, found = new Set()) {
  for (const [, name] of fs.readFileSync(file, "utf8").matchAll(/^import (?:[^"]*? from )?"([^"]+)";/gm)) {
    const next = path.join(path.dirname(file), name);
    if (found.has(next)) continue;
    found.add(next);
    if (fs.existsSync(next)) modules(next, found);
  }
  return found;
}
