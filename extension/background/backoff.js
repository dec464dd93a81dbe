// @ts-check
// How long to wait before the native host is started again. Pure.

/** First wait, milliseconds; doubled at each failure. */
export const FIRST_WAIT_MS = 200;
/** Longest wait while it is worth hoping that the host comes back by itself. */
export const LONGEST_WAIT_MS = 10_000;
/** After so many failures in a row, waiting requests are given up. */
export const GIVE_UP_AFTER = 4;
/** How long a lasting reason (no manifest, say) is believed before a page's next request makes us look again: short,
 * since pages ask all the time while a person installs the application. */
export const LASTING_WAIT_MS = 3_000;

/**
 * @param {number} failures in a row, at least 1
 * @returns {number} milliseconds
 */
export const waitAfter = (failures) => Math.min(FIRST_WAIT_MS * 2 ** (failures - 1), LONGEST_WAIT_MS);
