// @ts-check
// Numbers for people, in a given language. Pure. Rates are decimal bits, sizes binary bytes, never mixed.

/** Making a formatter costs far more than using it, and a folder has thousands of rows. @type {Map<string, any>} */
const made = new Map();

/** @param {string} locale @param {Intl.NumberFormatOptions} [options] @returns {Intl.NumberFormat} */
function numbers(locale, options = {}) {
  const key = `${locale} ${JSON.stringify(options)}`;
  const there = made.get(key) ?? new Intl.NumberFormat(locale, options);
  made.set(key, there);
  return there;
}

/** @param {string} locale @returns {Intl.DateTimeFormat} */
function dates(locale) {
  const there = made.get(locale) ?? new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  made.set(locale, there);
  return there;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** @param {number} value @returns {number} digits after the point that keep three in all */
const digits = (value) => (value >= 100 ? 0 : value >= 10 ? 1 : 2);

/** @param {number} count @param {string} locale @returns {string} such as `1.25 GiB` */
export function bytes(count, locale) {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const most = unit === 0 ? 0 : digits(value);
  return `${numbers(locale, { maximumFractionDigits: most }).format(value)} ${BYTE_UNITS[unit]}`;
}

/** @param {number} kbps thousands of bits a second @param {string} locale @returns {string} such as `941 Mbit/s` */
export function rate(kbps, locale) {
  const [value, unit] = kbps >= 1e6 ? [kbps / 1e6, "Gbit/s"] : kbps >= 1e3 ? [kbps / 1e3, "Mbit/s"] : [kbps, "kbit/s"];
  const most = unit === "kbit/s" ? 0 : digits(value);
  return `${numbers(locale, { maximumFractionDigits: most }).format(value)} ${unit}`;
}

/** @param {number} seconds @param {string} locale @returns {string} the two largest units, such as `2 hr 5 min` */
export function duration(seconds, locale) {
  const whole = Math.max(1, Math.round(seconds));
  const parts = /** @type {[string, number][]} */ ([
    ["day", Math.floor(whole / 86400)],
    ["hour", Math.floor(whole / 3600) % 24],
    ["minute", Math.floor(whole / 60) % 60],
    ["second", whole % 60],
  ]);
  const first = parts.findIndex(([, count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => numbers(locale, { style: "unit", unit, unitDisplay: "short" }).format(count))
    .join(" ");
}

/** @param {number} ms since the epoch @param {string} locale @returns {string} */
export const date = (ms, locale) =>
  ms > 0 ? dates(locale).format(ms) : "";

/** @param {number} share 0 to 1 @param {string} locale @returns {string} rounded down: 100 % means done */
export const percent = (share, locale) =>
  numbers(locale, { style: "percent" }).format(Math.floor(Math.min(1, Math.max(0, share)) * 100) / 100);

/** @param {number} count @param {string} locale @returns {string} */
export const number = (count, locale) => numbers(locale).format(count);
