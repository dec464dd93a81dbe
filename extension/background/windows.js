// @ts-check
// Opening, finding and closing the extension's own windows.

/** @typedef {{windowId: number | undefined, tabId: number | undefined}} Place */

/** Sizes in CSS pixels. @type {Record<string, {width: number, height: number}>} */
const SIZES = {
  consent: { width: 580, height: 520 },
  drop: { width: 620, height: 480 },
  copy: { width: 560, height: 440 },
  certificate: { width: 580, height: 540 },
  credentials: { width: 520, height: 560 },
  passphrase: { width: 580, height: 640 },
  picker: { width: 900, height: 640 },
  activity: { width: 960, height: 680 },
  monitor: { width: 900, height: 720 },
  about: { width: 620, height: 620 },
  preferences: { width: 860, height: 700 },
};

/**
 * Opens a page in a window of its own, or in a tab where windows cannot be opened.
 * @param {string} page name without folder and ending @param {string} [suffix] query or fragment
 * @returns {Promise<Place>}
 */
export async function open(page, suffix = "") {
  const url = chrome.runtime.getURL(`pages/${page}.html${suffix}`);
  const size = SIZES[page] ?? { width: 640, height: 560 };
  try {
    const made = await chrome.windows.create({ url, type: "popup", focused: true, ...size, ...(await centre(size)) });
    return { windowId: made?.id, tabId: made?.tabs?.[0]?.id };
  } catch {
    const tab = await chrome.tabs.create({ url, active: true });
    return { windowId: undefined, tabId: tab.id };
  }
}

/** Closes the page, and with it a window that holds nothing else. @param {Place} place */
export async function close({ windowId, tabId }) {
  try {
    if (tabId !== undefined) await chrome.tabs.remove(tabId);
    else if (windowId !== undefined) await chrome.windows.remove(windowId);
  } catch {
    // Closed by the user in the same moment.
  }
}

/** @param {Place} place */
export async function focus({ windowId, tabId }) {
  try {
    if (tabId !== undefined) await chrome.tabs.update(tabId, { active: true });
    if (windowId !== undefined) await chrome.windows.update(windowId, { focused: true });
  } catch {
    // Closed in the same moment.
  }
}

/** In the middle of the window the user works in. @param {{width: number, height: number}} size */
async function centre({ width, height }) {
  try {
    const { left, top, width: w, height: h } = await chrome.windows.getLastFocused();
    if (left === undefined || top === undefined || !w || !h || w < width || h < height) return {};
    return { left: Math.round(left + (w - width) / 2), top: Math.round(top + (h - height) / 3) };
  } catch {
    return {};
  }
}
