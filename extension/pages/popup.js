// @ts-check
// The toolbar button's panel: the list, and the way to the larger windows.

import { ask } from "../ui/background.js";
import { byId } from "../ui/dom.js";
import { localize } from "../ui/text.js";
import { start } from "../ui/transfer-list.js";

localize();
start();

for (const page of ["activity", "preferences", "about"]) {
  byId(`open-${page}`).addEventListener("click", async () => {
    await ask("open", { page }).catch(() => {});
    window.close();
  });
}
