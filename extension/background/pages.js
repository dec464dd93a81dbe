// @ts-check
// Requests of web pages: one port per document, so an answer can reach no other document than the one that asked.
//
// The site's identity is the sender's origin as the browser states it; nothing in a message can change it.

import * as agent from "./agent.js";
import * as core from "./core.js";
import { RESTARTING, textForPages } from "./disconnect.js";
import * as trust from "./trust.js";

/** A relay that reads nothing for so long never will: its file is on a disk that hangs. */
const READ_WITHIN_MS = 60_000;
/** Requests one document may have open. The SDK needs a handful; more is a fault or an attack. */
const MAX_OPEN = 64;

/**
 * @typedef {object} Page
 * @property {chrome.runtime.Port} port
 * @property {string} origin
 * @property {number} open requests not yet answered
 * @property {boolean} gone
 * @property {Map<number, number | null>} calls ids of the agent's requests, and the drop that each is about
 */

/** @type {Set<Page>} */
const pages = new Set();
/** Reads under way in relays. @type {Map<number, {page: Page, done: (data: string) => void, failed: (error: Error) => void}>} */
const reads = new Map();
let nextRead = 1;

/** @param {chrome.runtime.Port} port a port named `relay` */
export function accept(port) {
  const sender = port.sender;
  // A frame's document, not an extension page or a worker.
  if (sender === undefined || sender.id !== chrome.runtime.id) return port.disconnect();
  if (sender.tab === undefined || sender.frameId === undefined) return port.disconnect();
  /** @type {Page} */
  const page = { port, origin: sender.origin ?? "null", open: 0, gone: false, calls: new Map() };
  pages.add(page);
  port.onDisconnect.addListener(() => {
    void chrome.runtime.lastError;
    page.gone = true;
    pages.delete(page);
    // A question belongs to the document that asked.
    agent.giveUp([...page.calls.keys()]);
    for (const [serial, { page: of, failed }] of reads) {
      if (of === page) failed(new Error("The page was left."));
      if (of === page) reads.delete(serial);
    }
  });
  port.onMessage.addListener((message) => {
    if (message?.serial === undefined) return void handle(page, message);
    const read = reads.get(message.serial);
    if (read?.page !== page) return;
    reads.delete(message.serial);
    if (typeof message.data === "string") read.done(message.data);
    else read.failed(new Error(String(message.error)));
  });
}

/**
 * A piece of a file that was dropped on the document whose request `call` is, as base64.
 * @param {number} call id of the agent's request @param {number} file @param {number} offset @param {number} length
 * @returns {Promise<string>}
 */
export function readDropped(call, file, offset, length) {
  const page = [...pages].find(({ calls }) => calls.has(call));
  const drop = page?.calls.get(call) ?? null;
  if (page === undefined || drop === null) return Promise.reject(new Error("The page was left."));
  const serial = nextRead++;
  return new Promise((done, failed) => {
    reads.set(serial, { page, done, failed });
    setTimeout(() => reads.delete(serial) && failed(new Error("The file cannot be read.")), READ_WITHIN_MS);
    send(page, { read: { serial, drop, file, offset, length } });
  });
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
    const { drop } = message;
    await forward(page, id, call, Number.isSafeInteger(drop) ? drop : null);
  } finally {
    page.open -= 1;
  }
}

/** @param {Page} page @param {number} id @param {PageCall} call @param {number | null} drop */
async function forward(page, id, call, drop) {
  let sent = 0;
  try {
    const answer = await agent.request("page", call, {
      origin: page.origin,
      deadlineMs: call.timeout,
      // A page that left while the host was starting must not open a dialog any more.
      wanted: () => !page.gone,
      onSent: (number) => {
        sent = number;
        page.calls.set(sent, drop);
      },
      onPart: ({ status, body64, last }) => {
        send(page, { detail: { request_id: id, status, body64, complete: last } });
      },
    });
    if (answer !== null) reply(page, id, answer);
  } catch (error) {
    fail(page, id, error);
  } finally {
    page.calls.delete(sent);
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
