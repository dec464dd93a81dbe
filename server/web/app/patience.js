// @ts-check
// Waiting for something that nobody announces.

/** How often it is looked at, ms. */
const EVERY = 100;

/** Until `holds` is true, or the time is over. @param {() => boolean} holds @param {number} most ms */
export async function until(holds, most) {
  for (let waited = 0; !holds() && waited < most; waited += EVERY) await new Promise((next) => setTimeout(next, EVERY));
}
