// @ts-check
// What the windows with the list say when the agent cannot be reached: what is wrong and exactly what to do.

import { ask } from "./background.js";
import { byId, h } from "./dom.js";
import { t } from "./text.js";

/** @typedef {{phase: string, reason: {kind: string, text: string} | null}} State */

const FIREFOX = chrome.runtime.getURL("").startsWith("moz-extension:");

/** What to do, in steps; a step may be a command to copy. @type {Record<string, () => (string | {command: string})[]>} */
const STEPS = {
  missing: () => [t("missingStepInstall"), t("missingStepRegister"), { command: `godwit register --browser ${browser()}` }, sandboxStep()],
  forbidden: () => [t("forbiddenStep"), { command: `godwit register --browser ${browser()}` }],
  disabled: () => [t("disabledStep")],
  broken: () => [t("brokenStep"), { command: "godwit doctor" }],
  version: () => [t("versionStep")],
  stopped: () => [t("stoppedStep"), { command: "godwit doctor" }],
};

const browser = () => (FIREFOX ? "firefox" : "chromium");
const sandboxStep = () => (FIREFOX ? t("missingStepSandboxFirefox") : t("missingStepSandboxChromium"));

/**
 * Shows or hides `#agent-missing`.
 * @param {State} state
 * @returns {boolean} true if the agent cannot be reached
 */
export function showConnection({ phase, reason }) {
  document.body.dataset.connection = phase;
  const panel = byId("agent-missing");
  // While it is being tried again the advice stays, so that the window does not flicker.
  const trouble = reason !== null && phase !== "ready";
  panel.hidden = !trouble;
  if (!trouble) return false;
  if (panel.dataset.kind === reason.kind && panel.dataset.text === reason.text) return true;
  panel.dataset.kind = reason.kind;
  panel.dataset.text = reason.text;
  const steps = (STEPS[reason.kind] ?? STEPS.stopped)?.() ?? [];
  panel.replaceChildren(
    h("h2", {}, t(`${titleOf(reason.kind)}`)),
    h("ol", {}, ...steps.map((step) => h("li", {}, typeof step === "string" ? step : h("code", {}, step.command)))),
    h("button", { id: "retry", type: "button", class: "primary", onclick: () => void ask("retry").catch(() => {}) }, t("retry")),
    h("p", { class: "muted" }, `${t("browserSays")} `, h("q", { id: "agent-missing-reason" }, reason.text)),
  );
  return true;
}

/** @param {string} kind */
function titleOf(kind) {
  switch (kind) {
    case "missing":
      return "missingTitle";
    case "forbidden":
      return "forbiddenTitle";
    case "disabled":
      return "disabledTitle";
    case "version":
      return "versionTitle";
    case "broken":
      return "brokenTitle";
    default:
      return "stoppedTitle";
  }
}
