// @ts-check
// What is missing on the person's machine, and how to get it, step by step.

import { byId, h } from "../ui/dom.js";
import { t } from "./text.js";

/** @typedef {import("./text.js").Key} Key */

/** @type {Partial<Record<import("./sdk.js").Status, Key>>} */
const STATES = {
  INITIALIZING: "godwitLooking",
  RETRYING: "godwitStarting",
  RUNNING: "godwitReady",
  OUTDATED: "godwitOutdated",
  FAILED: "godwitNoProgram",
  EXTENSION_INSTALL: "godwitNoExtension",
  MISSING: "godwitNoSdk",
};

/** @type {Key} */
const EXTENSION = /firefox/i.test(navigator.userAgent) ? "stepExtensionFirefox" : "stepExtensionChromium";

/** The steps from what is there to what is needed. @type {Partial<Record<import("./sdk.js").Status, Key[]>>} */
const STEPS = {
  EXTENSION_INSTALL: ["stepGet", "stepRun", EXTENSION, "stepReload"],
  FAILED: ["stepGet", "stepRun", "stepReload"],
  OUTDATED: ["stepGet", "stepRunNew", "stepReload"],
};

/**
 * Shows the state, and the steps if something is missing.
 * @param {import("./sdk.js").Status} status @param {string | null} address where Godwit is to be had
 */
export function showStatus(status, address) {
  const state = byId("godwit-state");
  state.hidden = false;
  state.dataset.status = status;
  state.textContent = t(STATES[status] ?? "godwitLooking");
  const panel = byId("install");
  const steps = STEPS[status];
  if (steps === undefined && status !== "MISSING") {
    panel.hidden = true;
    return;
  }
  // What the person has begun to read stays.
  if (!panel.hidden && panel.dataset.status === status) return;
  panel.hidden = false;
  panel.dataset.status = status;
  const title = h("h2", { id: "install-title" }, t(STATES[status] ?? "godwitLooking"));
  if (steps === undefined) {
    panel.replaceChildren(title, h("p", {}, t("noSdkText")));
    return;
  }
  const get = address === null ? h("p", {}, t("getAsk")) : h("p", {}, h("a", { href: address, rel: "noreferrer", target: "_blank" }, t("getLink")));
  const commands = { stepRun: "sh godwit-VERSION-linux-x86_64.sh", stepRunNew: "sh godwit-VERSION-linux-x86_64.sh" };
  const items = steps.map((step) => {
    const item = h("li", {}, h("span", {}, t(step)));
    if (step === "stepGet") item.append(get);
    const command = commands[/** @type {keyof typeof commands} */ (step)];
    if (command) item.append(h("pre", {}, h("code", {}, command)));
    return item;
  });
  const again = h("button", { type: "button", class: "primary", id: "install-again" }, t("reloadPage"));
  again.addEventListener("click", () => location.reload());
  panel.replaceChildren(title, h("p", {}, t("installWhy")), h("ol", {}, ...items), h("div", { class: "ends" }, again));
}
