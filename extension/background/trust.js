// @ts-check
// The agent's lists, for the early no to restricted sites. Empty until the agent has spoken: then it decides alone.

import * as agent from "./agent.js";

/** @type {TrustView} */
let lists = { trusted: [], restricted: [] };

agent.onEvent("trust", (data) => {
  if (Array.isArray(data?.trusted) && Array.isArray(data?.restricted)) lists = data;
});

/** @returns {TrustView} */
export const view = () => lists;
