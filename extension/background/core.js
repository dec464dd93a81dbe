// @ts-check
// The WebAssembly module, loaded once. Listeners must not wait for it: they are registered first and await `ready`.

import init, * as wasm from "../wasm/godwit_core.js";

/** Resolves when the functions below may be called. */
export const ready = init({ module_or_path: chrome.runtime.getURL("wasm/godwit_core_bg.wasm") }).then(() => {});

/**
 * A page's request, checked.
 * @param {unknown} request @param {string} origin
 * @returns {{call: PageCall, answer?: undefined} | {answer: PageAnswer, call?: undefined}}
 */
export const checkRequest = (request, origin) => JSON.parse(wasm.check_request(JSON.stringify(request) ?? "", origin));

/**
 * The answer for a site known to be restricted, or null: the agent decides.
 * @param {PageCall} call @param {string} origin @param {TrustView} trust
 * @returns {PageAnswer | null}
 */
export const precheck = (call, origin, trust) =>
  JSON.parse(wasm.precheck(JSON.stringify(call), origin, JSON.stringify(trust))).answer ?? null;

/** @param {string} version @param {string} session @returns {object} */
export const hello = (version, session) => JSON.parse(wasm.hello(version, session));

/**
 * Reads a frame strictly.
 * @param {unknown} frame
 * @returns {{message: Frame, error?: undefined} | {error: string, message?: undefined}}
 */
export const parseMessage = (frame) => JSON.parse(wasm.parse_message(JSON.stringify(frame) ?? ""));

/** The host in its own letters, if the origin has it as punycode. @param {string} origin @returns {string | null} */
export const unicodeHost = (origin) => JSON.parse(wasm.unicode_host(origin));

/** @param {string} code @param {string} message @returns {PageAnswer} */
export const answerForError = (code, message) => JSON.parse(wasm.answer_for_error(code, message));

/** @param {string} reason @returns {PageAnswer} */
export const answerUnavailable = (reason) => JSON.parse(wasm.answer_unavailable(reason));

/** @returns {{api_version: string, protocol: {major: number, minor: number}}} */
export const constants = () => JSON.parse(wasm.constants());
