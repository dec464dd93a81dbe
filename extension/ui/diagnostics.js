// @ts-check
// How the parts found each other, for people and for a report. Pure. No secret is known here.

import { noteText } from "./reasons.js";
import { STATES } from "./transfer-model.js";

/**
 * @typedef {object} Known
 * @property {string} extension @property {string} api versions
 * @property {string} browser the browser's own words
 * @property {{phase: string, reason: {kind: string, text: string} | null}} state of the line to the agent
 * @property {AgentStatus | null} status null: not reached
 */

/**
 * @param {Known} known
 * @param {(key: string, ...substitutions: string[]) => string} t @param {(seconds: number) => string} time
 * @returns {[string, string][]} key of the catalogue, text
 */
export function diagnosis({ state, status }, t, time) {
  if (status === null) return [["factAgent", t("agentNotReached")], ["factReason", state.reason?.text || "–"]];
  const { host, log, downloads } = status.more ?? {};
  return [
    ["factAgent", t("agentReached", String(status.pid), time(status.uptime_seconds))],
    ["factManifest", host?.manifest ?? t("manifestUnknown")],
    ["homeFolder", status.home],
    ["factLog", log ?? "–"],
    ["factDownloads", downloads ?? "–"],
    ["factCounts", Object.entries(status.counts).map(([state, count]) => `${t(STATES[state] ?? state)}: ${count}`).join(", ") || "0"],
  ];
}

/**
 * What the agent wants the user to know, in the user's language; what is unknown here stays in English.
 * @param {AgentStatus | null} status @param {(key: string, ...substitutions: string[]) => string} t @returns {string[]}
 */
export function notices(status, t) {
  const notes = status?.more?.notes ?? (status?.notices ?? []).map((text) => ({ code: "", args: [], text }));
  return notes.map((note) => noteText(note, t));
}

/** @param {Known} known @param {string[]} [more] lines @returns {string} in English: it is for support */
export function reportOf({ extension, api, browser, state, status }, more = []) {
  const host = status?.more?.host;
  /** @type {[string, string][]} */
  const lines = [
    ["Godwit extension", extension],
    ["Page API", api],
    ["Browser", browser],
    ["Connection", state.reason === null ? state.phase : `${state.phase} (${state.reason.kind}: ${state.reason.text})`],
    ["Host", host ? `${host.version}, pid ${host.pid}, for ${host.browser}, manifest ${host.manifest ?? "unknown"}` : "not reached"],
    ["Agent", status ? `${status.version}, pid ${status.pid}, up ${status.uptime_seconds} s` : "not reached"],
    ["Data folder", status?.home ?? "?"],
    ["Log", status?.more?.log ?? "?"],
    ["Transfers", status ? JSON.stringify(status.counts) : "?"],
    ...(status?.notices ?? []).map((notice) => /** @type {[string, string]} */ (["Notice", notice])),
  ];
  return `${[...lines.map(([name, value]) => `${name}: ${value}`), ...more].join("\n")}\n`;
}
