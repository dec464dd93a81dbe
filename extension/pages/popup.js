// @ts-check
// The toolbar button's panel: what runs, and the way to the larger windows.

import { ask } from "../ui/background.js";
import { byId } from "../ui/dom.js";
import * as format from "../ui/format.js";
import { language, localize } from "../ui/text.js";
import { start } from "../ui/transfer-list.js";
import { abilities } from "../ui/transfer-model.js";
import { perform, set } from "../ui/transfer-row.js";

localize();

/** @type {TransferView[]} */
let stoppable = [];

start((model) => {
  const views = [...model.views.values()];
  stoppable = views.filter((view) => abilities(view).stop);
  byId("pause-all").hidden = stoppable.length === 0;
  const running = views.filter(({ status }) => status === "running");
  set(byId("total"), running.length === 0 ? "" : format.rate(running.reduce((sum, { rate_kbps }) => sum + rate_kbps, 0), language));
});

byId("pause-all").addEventListener("click", async () => {
  for (const { uuid } of stoppable) await perform("stop", uuid);
});

for (const page of ["activity", "preferences", "about"]) {
  byId(`open-${page}`).addEventListener("click", async () => {
    await ask("open", { page }).catch(() => {});
    window.close();
  });
}
