// @ts-check
// Asking this server. Every request carries the proof that it comes from this page; the cookie goes along by itself.

/** An answer that is not what was asked for; `message` is for people. */
export class Refused extends Error {
  /** @param {number} status @param {string} reason @param {string} message */
  constructor(status, reason, message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/**
 * @typedef {object} State
 * @property {string} [user] absent: nobody is signed in
 * @property {string} [proof]
 * @property {string} [app_id]
 * @property {{view: boolean, edit: boolean, delete: boolean}} [rights]
 * @property {boolean} sdk
 * @property {string | null} install_url
 * @property {number} data_port
 * @property {string} fingerprint
 * @property {string} transfer_user
 * @property {number} share_seconds
 * @property {boolean} [content_protection_required] of who is signed in: this server takes encrypted files only
 */

/** @typedef {{path: string, basename: string, type: "file" | "directory" | "symbolic_link", size: number, mtime: string, permissions: {name: string}[], partial_file?: boolean}} Entry */

let proof = "";
/** Told when the session turns out to have ended. @type {() => void} */
let signedOut = () => {};

/** @param {() => void} listener */
export const onSignedOut = (listener) => (signedOut = listener);

/**
 * @param {"GET" | "POST" | "DELETE"} method @param {string} path @param {object} [body]
 * @returns {Promise<any>}
 */
export async function call(method, path, body) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (proof !== "") headers["x-godwit-proof"] = proof;
  if (body !== undefined) headers["content-type"] = "application/json";
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, { method, headers, credentials: "same-origin", cache: "no-store", ...(body && { body: JSON.stringify(body) }) });
  } catch {
    throw new Refused(0, "unreachable", "");
  }
  const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const { reason = "", user_message = "" } = answer.error ?? {};
  if (reason === "signed_out") {
    proof = "";
    signedOut();
  }
  throw new Refused(response.status, reason, user_message);
}

/** @param {State} state */
function begin(state) {
  proof = state.proof ?? "";
  return state;
}

/** Who is signed in. @returns {Promise<State>} */
export const who = async () => begin(await call("GET", "/web/session"));

/** @param {string} user @param {string} password @returns {Promise<State>} */
export const signIn = async (user, password) => begin(await call("POST", "/web/session", { user, password }));

export async function signOut() {
  await call("DELETE", "/web/session");
  proof = "";
}

/** @param {string} path @param {number} skip @param {number} count @param {string} sort @returns {Promise<{self: Entry, items: Entry[], total_count: number}>} */
export const browse = (path, skip, count, sort) => call("POST", "/files/browse", { path, skip, count, sort });

/**
 * Does something with several paths; the errors of those that failed.
 * @param {"/files/create" | "/files/delete" | "/files/rename"} what @param {object[]} paths @returns {Promise<Refused[]>}
 */
export async function bulk(what, paths) {
  const errors = [];
  // The server takes a thousand at once.
  for (let at = 0; at < paths.length; at += 1000) {
    const answer = await call("POST", what, { paths: paths.slice(at, at + 1000) });
    for (const { error } of answer.paths) if (error) errors.push(new Refused(error.code, error.reason, error.user_message));
  }
  return errors;
}

/** A transfer spec. @param {"upload" | "download"} way @param {object} wish @returns {Promise<any>} */
async function setup(way, wish) {
  const answer = await call("POST", `/files/${way}_setup`, { transfer_requests: [{ transfer_request: wish }] });
  const { error, transfer_spec } = answer.transfer_specs[0];
  if (error) throw new Refused(error.code, error.reason, error.user_message);
  return transfer_spec;
}

/** @param {string} folder */
export const uploadSpec = (folder) => setup("upload", { destination_root: folder });

/** @param {string[]} paths */
export const downloadSpec = (paths) => setup("download", { paths: paths.map((source) => ({ source })) });
