// @ts-check
// What the toolbar button says: which state, which number, which words. Pure.

/** @typedef {"idle" | "running" | "slow" | "failed" | "missing"} ButtonState */

/**
 * @param {object} now
 * @param {{phase: string, reason: {lasting: boolean} | null}} now.line to the agent
 * @param {number} now.active transfers that go on
 * @param {number} now.failed transfers that failed and were not looked at
 * @param {boolean} now.slow slow mode is on
 * @returns {{state: ButtonState, badge: string, title: [string, ...string[]]}} `title`: key of the catalogue and its parts
 */
export function button({ line, active, failed, slow }) {
  // A host that merely ended is started by the next wish: nobody needs to hear of it. While it is tried again what was wrong stays.
  if (line.phase !== "ready" && line.reason?.lasting === true) return { state: "missing", badge: "?", title: ["buttonMissing"] };
  if (line.phase !== "ready") return { state: "idle", badge: "", title: ["actionTitle"] };
  const badge = active > 0 ? String(active) : failed > 0 ? "!" : "";
  if (failed > 0) return { state: "failed", badge, title: active > 0 ? ["buttonRunningFailed", String(active), String(failed)] : ["buttonFailed", String(failed)] };
  if (slow) return { state: "slow", badge, title: active > 0 ? ["buttonRunningSlow", String(active)] : ["buttonSlow"] };
  if (active > 0) return { state: "running", badge, title: ["buttonRunning", String(active)] };
  return { state: "idle", badge, title: ["actionTitle"] };
}
