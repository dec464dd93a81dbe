// @ts-check
// What the windows with the list say when the agent cannot be reached: what is wrong and exactly what to do.

import { ask } from "./background.js";
import { byId, h, icon } from "./dom.js";
import { t } from "./text.js";

/** @typedef {{phase: string, reason: {kind: string, text: string} | null}} State */

const FIREFOX = chrome.runtime.getURL("").startsWith("moz-extension:");

/** What to do, in steps; a step may end with a command to copy. @type {Record<string, () => [string, string?][]>} */
const STEPS = {
  missing: () => [[t("missingStepInstall")], [t("missingStepRegister"), register()]],
  forbidden: () => [[t("forbiddenStep"), register()]],
  disabled: () => [[t("disabledStep")]],
  broken: () => [[t("brokenStep"), register()]],
  version: () => [[t("versionStep")]],
  stopped: () => [[t("stoppedStep"), "godwit status"]],
};

/** Where browsers of the Chromium family keep their profiles on Linux. @type {Record<string, string>} */
const FOLDERS = {
  "Google Chrome": "google-chrome",
  "Microsoft Edge": "microsoft-edge",
  Brave: "BraveSoftware/Brave-Browser",
  Vivaldi: "vivaldi",
  Opera: "opera",
};

function register() {
  if (FIREFOX) return "godwit register --browser firefox --dir ~";
  const { brands = [] } = /** @type {{userAgentData?: {brands: {brand: string}[]}}} */ (navigator).userAgentData ?? {};
  const folder = brands.map(({ brand }) => FOLDERS[brand]).find((name) => name !== undefined) ?? "chromium";
  return `godwit register --browser chromium --dir ~/.config/${folder}`;
}

/** @type {Record<string, string>} */
const TITLES = {
  missing: "missingTitle",
  forbidden: "forbiddenTitle",
  disabled: "disabledTitle",
  broken: "brokenTitle",
  version: "versionTitle",
  stopped: "stoppedTitle",
};

/** Browsers in a sandbox find nothing without a step of their own; which kind this is, no page can see. */
function sandboxes() {
  const part = (/** @type {string} */ title, /** @type {string} */ text, /** @type {string | undefined} */ command) =>
    h("details", { class: "sandbox" }, h("summary", {}, t(title)), h("p", {}, t(text)), command === undefined ? null : commandLine(command));
  return FIREFOX
    ? [part("sandboxSnap", "sandboxSnapFirefox", "flatpak permission-set webextensions io.godwit.host snap.firefox yes"), part("sandboxFlatpak", "sandboxFlatpakFirefox", undefined)]
    : [part("sandboxSnap", "sandboxSnapChromium", undefined), part("sandboxFlatpak", "sandboxFlatpakChromium", undefined)];
}

/** A command with a button that copies it. @param {string} command */
function commandLine(command) {
  const copied = h("span", { role: "status", class: "muted" });
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    copied.textContent = t("copied");
  };
  return h(
    "span",
    { class: "command" },
    // Options must not be broken at their hyphens.
    h("code", {}, ...command.split(/( )/u).map((word) => (word === " " ? word : h("span", { class: "word" }, word)))),
    h("button", { type: "button", class: "quiet", title: t("copyCommand"), "aria-label": t("copyCommand"), onclick: () => void copy() }, icon("copy")),
    copied,
  );
}

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
  /** @type {HTMLElement[]} */
  const parts = [
    h("h2", {}, t(TITLES[reason.kind] ?? "stoppedTitle")),
    h("ol", {}, ...steps.map(([text, command]) => h("li", {}, text, command === undefined ? null : commandLine(command)))),
    h("button", { id: "retry", type: "button", class: "primary", onclick: () => void ask("retry").catch(() => {}) }, t("retry")),
  ];
  if (reason.kind === "missing") parts.splice(2, 0, ...sandboxes());
  if (reason.text !== "") parts.push(h("p", { class: "muted" }, `${t("browserSays")} `, h("q", { id: "agent-missing-reason" }, reason.text)));
  panel.replaceChildren(...parts);
  return true;
}
