// @ts-check
// What the administrator set in the browser's own policies for this extension: told to the agent before anything else, and when
// the browser says that it changed (Firefox says so at its next start). The agent judges and obeys it.

import * as agent from "./agent.js";

/** A browser that does not answer keeps nobody waiting longer. */
const READ_WITHIN_MS = 2_000;

/** What to tell; null: not known, or nothing to tell. @type {{profile: string, values: Record<string, unknown>} | null} */
let news = null;
/** Told over the port that is open. */
let told = false;

agent.prepare(() => Promise.race([read().then(settle), new Promise((late) => setTimeout(late, READ_WITHIN_MS))]));
agent.onState(settle);
chrome.storage.onChanged.addListener((_changes, area) => {
  if (area === "managed") void read().then(tell);
});

/** Tells it once over each port. */
function settle() {
  if (agent.state().phase !== "ready") told = false;
  else if (!told) tell();
}

async function read() {
  const values = await managed();
  news = null;
  if (values === null) return;
  const any = Object.keys(values).length > 0;
  const profile = await profileName(any);
  // A profile without a name has never told anything that would have to be taken back.
  if (profile !== null) news = { profile, values };
}

function tell() {
  if (news === null) return;
  told = true;
  // An agent that does not know this obeys its own policy alone; one that is gone hears it when it is back.
  agent.request("ui.browser-policy", news).catch(() => {});
}

/** All policies; null if the browser does not say. */
async function managed() {
  try {
    return await chrome.storage.managed.get();
  } catch (error) {
    // Firefox's way to say that there are none.
    if (/manifest not found/iu.test(String(error))) return {};
    console.warn("the browser's policies cannot be read", error);
    return null;
  }
}

/** The random name of this profile, which outlives the browser. @param {boolean} make @returns {Promise<string | null>} */
async function profileName(make) {
  const { profile } = await chrome.storage.local.get("profile");
  if (typeof profile === "string") return profile;
  if (!make) return null;
  const fresh = crypto.randomUUID();
  await chrome.storage.local.set({ profile: fresh });
  return fresh;
}
