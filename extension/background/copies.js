// @ts-check
// Content that was dropped on a page and is no file of this machine: from the document's relay to the agent, piece by piece, after
// the user has agreed.

import * as agent from "./agent.js";
import * as pages from "./pages.js";
import * as prompts from "./prompts.js";

/** Bytes of one piece; the agent takes no larger ones (protocol/src/ui.rs). */
const PIECE = 512 * 1024;

/**
 * Brings all of it, then gives the page its files.
 * @param {string} id of the question @param {(bytes: number) => void} progress
 */
export async function bring(id, progress) {
  const prompt = prompts.known(id);
  const { call, sizes } = prompt ?? {};
  if (call === undefined || sizes === undefined) throw new agent.AgentError("not-found", "This question needs no answer any more.");
  let bytes = 0;
  for (const [file, size] of sizes.entries()) {
    for (let offset = 0; offset < size || offset === 0; offset += PIECE) {
      const length = Math.min(PIECE, size - offset);
      const data = await pages.readDropped(call, file, offset, length);
      await agent.request("ui.dropped-part", { prompt_id: id, file, offset, data });
      bytes += length;
      progress(bytes);
    }
  }
  await prompts.answer(id, { decision: "allow", remember: false });
}
