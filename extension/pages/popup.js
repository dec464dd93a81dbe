// @ts-check
// The toolbar button's panel: what runs, slow mode, and the way to the larger windows.

import { ask, on } from "../ui/background.js";
import { byId, drawIcons } from "../ui/dom.js";
import { refusalText } from "../ui/errors.js";
import * as format from "../ui/format.js";
import { valueOf } from "../ui/settings-catalog.js";
import { offerReload } from "../ui/older-page.js";
import { language, localize, t } from "../ui/text.js";
import { start } from "../ui/transfer-list.js";
import { abilities } from "../ui/transfer-model.js";
import { perform, set } from "../ui/transfer-row.js";

/** Remembers that the first steps were read. */
const WELCOMED = "popup-welcomed";

localize();
drawIcons();
void offerReload();

/** @type {TransferView[]} */
let stoppable = [];
/** @type {SettingsView | null} */
let settings = null;

start((model) => {
  const views = [...model.views.values()];
  stoppable = views.filter((view) => abilities(view).stop);
  byId("pause-all").hidden = stoppable.length === 0;
  const running = views.filter(({ status }) => status === "running");
  set(byId("total"), running.length === 0 ? "" : format.rate(running.reduce((sum, { rate_kbps }) => sum + rate_kbps, 0), language));
  // Asked when the agent has answered: it has told the background its settings by then.
  if (settings === null) void ask("settings").then(({ view }) => showSlow(view), () => {});
});
on("settings", showSlow);

/** @param {SettingsView | null} view */
function showSlow(view) {
  settings = view;
  const button = /** @type {HTMLButtonElement} */ (byId("slow"));
  button.hidden = view === null;
  if (view === null) return;
  const slow = valueOf(view.values, "bandwidth.slow_mode") === true;
  button.setAttribute("aria-pressed", String(slow));
  button.disabled = view.locked.includes("bandwidth.slow_mode");
  button.title = button.disabled ? t("lockedByAdministrator") : t("slowModeLabel");
  document.body.classList.toggle("slow-mode", slow);
  const limited = ["downloads", "uploads"].some((way) => Number(valueOf(view.values, `bandwidth.background_${way}_kbps`)) > 0);
  byId("slow-note").hidden = !slow || limited;
}

byId("slow").addEventListener("click", async () => {
  try {
    await ask("slow-mode", { on: byId("slow").getAttribute("aria-pressed") !== "true" });
    byId("notice").textContent = "";
  } catch (error) {
    byId("notice").textContent = refusalText(error);
  }
});

byId("pause-all").addEventListener("click", async () => {
  for (const { uuid } of stoppable) await perform("stop", uuid);
});

if (localStorage.getItem(WELCOMED) === null) document.body.dataset.first = "true";
byId("welcome-done").addEventListener("click", () => {
  localStorage.setItem(WELCOMED, "true");
  delete document.body.dataset.first;
  byId("welcome").hidden = true;
  byId("empty").hidden = false;
  byId("open-activity").focus();
});

for (const [id, page, fragment] of [
  ["open-activity", "activity", ""],
  ["open-preferences", "preferences", ""],
  ["open-about", "about", ""],
  ["slow-limits", "preferences", "bandwidth"],
]) {
  byId(/** @type {string} */ (id)).addEventListener("click", async () => {
    await ask("open", { page, fragment }).catch(() => {});
    window.close();
  });
}
