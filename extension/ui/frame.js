// @ts-check
// The words and icons that a window's HTML leaves to scripts. A script of its own before the window's: it needs two modules, and so the
// window's frame can be painted while all the others are still on their way.

import { drawIcons } from "./dom.js";
import { localize } from "./text.js";

performance.mark("script");
localize();
drawIcons();
