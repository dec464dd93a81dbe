// @ts-check
// The page behind the popup, if it has been open for longer than this extension is installed: it finds Godwit after a reload.

import { byId } from "./dom.js";

/** As background/older-tabs.js writes it. */
const KEY = "older-tabs";

/** Shows `#older` if the page has no relay and could have one. */
export async function offerReload() {
  try {
    const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
    const { [KEY]: older } = await chrome.storage.session.get(KEY);
    if (tab?.id === undefined || !Array.isArray(older) || !older.includes(tab.id)) return;
    const { id } = tab;
    // Reloaded since, or given a relay by the browser.
    if (await chrome.tabs.sendMessage(id, "relay?").catch(() => false)) return;
    byId("older").hidden = false;
    byId("reload").addEventListener("click", async () => {
      await chrome.tabs.reload(id);
      byId("older").hidden = true;
    });
  } catch {
    // Without an answer from the browser there is nothing to offer.
  }
}
