// @ts-check
// How long a passphrase would resist guessing, roughly. Pure.

/** What everybody tries first. */
const COMMON = /^(?:pass(?:word|wort|phrase)?|qwert[yz]?|asdf|abc|123|admin|secret|geheim|letmein|welcome|willkommen|godwit|swordfish)/iu;

/**
 * 0 (falls at once) to 4 (beyond everybody's means, each guess costs a third of a second of work and 128 MiB).
 * @param {string} text @returns {number}
 */
export function strengthOf(text) {
  const bits = bitsOf(text);
  return bits < 20 ? 0 : bits < 35 ? 1 : bits < 50 ? 2 : bits < 65 ? 3 : 4;
}

/** @param {string} text */
function bitsOf(text) {
  const signs = [...text];
  const kinds = [/\p{Ll}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}]/u];
  const sizes = [26, 26, 10, 33];
  const pool = kinds.reduce((sum, kind, at) => sum + (kind.test(text) ? (sizes[at] ?? 0) : 0), 0);
  let worth = 0;
  const seen = new Set();
  signs.forEach((sign, at) => {
    const before = signs[at - 1]?.codePointAt(0) ?? -9;
    const step = Math.abs((sign.codePointAt(0) ?? 0) - before);
    // Repetitions and rows (aaa, abc, 321) add little; a sign that was there before adds less than a new one.
    worth += step <= 1 ? 0.2 : seen.has(sign) ? 0.7 : 1;
    seen.add(sign);
  });
  // Words are not random letters: half of what letters could be.
  const letters = kinds[2]?.test(text) || kinds[3]?.test(text) ? 0.85 : 0.65;
  const common = COMMON.exec(text)?.[0].length ?? 0;
  return Math.max(0, worth - common) * Math.log2(Math.max(2, pool)) * letters;
}
