// @ts-check
// The one native port of this browser profile: opened on first need, hello first, requests by id, closed when idle.
//
// Must not know pages, windows or prompts. Whoever needs the port to stay open says so with a keeper.

import * as core from "./core.js";
import { classify } from "./disconnect.js";
import { GIVE_UP_AFTER, LASTING_WAIT_MS, waitAfter } from "./backoff.js";
import { sessionName } from "./session.js";

/** Name in the native-messaging manifests. */
const HOST = "io.godwit.host";
/** A host that has not said hello by then is stuck: starting the agent takes well under a second. */
const HELLO_WITHIN_MS = 15_000;
/** How long an unused port stays open: pages often ask again soon, and starting the host costs. */
const IDLE_MS = 20_000;

/** @typedef {import("./disconnect.js").Reason} Reason */
/** @typedef {"idle" | "connecting" | "ready" | "waiting" | "failed"} Phase */
/**
 * @typedef {object} RequestOptions
 * @property {string} [origin] of the page on whose behalf it is asked
 * @property {number} [deadlineMs]
 * @property {(part: PartFrame) => void} [onPart] with parts the request resolves to null after the last one
 * @property {() => boolean} [wanted] asked before sending; if nobody wants the answer any more it resolves to null unsent
 * @property {(id: number) => void} [onSent] with the id it was sent under
 */

/** The agent, or the host for it, answered with an error. */
export class AgentError extends Error {
  /** @param {string} code @param {string} message @param {Note} [note] the message for other languages */
  constructor(code, message, note) {
    super(message);
    this.code = code;
    this.note = note;
  }
}

/** The request was not answered because the host went away or could not be started. */
export class AgentGone extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(reason.text || "the native host ended");
    this.reason = reason;
  }
}

/**
 * @typedef {object} Pending
 * @property {(result: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {((part: PartFrame) => void) | undefined} onPart
 */

/** @type {Phase} */
let phase = "idle";
/** @type {Reason | null} why the last attempt failed */
let reason = null;
let failures = 0;
/** Until then a failure is believed without another try, in milliseconds of `performance.now()`. */
let doubtAt = 0;
/** @type {chrome.runtime.Port | null} */
let port = null;
/** @type {HelloFrame | null} */
let agentHello = null;
let nextId = 1;
/** Sent, not answered. @type {Map<number, Pending>} */
const pending = new Map();
/** Waiting for the hello. @type {{send: () => void, reject: (error: Error) => void}[]} */
let waiting = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let idleTimer;

/** @type {Map<string, ((data: any, seq: number) => void)[]>} */
const topicListeners = new Map();
/** @type {(() => void)[]} */
const stateListeners = [];
/** @type {(() => boolean)[]} */
const keepers = [];
/** @type {(() => Promise<unknown>)[]} */
const preparations = [];

/** @param {string} topic @param {(data: any, seq: number) => void} listener */
export const onEvent = (topic, listener) => {
  topicListeners.set(topic, [...(topicListeners.get(topic) ?? []), listener]);
};
/** Called after each change of {@link state}. @param {() => void} listener */
export const onState = (listener) => stateListeners.push(listener);
/** A keeper that answers true keeps the port open. @param {() => boolean} keeper */
export const keepWhile = (keeper) => keepers.push(keeper);

/** Something to be ended before each connection. It must end soon, and whatever happens. @param {() => Promise<unknown>} step */
export const prepare = (step) => preparations.push(step);

/** @returns {{phase: Phase, reason: Reason | null, agentVersion: string | null}} */
export const state = () => ({ phase, reason, agentVersion: agentHello?.version ?? null });

/**
 * Sends a request; starts the host if need be. Requests made while it (re)starts wait.
 * @param {string} kind @param {unknown} params @param {RequestOptions} [options]
 * @returns {Promise<any>}
 */
export function request(kind, params, options = {}) {
  return new Promise((resolve, reject) => {
    const send = () => {
      if (options.wanted?.() === false) return resolve(null);
      const id = nextId++;
      pending.set(id, { resolve, reject, onPart: options.onPart });
      /** @type {Record<string, unknown>} */
      const frame = { type: "request", id, kind, params };
      if (options.origin !== undefined) frame.origin = options.origin;
      if (options.deadlineMs !== undefined) frame.deadline_ms = options.deadlineMs;
      port?.postMessage(frame);
      options.onSent?.(id);
    };
    if (phase === "ready") return send();
    if (phase === "failed" && reason !== null && performance.now() < doubtAt) return reject(new AgentGone(reason));
    waiting.push({ send, reject });
    if (phase === "idle" || phase === "failed") connect();
  });
}

/** Nobody waits for these requests any more: what the agent asks for their sake closes. @param {number[]} ids */
export function giveUp(ids) {
  const open = ids.filter((id) => pending.has(id));
  if (phase !== "ready" || open.length === 0) return;
  port?.postMessage({ type: "request", id: nextId++, kind: "ui.give-up", params: { ids: open } });
}

/** Starts the host now, whatever failed before. */
export function retry() {
  if (phase === "connecting" || phase === "ready") return;
  failures = 0;
  connect();
}

/** Closes the port after a while if nobody needs it. Call whenever a keeper's answer may have changed. */
export function settle() {
  clearTimeout(idleTimer);
  idleTimer = undefined;
  if (phase !== "ready" || needed()) return;
  idleTimer = setTimeout(() => {
    if (phase === "ready" && !needed()) close();
  }, IDLE_MS);
}

const needed = () => pending.size > 0 || keepers.some((keeper) => keeper());

/** @param {Phase} next */
function enter(next) {
  phase = next;
  for (const listener of stateListeners) listener();
}

async function connect() {
  clearTimeout(timer);
  enter("connecting");
  await core.ready;
  const session = await sessionName();
  await Promise.allSettled(preparations.map((step) => step()));
  /** @type {chrome.runtime.Port} */
  let fresh;
  try {
    fresh = chrome.runtime.connectNative(HOST);
  } catch (error) {
    return lost(String(error instanceof Error ? error.message : error));
  }
  port = fresh;
  fresh.onMessage.addListener((frame) => {
    if (port === fresh) receive(frame);
  });
  fresh.onDisconnect.addListener((closed) => {
    // Chromium tells the reason by lastError, Firefox by the port. Reading it also keeps Chromium's log quiet.
    const text = chrome.runtime.lastError?.message ?? closed.error?.message ?? "";
    if (port === fresh) lost(text);
  });
  timer = setTimeout(() => drop(chrome.i18n.getMessage("reasonNoHello")), HELLO_WITHIN_MS);
  try {
    fresh.postMessage(core.hello(chrome.runtime.getManifest().version, session));
  } catch {
    // Closed already: onDisconnect follows and knows why.
  }
}

/** Our own end of a port that does not do what it should. @param {string} text */
function drop(text) {
  port?.disconnect();
  lost(text);
}

/** Nobody needs the port. */
function close() {
  port?.disconnect();
  port = null;
  agentHello = null;
  enter("idle");
}

/** @param {unknown} frame */
function receive(frame) {
  const { message, error } = core.parseMessage(frame);
  if (message === undefined) return drop(chrome.i18n.getMessage("reasonNoMessage", [error]));
  switch (message.type) {
    case "hello":
      return greet(message);
    case "response":
      return answer(message);
    case "part":
      pending.get(message.id)?.onPart?.(message);
      if (message.last) finish(message.id);
      return;
    case "event":
      for (const listener of topicListeners.get(message.topic) ?? []) listener(message.data, message.seq);
  }
}

/** @param {HelloFrame} hello */
function greet(hello) {
  if (phase === "ready") return;
  if (hello.role !== "agent") {
    // The host speaks for itself when there is no agent. Its answer to any request says why.
    port?.postMessage({ type: "request", id: nextId++, kind: "ui.status" });
    return;
  }
  const { major } = core.constants().protocol;
  if (hello.protocol.major !== major) {
    const older = hello.protocol.major < major ? "reasonOldApplication" : "reasonOldExtension";
    return refuse("version", chrome.i18n.getMessage(older));
  }
  clearTimeout(timer);
  agentHello = hello;
  failures = 0;
  reason = null;
  enter("ready");
  const ready = waiting;
  waiting = [];
  for (const { send } of ready) send();
  settle();
}

/** @param {ResponseFrame} message */
function answer(message) {
  // Before the agent's hello, and with id 0 at any time, it is the connection that is refused.
  if (message.error && (phase !== "ready" || message.id === 0)) {
    if (message.error.code === "version-mismatch") return refuse("version", message.error.message);
    return drop(message.error.message);
  }
  const request = pending.get(message.id);
  if (!request) return;
  pending.delete(message.id);
  if (message.error) request.reject(new AgentError(message.error.code, message.error.message, message.error.note));
  else request.resolve(message.result);
  settle();
}

/** The last part of an answer ends its request. @param {number} id */
function finish(id) {
  const request = pending.get(id);
  pending.delete(id);
  request?.resolve(null);
  settle();
}

/** @param {"version"} kind @param {string} text */
function refuse(kind, text) {
  port?.disconnect();
  port = null;
  end({ kind, text, lasting: true });
}

/** The port closed without our wish. @param {string} text */
function lost(text) {
  const why = classify(text, phase === "ready");
  port = null;
  end(why);
}

/** @param {Reason} why */
function end(why) {
  clearTimeout(timer);
  reason = why;
  agentHello = null;
  failures += 1;
  // What was sent may have been done: only the asker can decide to ask again.
  const sent = [...pending.values()];
  pending.clear();
  const giveUp = why.lasting || failures >= GIVE_UP_AFTER;
  const given = giveUp ? waiting : [];
  if (giveUp) waiting = [];
  doubtAt = performance.now() + (why.lasting ? LASTING_WAIT_MS : waitAfter(failures));
  const again = !giveUp && (waiting.length > 0 || keepers.some((keeper) => keeper()));
  if (again) timer = setTimeout(connect, waitAfter(failures));
  enter(again ? "waiting" : giveUp ? "failed" : "idle");
  for (const { reject } of [...sent, ...given]) reject(new AgentGone(why));
}
