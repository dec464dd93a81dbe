// @ts-check
// Comparing what came over the wire with what part 1 of the reference says should come: values, and shapes of values.

/** @typedef {(value: any, at: string) => string[]} Shape faults in words */

/**
 * Compares a value with an expectation: a {@link Shape}, or a value whose parts may be shapes. Objects must have exactly these
 * keys; one whose name ends in `?` may be absent.
 * @param {any} expected @param {any} value @param {string} [at] where in the whole
 * @returns {string[]} faults in words
 */
export function match(expected, value, at = "") {
  if (typeof expected === "function") return expected(value, at);
  if (Array.isArray(expected)) {
    if (!Array.isArray(value) || value.length !== expected.length) return [fault(at, `a list of ${expected.length}`, value)];
    return expected.flatMap((each, index) => match(each, value[index], `${at}[${index}]`));
  }
  if (typeof expected === "object" && expected !== null) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [fault(at, "an object", value)];
    const names = Object.keys(expected);
    const bare = (/** @type {string} */ name) => name.replace(/\?$/, "");
    const unknown = Object.keys(value).filter((key) => !names.some((name) => bare(name) === key));
    const faults = unknown.map((key) => `${at}.${key} is there and should not be`);
    for (const name of names) {
      const key = bare(name);
      if (key in value) faults.push(...match(expected[name], value[key], `${at}.${key}`));
      else if (key === name) faults.push(`${at}.${key} is missing`);
    }
    return faults;
  }
  return Object.is(expected, value) ? [] : [fault(at, JSON.stringify(expected), value)];
}

/** @param {string} at @param {string} wanted @param {unknown} value */
const fault = (at, wanted, value) => `${at || "the whole"} should be ${wanted} and is ${JSON.stringify(value)?.slice(0, 200)}`;

/** @param {string} words @param {(value: any) => boolean} holds @returns {Shape} */
export const is = (words, holds) => (value, at) => (holds(value) ? [] : [fault(at, words, value)]);

export const text = is("a text", (value) => typeof value === "string");
export const filled = is("a text that is not empty", (value) => typeof value === "string" && value.length > 0);
export const whole = is("a whole number that is not negative", (value) => Number.isSafeInteger(value) && value >= 0);
export const number = is("a number that is not negative", (value) => typeof value === "number" && value >= 0);
export const truth = is("true or false", (value) => typeof value === "boolean");
export const anything = is("anything", () => true);
export const base64 = is("base64", (value) => typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value));
export const uuid = is("a UUID", (value) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value));
/** @param {...string} words @returns {Shape} */
export const oneOf = (...words) => is(`one of ${words.join(", ")}`, (value) => words.includes(value));
/** @param {RegExp} pattern @returns {Shape} */
export const like = (pattern) => is(`like ${pattern}`, (value) => typeof value === "string" && pattern.test(value));
/** A list of any length. @param {any} each @returns {Shape} */
export const listOf = (each) => (value, at) =>
  Array.isArray(value) ? value.flatMap((one, index) => match(each, one, `${at}[${index}]`)) : [fault(at, "a list", value)];
/** An object with at least these. @param {Record<string, any>} parts @returns {Shape} */
export const having = (parts) => (value, at) => {
  if (typeof value !== "object" || value === null) return [fault(at, "an object", value)];
  return Object.entries(parts).flatMap(([key, each]) => match(each, value[key], `${at}.${key}`));
};
/** An object without these. @param {...string} keys @returns {Shape} */
export const without = (...keys) => (value, at) =>
  keys.filter((key) => value !== null && typeof value === "object" && key in value).map((key) => `${at}.${key} must not be there`);
/** All of several. @param {...any} shapes @returns {Shape} */
export const all = (...shapes) => (value, at) => shapes.flatMap((each) => match(each, value, at));
