// @ts-check
// Takes a file of settings over: says what is in it, asks, changes all settings or none, then the sites.

import { ask } from "./background.js";
import { choose } from "./choice.js";
import { byId } from "./dom.js";
import { refusalText } from "./errors.js";
import * as format from "./format.js";
import { MOST, read, usable } from "./settings-file.js";
import { language, t } from "./text.js";

/** @param {File} file @param {SettingsView} view */
export async function takeFile(file, view) {
  byId("import-error").textContent = "";
  byId("import-result").textContent = "";
  const content = file.size > MOST ? null : read(await file.text());
  if (content === null) {
    byId("import-error").textContent = t("importNotOurs");
    return;
  }
  const { changes, left } = usable(content, view);
  const sites = /** @type {[string, string[]][]} */ (Object.entries(content.sites));
  const count = sites.reduce((sum, [, patterns]) => sum + patterns.length, 0);
  const number = (/** @type {number} */ n) => format.number(n, language);
  const lines = [
    ...Object.entries(changes).map(([name, value]) => `${name} = ${JSON.stringify(value)}`),
    ...sites.flatMap(([list, patterns]) => patterns.map((pattern) => `${list}: ${pattern}`)),
  ];
  const question = t("importQuestion", number(Object.keys(changes).length), number(count));
  const answer = await choose(question, [{ value: "", text: t("cancel") }, { value: "yes", text: t("importTake"), style: "primary" }], lines);
  if (answer !== "yes") return;
  try {
    if (Object.keys(changes).length > 0) await ask("ui.change-settings", { changes });
    // Nothing that runs is stopped by taking lists over.
    for (const [list, patterns] of sites) for (const pattern of patterns) await ask("ui.set-trust", { pattern, list, stop: false });
  } catch (error) {
    byId("import-error").textContent = refusalText(error);
    return;
  }
  byId("import-result").textContent = left.length === 0 ? t("importDone") : t("importLeft", left.join(", "));
}
