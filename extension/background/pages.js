// @ts-check
// Requests of web pages: one port per document, so an answer can reach no other document than the one that asked.
//
// The site's identity is the sender's origin as the browser states it; nothing in a message can change it.

import * as agent from "./agent.js";
import * as core from "./core.js";
import { RESTARTING, textForPages } from "./disconnect.js";
import * as trust from "./trust.js";

/** Requests one document may have open. The SDK needs a handful; more is a fault or an attack. */
const MAX_OPEN = 64;

/**
 * @typedef {object} Page
 * @property {chrome.runtime.Port} port
 * @property {string} origin
 * @property {number} open requests not yet answered
 * @property {boolean} gone
 */

/** @type {Set<Page>} */
const pages = new Set();
/** @type {((origin: string) => void)[]} */
const leaveListeners = [];

/** Called when the last document of an origin that had asked something is gone. @param {(origin: string) => void} listener */
export const onLeave = (listener) => leaveListeners.push(listener);

/** @param {chrome.runtime.Port} port a port named `relay` */
export function accept(port) {
  const sender = port.sender;
  // A frame's document, not an extension page or a worker.
  if (sender === undefined || sender.id !== chrome.runtime.id) return port.disconnect();
  if (sender.tab === undefined || sender.frameId === undefined) return port.disconnect();
  /** @type {Page} */
  const page = { port, origin: sender.origin ?? "null", open: 0, gone: false };
  pages.add(page);
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError;
    page.gone = true;
    pages.delete(page);
    if ([...pages].every((other) => other.origin !== page.origin)) {
      for (const listener of leaveListeners) listener(page.origin);
    }
  });
  port.onMessage.addListener((message) => void handle(page, message));
}

/** @param {Page} page @param {any} message */
async function handle(page, message) {
  const id = message?.request_id;
  if (!Number.isSafeInteger(id)) return;
  await core.ready;
  if (page.open >= MAX_OPEN) return reply(page, id, core.answerForError("busy", "Too many requests at once."));
  const { call, answer } = core.checkRequest(message, page.origin);
  if (call === undefined) return reply(page, id, answer);
  const refusal = core.precheck(call, page.origin, trust.view());
  if (refusal !== null) return reply(page, id, refusal);
  page.open += 1;
  try {
    await forward(page, id, call);
  } finally {
    page.open -= 1;
  }
}

/** @param {Page} page @param {number} id @param {PageCall} call */
async function forward(page, id, call) {
  try {
    const answer = await agent.request("page", call, {
      origin: page.origin,
      deadlineMs: call.timeout,
      // A page that left while the host was starting must not open a dialog any more.
      wanted: () => !page.gone,
      onPart: ({ status, body64, last }) => {
        send(page, { detail: { request_id: id, status, body64, complete: last } });
      },
    });
    if (answer !== null) reply(page, id, answer);
  } catch (error) {
    fail(page, id, error);
  }
}

/** @param {Page} page @param {number} id @param {unknown} error */
function fail(page, id, error) {
  if (error instanceof agent.AgentGone) {
    // Status 503 is how the SDK hears that one of the two parts is too old; it needs no event then.
    if (error.reason.kind === "version") return reply(page, id, core.answerForError("version-mismatch", error.message));
    reply(page, id, core.answerUnavailable(error.message));
    // Without the event the SDK would keep a request with status 0 in its queue for ever.
    return send(page, { disconnect: textForPages(error.reason) });
  }
  const code = error instanceof agent.AgentError ? error.code : "internal";
  reply(page, id, core.answerForError(code, error instanceof Error ? error.message : String(error)));
  if (code === "agent-unavailable") send(page, { disconnect: RESTARTING });
}

/** @param {Page} page @param {number} id @param {PageAnswer} answer */
const reply = (page, id, { status, body }) => send(page, { detail: { request_id: id, status, body } });

/** @param {Page} page @param {object} message */
function send(page, message) {
  if (page.gone) return;
  try {
    page.port.postMessage(message);
  } catch {
    // The document went away; its onDisconnect follows.
  }
}
