// @ts-check
// Between the page and the background: listens to the vendor's event names, copies the known fields, passes on.
// Must not know what a request means. Runs in the isolated world of every frame, as a classic script.
"use strict";

(() => {
  // Sandboxed frames have no identity to ask for consent with; nobody could receive the answers either.
  if (window.origin === "null") return;

  /** Longer bodies are left out; the background answers for them. Characters, at most the bytes of the real limit. */
  const MAX_BODY = 900 * 1024;
  /** A port connected to a background that is just being stopped is told of neither success nor failure. */
  const GREETED_WITHIN_MS = 2000;
  /** Pause before the page is told to look for us again: looking is what starts the background. */
  const LOST_PAUSE_MS = 300;

  /** @type {chrome.runtime.Port | null} */
  let port = null;
  /** True once the background has greeted. Only then is anything sent, so that nothing is ever sent twice. */
  let greeted = false;
  /** @type {object[]} */
  let unsent = [];
  /** How many answers each of the page's request ids waits for: the SDK repeats an id while the first is in flight.
   * @type {Map<number, number>} */
  const waiting = new Map();

  // The popup asks whether a page that was open before the installation has a relay by now.
  chrome.runtime.onMessage.addListener((_message, _sender, reply) => reply(true));

  /** @param {string} type @param {object} detail */
  const post = (type, detail) => window.postMessage({ type, detail }, location.origin);
  // A detail that is a string crosses from this world into the page's in both browsers; an object would not.
  /** @param {string} text */
  const disconnected = (text) => document.dispatchEvent(new CustomEvent("AsperaConnectDisconnect", { detail: text }));

  /** @param {number} id */
  const settled = (id) => {
    const left = (waiting.get(id) ?? 1) - 1;
    if (left > 0) waiting.set(id, left);
    else waiting.delete(id);
  };

  const drop = () => {
    port?.disconnect();
    port = null;
    greeted = false;
  };

  /** The background is gone: status 0 makes the SDK queue a request again, the event makes it look for us again. */
  const lost = () => {
    drop();
    unsent = [];
    const ids = [...waiting].flatMap(([id, count]) => new Array(count).fill(id));
    waiting.clear();
    const body = '{"error":{"code":0,"internal_message":"background restarted","user_message":"Godwit was restarted."}}';
    for (const request_id of ids) post("AsperaConnectResponse", { request_id, status: 0, body });
    if (ids.length > 0) setTimeout(disconnected, LOST_PAUSE_MS, "The Godwit extension was restarted.");
  };

  /** False in a page whose extension was reloaded or removed: this copy then stays silent for good. */
  const alive = () => {
    try {
      return chrome.runtime?.id !== undefined;
    } catch {
      return false;
    }
  };

  const open = () => {
    const fresh = chrome.runtime.connect({ name: "relay" });
    port = fresh;
    fresh.onMessage.addListener((/** @type {any} */ message) => {
      if (port !== fresh) return;
      if (message.greeting) {
        greeted = true;
        for (const request of unsent.splice(0)) fresh.postMessage(request);
      } else if (message.read !== undefined) {
        void read(fresh, message.read);
      } else if (message.disconnect !== undefined) {
        disconnected(String(message.disconnect));
      } else {
        if (message.detail.complete !== false) settled(message.detail.request_id);
        post("AsperaConnectResponse", message.detail);
      }
    });
    fresh.onDisconnect.addListener(() => {
      void chrome.runtime.lastError;
      if (port === fresh) lost();
    });
    setTimeout(() => {
      if (port !== fresh || greeted) return;
      drop();
      if (alive() && unsent.length > 0) open();
    }, GREETED_WITHIN_MS);
  };

  /** The user wants the page to have what was dropped on it.
   * @param {chrome.runtime.Port} line @param {{serial: number, drop: number, file: number, offset: number, length: number}} what */
  const read = async (line, { serial, drop, file, offset, length }) => {
    const answer = await godwitDrops.read(drop, file, offset, length).then(
      (data) => ({ serial, data }),
      (error) => ({ serial, error: error instanceof Error ? error.message : String(error) }),
    );
    // A port that closed without a word is noticed with the next request.
    if (port === line && alive()) line.postMessage(answer);
  };

  /** Objects of the page do not travel everywhere; an empty list stands for them and is refused as no text.
   * @param {unknown} value */
  const plain = (value) =>
    value === undefined || value === null || ["string", "number", "boolean"].includes(typeof value) ? value : [];

  document.addEventListener("AsperaConnectCheck", () => {
    if (alive()) post("AsperaConnectCheckResponse", { version: chrome.runtime.getManifest().version });
  });

  document.addEventListener("AsperaConnectRequest", (event) => {
    const from = /** @type {CustomEvent} */ (event).detail;
    if (!alive() || typeof from !== "object" || from === null || !Number.isSafeInteger(from.request_id)) return;
    const { request_id } = from;
    const dropped = String(from.uri_reference).includes("/file/dropped-files") ? godwitDrops.describe() : null;
    const oversize = typeof from.body === "string" && from.body.length > MAX_BODY;
    const copy = { request_id, oversize, body: oversize ? "" : plain(from.body), method: plain(from.method),
      uri_reference: plain(from.uri_reference), min_version: plain(from.min_version), timeout: plain(from.timeout),
      dropped: dropped?.files ?? null, drop: dropped?.drop ?? null };
    waiting.set(request_id, (waiting.get(request_id) ?? 0) + 1);
    try {
      if (port !== null && greeted) return port.postMessage(copy);
      unsent.push(copy);
      if (port === null) open();
    } catch {
      // The port closed without a word, as happens to pages that come back by the back button: what waited is lost.
      if (alive()) lost();
    }
  });

  // A page that is left, even if kept for the back button, waits for nothing: its dialogs must go. Browsers differ in
  // what they do with the ports of kept pages, so none is kept.
  window.addEventListener("pagehide", drop);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) lost();
  });
})();
