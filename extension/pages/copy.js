// @ts-check
// "What you dropped is no file of this computer: send a copy of it?" Shows how far the copy is. Closing means no.

import { ask, on } from "../ui/background.js";
import { byId, h, ready } from "../ui/dom.js";
import { refusalText } from "../ui/errors.js";
import { bytes } from "../ui/format.js";
import { armLater, decide, question, showOrigin } from "../ui/prompt.js";
import { language, localize, t } from "../ui/text.js";

const allow = /** @type {HTMLButtonElement} */ (byId("allow"));
const progress = /** @type {HTMLProgressElement} */ (byId("progress"));
let total = 0;

localize();

allow.addEventListener("click", () => void copy());
byId("deny").addEventListener("click", () => void decide({ decision: "cancel" }));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") void decide({ decision: "cancel" });
});

on("copied", (data) => show(data.bytes));

/** The background closes the window when all is there. */
async function copy() {
  allow.disabled = true;
  progress.hidden = false;
  byId("state").className = "";
  show(0);
  try {
    await ask("copy");
  } catch (error) {
    progress.hidden = true;
    byId("state").className = "error";
    byId("state").textContent = t("copyFailed", refusalText(error));
  }
}

/** @param {number} done */
function show(done) {
  progress.value = done;
  byId("state").textContent = t("copyProgress", bytes(done, language), bytes(total, language));
}

question((prompt) => {
  const names = prompt.names ?? [];
  const sizes = prompt.sizes ?? [];
  const limit = prompt.limit ?? 0;
  total = sizes.reduce((sum, size) => sum + size, 0);
  // An empty file is no progress; 0 of 0 would be a bar that never ends.
  progress.max = Math.max(1, total);
  const tooLarge = total > limit;
  showOrigin(byId("origin"), prompt);
  byId("question").textContent = t(tooLarge ? "copyTooLarge" : "copyQuestion");
  byId("why").textContent = tooLarge ? t("copyLimit", bytes(total, language), bytes(limit, language)) : t("copyWhy", bytes(total, language));
  const line = (/** @type {string} */ name, /** @type {number} */ i) => t("copyNameSize", name, bytes(sizes[i] ?? 0, language));
  byId("paths").replaceChildren(...names.map((name, i) => h("li", { "data-name": name }, line(name, i))));
  byId("more").hidden = sizes.length <= names.length;
  byId("more").textContent = t("dropMore", String(sizes.length - names.length));
  allow.hidden = tooLarge;
  armLater([allow]);
  byId("deny").focus();
  ready();
});
