// @ts-check
// The guide as a page of its own: `versions.js` and the extension for Firefox, if there are any, lie beside it.

import { guide } from "./guide.js";
import { language } from "./words.js";

document.documentElement.lang = language(navigator.languages);
const xpi = document.documentElement.dataset.xpi;
guide(/** @type {HTMLElement} */ (document.querySelector("#install")), { sdkLocation: ".", ...(xpi ? { xpi } : {}) });
