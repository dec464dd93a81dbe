// @ts-check
// Settings in a file, to keep or to take to another machine. Pure. What a person changed is in it, defaults are not; no
// passwords and no certificates, which are this machine's own.

import { namesOf, valueOf } from "./settings-catalog.js";

/** Says what the file is, and the form it has. */
const MARK = "godwit-settings";
const FORM = 1;
/** Larger files are none of ours. Characters. */
export const MOST = 1_000_000;

/**
 * @typedef {object} Content
 * @property {Record<string, SettingValue>} settings
 * @property {{trusted: string[], restricted: string[], ask: string[]}} sites
 */

/** @param {SettingsView} view @param {TrustView} trust @returns {string} */
export function write(view, trust) {
  /** @type {Record<string, SettingValue>} */
  const settings = {};
  for (const name of namesOf(view.values)) {
    const value = valueOf(view.values, name) ?? null;
    const own = value !== (valueOf(view.defaults, name) ?? null) && !view.locked.includes(name);
    if (own) settings[name] = value;
  }
  const sites = { trusted: trust.trusted, restricted: trust.restricted, ask: trust.ask ?? [] };
  return `${JSON.stringify({ [MARK]: FORM, settings, sites }, null, 2)}\n`;
}

/** What is in a file; null if it is none of ours. Single values of a wrong kind are left out. @param {string} text @returns {Content | null} */
export function read(text) {
  if (text.length > MOST) return null;
  /** @type {any} */
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof found !== "object" || found === null || found[MARK] !== FORM) return null;
  const plain = (/** @type {unknown} */ value) => value === null || ["string", "number", "boolean"].includes(typeof value);
  const settings = Object.fromEntries(Object.entries(Object(found.settings)).filter(([, value]) => plain(value)));
  const list = (/** @type {unknown} */ value) => (Array.isArray(value) ? value.filter((each) => typeof each === "string") : []);
  const sites = Object(found.sites);
  return { settings, sites: { trusted: list(sites.trusted), restricted: list(sites.restricted), ask: list(sites.ask) } };
}

/**
 * What of a file can be taken over here: settings that exist and are not fixed. The rest is named.
 * @param {Content} content @param {SettingsView} view
 * @returns {{changes: Record<string, SettingValue>, left: string[]}}
 */
export function usable({ settings }, view) {
  const names = new Set(namesOf(view.values));
  /** @type {Record<string, SettingValue>} */
  const changes = {};
  const left = [];
  for (const [name, value] of Object.entries(settings)) {
    if (names.has(name) && !view.locked.includes(name)) changes[name] = value;
    else left.push(name);
  }
  return { changes, left };
}
