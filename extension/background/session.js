// @ts-check
// The random name of this browser session. It outlives the background, not the browser: permissions given "once" and
// files picked hang on it.

/** @type {Promise<string> | undefined} */
let name;

/** @returns {Promise<string>} */
export const sessionName = () => (name ??= load());

async function load() {
  const { session } = await chrome.storage.session.get("session");
  if (typeof session === "string") return session;
  const fresh = crypto.randomUUID();
  await chrome.storage.session.set({ session: fresh });
  return fresh;
}
