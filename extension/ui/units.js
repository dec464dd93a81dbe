// @ts-check
// Numbers with a unit to choose, as people type them. Pure. The agent knows kbit/s and seconds only.

/** Factor of each unit; decimal, as lines are sold. @type {[string, number][]} */
export const RATES = [
  ["kbit/s", 1],
  ["Mbit/s", 1_000],
  ["Gbit/s", 1_000_000],
];

/** Keys of the catalogue instead of signs: these are words. @type {[string, number][]} */
export const TIMES = [
  ["unitSeconds", 1],
  ["unitMinutes", 60],
  ["unitHours", 3600],
];

/**
 * The largest unit in which the number needs at most three digits after the point.
 * @param {number} amount @param {[string, number][]} units
 * @returns {{value: number, unit: string}}
 */
export function split(amount, units) {
  let best = /** @type {[string, number]} */ (units[0]);
  for (const unit of units) if (amount >= unit[1] && Number.isInteger((amount / unit[1]) * 1000)) best = unit;
  return { value: amount / best[1], unit: best[0] };
}

/**
 * What was typed, in the smallest unit; NaN if it is no number. A comma is a point: both are typed.
 * @param {string} text @param {string} unit @param {[string, number][]} units
 * @returns {number}
 */
export function join(text, unit, units) {
  const plain = text.trim().replace(",", ".");
  if (!/^\d*\.?\d+$|^\d+\.$/u.test(plain)) return NaN;
  const factor = units.find(([name]) => name === unit)?.[1] ?? 1;
  return Math.round(Number(plain) * factor);
}
