// @ts-check
// Waiting for something to become true, with a deadline and words for when it does not.

/** Milliseconds after which a test gives up on something that should happen soon. */
export const SOON = 30_000;
/** Milliseconds for whole transfers on a busy machine. */
export const TRANSFER = 240_000;

const EVERY = 50;

/**
 * Asks `probe` until it answers something true, and returns that.
 * @template T
 * @param {string} what what is awaited, for the message
 * @param {() => T | Promise<T>} probe may throw while it is too early
 * @param {number} [deadline] milliseconds
 * @returns {Promise<NonNullable<Awaited<T>>>}
 */
export async function until(what, probe, deadline = SOON) {
  const end = Date.now() + deadline;
  let last;
  for (;;) {
    try {
      const answer = await withLimit(Promise.resolve(probe()), end - Date.now() + EVERY);
      if (answer) return /** @type {any} */ (answer);
      last = answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`${what}: not within ${deadline / 1000} s (last seen: ${seen})`);
    }
    await new Promise((next) => setTimeout(next, EVERY));
  }
}

/**
 * The promise, or an error after so many milliseconds (a driver may lose an answer when a window closes).
 * @template T
 * @param {Promise<T>} promise
 * @param {number} milliseconds
 * @returns {Promise<T>}
 */
export function withLimit(promise, milliseconds) {
  /** @type {NodeJS.Timeout} */
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), Math.max(milliseconds, 1));
  });
  promise.catch(() => {}); // Whoever lost interest must not make it an unhandled rejection.
  return /** @type {Promise<T>} */ (Promise.race([promise, limit]).finally(() => clearTimeout(timer)));
}
