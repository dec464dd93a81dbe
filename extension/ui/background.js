// @ts-check
// A window's line to the background. Comes back by itself after the background was restarted.

/** The background, or the agent, refused. `code` is one of the protocol's words. */
export class Refused extends Error {
  /** @param {string} code @param {string} message @param {Note} [note] the message for other languages */
  constructor(code, message, note) {
    super(message);
    this.code = code;
    this.note = note;
  }
}

/** Restarting the background is quick; a short pause avoids a storm when the extension is being removed. */
const AGAIN_MS = 300;
/** A port connected to a background that is just being stopped is told of neither success nor failure. */
const GREETED_WITHIN_MS = 2000;

/** @type {chrome.runtime.Port | null} */
let port = null;
/** Asked before the background greeted. @type {object[] | null} */
let unsent = null;
let next = 1;
/** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
const pending = new Map();
/** @type {Map<string, (data: any) => void>} */
const listeners = new Map();
/** @type {(() => void) | null} */
let onStart = null;

/** Calls `start` now and after each restart of the background. @param {() => void} start */
export function begin(start) {
  onStart = start;
  start();
}

/** @param {string} event @param {(data: any) => void} listener */
export const on = (event, listener) => listeners.set(event, listener);

/**
 * @param {string} kind @param {unknown} [params]
 * @returns {Promise<any>}
 */
export function ask(kind, params) {
  return new Promise((resolve, reject) => {
    const id = next++;
    const message = { id, kind, params };
    try {
      const line = (port ??= open());
      pending.set(id, { resolve, reject });
      if (unsent !== null) unsent.push(message);
      else line.postMessage(message);
    } catch (error) {
      pending.delete(id);
      reject(error);
    }
  });
}

function open() {
  const fresh = chrome.runtime.connect({ name: "view" });
  unsent = [];
  fresh.onMessage.addListener((message) => {
    if (port !== fresh) return;
    if (message.greeting) return greeted(fresh);
    if (message.event !== undefined) return listeners.get(message.event)?.(message.data);
    const request = pending.get(message.id);
    pending.delete(message.id);
    if (message.error) request?.reject(new Refused(message.error.code, message.error.message, message.error.note));
    else request?.resolve(message.result);
  });
  fresh.onDisconnect.addListener(() => {
    void chrome.runtime.lastError;
    if (port === fresh) lost();
  });
  setTimeout(() => {
    if (port !== fresh || unsent === null) return;
    fresh.disconnect();
    lost();
  }, GREETED_WITHIN_MS);
  return fresh;
}

/** @param {chrome.runtime.Port} line */
function greeted(line) {
  const asked = unsent ?? [];
  unsent = null;
  for (const message of asked) line.postMessage(message);
}

function lost() {
  port = null;
  unsent = null;
  const requests = [...pending.values()];
  pending.clear();
  for (const { reject } of requests) reject(new Refused("restarted", "The extension was restarted."));
  setTimeout(() => onStart?.(), AGAIN_MS);
}
