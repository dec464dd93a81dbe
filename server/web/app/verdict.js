// @ts-check
// What the tests mean together, and whom to ask. Pure.

/** @typedef {"waiting" | "running" | "good" | "bad" | "unknown"} Result */
/** @typedef {{http: Result, extension: Result, agent: Result, tcp: Result, udp: Result}} Results */
/** @typedef {import("./text.js").Key} Key */

/**
 * The first thing that is in the way: what comes after it could not be tested, or would fail because of it.
 * @param {Results} results @param {string} status of the SDK
 * @returns {{found: Key, ask: Key}}
 */
export function judge(results, status) {
  if (results.http !== "good") return { found: "foundHttp", ask: "askHttp" };
  if (status === "MISSING") return { found: "foundSdk", ask: "askSdk" };
  if (results.extension === "bad") return { found: "foundExtension", ask: "askExtension" };
  if (results.agent === "bad") {
    return status === "OUTDATED" ? { found: "foundOld", ask: "askOld" } : { found: "foundAgent", ask: "askAgent" };
  }
  if (results.extension !== "good" || results.agent !== "good") return { found: "foundNothing", ask: "askAgain" };
  if (results.udp === "good") {
    return results.tcp === "good" ? { found: "foundGood", ask: "askNobody" } : { found: "foundTcp", ask: "askTcp" };
  }
  if (results.udp === "bad") {
    return results.tcp === "good" ? { found: "foundUdp", ask: "askUdp" } : { found: "foundBoth", ask: "askBoth" };
  }
  return { found: "foundNothing", ask: "askAgain" };
}
