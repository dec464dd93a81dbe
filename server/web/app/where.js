// @ts-check
// Places: folders of the server, and addresses of this page. Pure.

/** @param {string} folder such as `/` or `/a/b` @param {string} name */
export const join = (folder, name) => `${folder === "/" ? "" : folder}/${name}`;

/** @param {string} path @returns {string} */
export const parent = (path) => path.slice(0, path.lastIndexOf("/")) || "/";

/** @param {string} path @returns {{name: string, path: string}[]} the folders from below the root down to it */
export function steps(path) {
  const names = path.split("/").filter(Boolean);
  return names.map((name, index) => ({ name, path: `/${names.slice(0, index + 1).join("/")}` }));
}

/**
 * What an address of this page asks for, after `#`.
 * @param {string} hash
 * @returns {{view: "files", path: string} | {view: "share", token: string} | {view: "diagnostics"}}
 */
export function read(hash) {
  const text = hash.replace(/^#/, "");
  if (text.startsWith("share=")) return { view: "share", token: text.slice("share=".length) };
  if (text === "diagnostics") return { view: "diagnostics" };
  let path = "/";
  try {
    path = `/${text.split("/").filter(Boolean).map(decodeURIComponent).join("/")}`;
  } catch {
    // Not something that this page wrote.
  }
  return { view: "files", path };
}

/** @param {string} path @returns {string} the address of a folder */
export const hashOf = (path) => `#${path.split("/").map(encodeURIComponent).join("/")}`;
