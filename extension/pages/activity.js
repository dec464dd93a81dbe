// @ts-check
// The list as a window; a transfer's id in the fragment is shown first.

import { on } from "../ui/background.js";
import { localize } from "../ui/text.js";
import { reveal, start } from "../ui/transfer-list.js";

localize();
start();

on("fragment", (uuid) => {
  location.hash = encodeURIComponent(uuid);
  reveal(uuid);
});
