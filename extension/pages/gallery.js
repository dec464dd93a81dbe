// @ts-check
// Every part of the windows on one page, for those who build them and for pictures. Asks nobody; `#rtl` mirrors it.

import { h, icon, ready } from "../ui/dom.js";
import { ICONS } from "../ui/icons.js";
import { SETTINGS } from "../ui/settings-catalog.js";
import { SettingRow } from "../ui/setting-row.js";
import { localize, t } from "../ui/text.js";
import { STATES } from "../ui/transfer-model.js";
import { ACTIONS, makeRow } from "../ui/transfer-row.js";

localize();
if (location.hash === "#rtl") document.documentElement.dir = "rtl";

const COLOURS = ["ground", "surface", "raised", "text", "muted", "line", "strong-line", "accent", "chosen", "danger", "warn", "warn-ground"];

/** @param {string} title @param {...HTMLElement} parts */
const part = (title, ...parts) => document.getElementById("content")?.append(h("section", {}, h("h2", {}, title), ...parts));
const sample = (/** @type {Node[]} */ ...nodes) => h("div", { class: "sample" }, ...nodes);

part(
  "Colours",
  h(
    "div",
    { class: "swatches" },
    ...COLOURS.map((name) => {
      const swatch = h("div", { class: "swatch" }, h("span", {}, name));
      swatch.style.background = `var(--${name})`;
      return swatch;
    }),
  ),
);
part("Icons", sample(...Object.keys(ICONS).map(icon)));
part(
  "Buttons",
  sample(
    h("button", { type: "button", class: "primary" }, "Primary"),
    h("button", { type: "button" }, "Plain"),
    h("button", { type: "button", class: "quiet" }, "Quiet"),
    h("button", { type: "button", class: "danger" }, "Danger"),
    h("button", { type: "button", disabled: true }, "Disabled"),
  ),
  h("div", { class: "segments", role: "radiogroup", "aria-label": "Segments" }, ...["One", "Two", "Three"].map((text, i) => h("button", { type: "button", role: "radio", "aria-checked": String(i === 1) }, text))),
);
part(
  "Fields",
  sample(
    h("input", { class: "field", type: "text", "aria-label": "Text", value: "Text" }),
    h("input", { class: "field", type: "text", "aria-label": "Invalid", "aria-invalid": "true", value: "Invalid" }),
    h("select", { class: "field", "aria-label": "Choice" }, h("option", {}, "Choice")),
    h("input", { class: "switch", type: "checkbox", "aria-label": "On", checked: true }),
    h("input", { class: "switch", type: "checkbox", "aria-label": "Off" }),
    h("input", { class: "switch", type: "checkbox", "aria-label": "Locked", checked: true, disabled: true }),
  ),
  h("p", { class: "field-error" }, t("ruleNumber")),
);
part("Progress", h("progress", { max: 1, value: 0.6, "aria-label": "Six tenths" }), h("progress", { "aria-label": "Unknown" }));

/** @param {string} status @param {number} n @returns {TransferView} */
const view = (status, n) => ({
  uuid: `gallery-${n}`,
  title: `Reel 0${n}, take 3.mov`,
  direction: n % 2 ? "send" : "receive",
  origin: "https://app.example.com",
  remote_host: "server.example.com",
  status,
  bytes_expected: 5e9,
  bytes_written: n * 6e8,
  rate_kbps: 940_000,
  seconds_left: 32,
  files_expected: n,
  files_completed: 1,
  files_failed: 0,
  current_file: "",
  folder: "/home/me",
  error: status === "failed" ? { code: 25, message: "There is no space left on the target disk. Free some space, then resume: nothing is lost." } : null,
  attempts: 1,
  added_ms: 1_750_000_000_000,
});
part("Rows", h("ul", { class: "rows" }, ...Object.keys(STATES).map((status, n) => makeRow(view(status, n + 1), "listitem").element)));

part(
  "Settings",
  ...["queue.enabled", "queue.active", "bandwidth.manual_downloads_kbps", "retry.interval_seconds", "log.level", "downloads.folder"].map((name, i) => {
    const setting = SETTINGS.find((each) => each.name === name);
    if (setting === undefined) throw new Error(name);
    const row = new SettingRow(setting, async () => {
      throw new Error("This is only a picture.");
    });
    row.show([true, 3, 20_000, 30, "info", null][i] ?? null);
    row.standing(i === 1 ? 5 : ([true, 3, 20_000, 30, "info", null][i] ?? null), i === 4, false);
    return row.element;
  }),
);
part("Trouble", h("section", { class: "trouble" }, h("h3", {}, t("missingTitle")), h("p", {}, t("missingStepInstall")), h("span", { class: "command" }, h("code", {}, "godwit register"))));
part("Empty", h("div", { class: "empty" }, h("img", { src: "../icons/godwit.svg", alt: "", width: 48, height: 48 }), h("p", {}, t("emptyTitle")), h("p", { class: "muted" }, t("emptyText"))));
part("Menu", h("div", { class: "menu", role: "menu", "aria-label": "Menu" }, ...ACTIONS.map(([, picture, key]) => h("button", { type: "button", role: "menuitem" }, icon(picture), t(key)))));
part("Dialog", h("dialog", { open: true, "aria-label": "Dialog" }, h("p", {}, t("replaceQuestion", "Reel.mov")), h("div", { class: "ends" }, h("button", { type: "button" }, t("cancel")), h("button", { type: "button", class: "danger" }, t("replace")))));
ready();
