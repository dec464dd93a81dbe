// @ts-check
// The sites the user decided about, each to be forgotten with one button.

import { ask, begin, on } from "../ui/background.js";
import { byId, h, ready } from "../ui/dom.js";
import { localize, t } from "../ui/text.js";

localize();
begin(refresh);

on("fragment", (section) => document.getElementById(String(section))?.scrollIntoView());

async function refresh() {
  try {
    const { trusted, restricted } = /** @type {TrustView} */ (await ask("ui.trust"));
    fill("trusted", trusted);
    fill("restricted", restricted);
    byId("error").textContent = "";
  } catch (error) {
    byId("error").textContent = error instanceof Error ? error.message : String(error);
  }
  ready();
}

/** @param {string} id @param {string[]} patterns */
function fill(id, patterns) {
  byId(id).replaceChildren(
    ...patterns.map((pattern) =>
      h(
        "li",
        { "data-pattern": pattern },
        h("span", {}, pattern),
        h("button", { type: "button", class: "forget", "aria-label": t("forgetLabel", pattern), onclick: () => void forget(pattern) }, t("forget")),
      ),
    ),
  );
  byId(`${id}-empty`).hidden = patterns.length > 0;
}

/** @param {string} pattern */
async function forget(pattern) {
  try {
    await ask("ui.forget-trust", { pattern });
  } catch (error) {
    byId("error").textContent = error instanceof Error ? error.message : String(error);
    return;
  }
  await refresh();
}
