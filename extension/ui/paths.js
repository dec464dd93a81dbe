// @ts-check
// Absolute paths as the picker shows them. Pure. The agent checks them again; this only saves a person a detour.

/** Longest name a common file system takes, in bytes. */
const MAX_NAME_BYTES = 255;

/** @param {string} folder @param {string} name */
export const join = (folder, name) => (folder.endsWith("/") ? folder + name : `${folder}/${name}`);

/** @param {string} path */
export const isAbsolute = (path) => path.startsWith("/");

/** @param {string} path absolute, without a slash at its end @returns {{folder: string, name: string}} */
export function split(path) {
  const at = path.lastIndexOf("/");
  return { folder: at <= 0 ? "/" : path.slice(0, at), name: path.slice(at + 1) };
}

/** @param {string} path @returns {{name: string, path: string}[]} from `/` to the folder itself */
export function crumbs(path) {
  const names = path.split("/").filter((name) => name !== "");
  return [{ name: "/", path: "/" }, ...names.map((name, i) => ({ name, path: `/${names.slice(0, i + 1).join("/")}` }))];
}

/** @param {string} name @returns {boolean} true if a file can have this name */
export const isName = (name) =>
  name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && new TextEncoder().encode(name).length <= MAX_NAME_BYTES;

/**
 * @param {string} name @param {FileFilter | null} filter
 * @returns {boolean} true if the filter lets this file through
 */
export function fits(name, filter) {
  if (filter === null || filter.extensions.length === 0) return true;
  const lower = name.toLowerCase();
  return filter.extensions.some((ext) => ext === "*" || lower.endsWith(`.${ext.toLowerCase().replace(/^\./, "")}`));
}
