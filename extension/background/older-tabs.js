// @ts-check
// Tabs that were open before this extension was installed or updated: Chromium gives their pages no relay, so they do not find
// Godwit until they are reloaded. Nothing is done to them unasked; the popup says so.

const KEY = "older-tabs";

chrome.runtime.onInstalled.addListener(async () => {
  const tabs = await chrome.tabs.query({});
  await chrome.storage.session.set({ [KEY]: tabs.flatMap(({ id }) => id ?? []) });
});
