// @ts-check
// Settings of the agent, for all browsers of this user; sites, servers and passwords it remembers. Every change holds at once.
// A section's name in the fragment is shown first.

import { ask, begin, on } from "../ui/background.js";
import { showConnection } from "../ui/connection.js";
import { byId, h, ready } from "../ui/dom.js";
import { refusalText } from "../ui/errors.js";
import { HostList } from "../ui/host-list.js";
import { takeFile } from "../ui/import.js";
import { noteText } from "../ui/reasons.js";
import { remembered } from "../ui/remembered.js";
import { ALIASES, SECTIONS, SETTINGS, namesOf, unknown, valueOf } from "../ui/settings-catalog.js";
import { write } from "../ui/settings-file.js";
import { SettingRow } from "../ui/setting-row.js";
import { SiteLists } from "../ui/site-lists.js";
import { localize, t } from "../ui/text.js";

/** @type {Record<string, string>} */
const TITLES = {
  general: "sectionGeneral",
  transfers: "sectionTransfers",
  bandwidth: "sectionBandwidth",
  security: "sectionSecurity",
  advanced: "sectionAdvanced",
};

localize();

/** @type {Map<string, SettingRow | HostList>} */
const rows = new Map();
/** @type {SettingsView | null} */
let settings = null;
/** @type {TrustView} */
let trust = { trusted: [], restricted: [] };
/** The section to show once it is filled. */
let wanted = decodeURIComponent(location.hash.slice(1));

const sites = new SiteLists(byId("security"), refreshTrust);
const refreshRemembered = remembered(byId("security"));

fillSections();
wire();
on("settings", show);
on("trust", (view) => {
  trust = view;
  sites.show(view);
});
on("state", (state) => {
  if (showConnection(state)) ready();
});
on("fragment", (section) => reveal(String(section)));
begin(refresh);

async function refresh() {
  try {
    showConnection(await ask("state"));
    show(await ask("ui.settings"));
    await refreshTrust();
    await refreshRemembered();
    byId("error").textContent = "";
  } catch (error) {
    if (byId("agent-missing").hidden) byId("error").textContent = refusalText(error);
  }
  if (wanted !== "") reveal(wanted);
  wanted = "";
  markSection();
  ready();
}

async function refreshTrust() {
  trust = await ask("ui.trust");
  sites.show(trust);
}

/** @param {SettingsView} view */
function show(view) {
  settings = view;
  for (const name of namesOf(view.values)) {
    const value = valueOf(view.values, name) ?? null;
    const row = rows.get(name) ?? addRow(name, value);
    // What is being typed is not taken away by a change elsewhere.
    if (row.value !== value || !row.element.contains(document.activeElement)) row.show(value);
    const { needs } = row.setting;
    row.standing(valueOf(view.defaults, name) ?? null, view.locked.includes(name), needs !== undefined && valueOf(view.values, needs) === false);
  }
  byId("settings-file").textContent = view.file;
  const problems = byId("problems");
  problems.hidden = view.problems.length === 0;
  const lines = view.notes?.map((note) => noteText(note, t)) ?? view.problems;
  problems.replaceChildren(...lines.map((problem) => h("li", {}, problem)));
}

/** @param {string} name @param {SettingValue} value */
function addRow(name, value) {
  const setting = SETTINGS.find((each) => each.name === name) ?? unknown(name, value);
  const change = async (/** @type {string} */ changed, /** @type {SettingValue} */ wish) => show(await ask("ui.change-settings", { changes: { [changed]: wish } }));
  const row = setting.kind === "hosts" ? new HostList(setting, change) : new SettingRow(setting, change);
  rows.set(name, row);
  // Before the lists and buttons that a section ends with.
  const section = byId(setting.section);
  section.insertBefore(row.element, section.querySelector(":scope > .locked, :scope > .group"));
  return row;
}

function fillSections() {
  for (const section of SECTIONS) {
    byId("sections").append(h("a", { href: `#${section}`, "data-section": section }, t(TITLES[section] ?? "sectionGeneral")));
  }
}

function wire() {
  byId("sections").addEventListener("click", (event) => {
    const section = /** @type {Element} */ (event.target).closest("a")?.dataset.section;
    if (section === undefined) return;
    event.preventDefault();
    reveal(section);
  });
  byId("content").addEventListener("scroll", markSection, { passive: true });
  byId("search").addEventListener("input", search);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "f" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    byId("search").focus();
  });
  byId("export").addEventListener("click", () => {
    if (settings === null) return;
    const url = URL.createObjectURL(new Blob([write(settings, trust)], { type: "application/json" }));
    h("a", { href: url, download: "godwit-settings.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  });
  const file = /** @type {HTMLInputElement} */ (byId("import-file"));
  byId("import").addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    const chosen = file.files?.[0];
    file.value = "";
    if (chosen === undefined || settings === null) return;
    await takeFile(chosen, settings);
    await refresh();
  });
}

/** @param {string} name */
function reveal(name) {
  const section = ALIASES[name] ?? name;
  if (!SECTIONS.includes(section)) return;
  const element = byId(section);
  element.scrollIntoView();
  const heading = element.querySelector("h2");
  if (heading === null) return;
  heading.tabIndex = -1;
  heading.focus({ preventScroll: true });
}

/** Marks the section that is read now. */
function markSection() {
  const content = byId("content");
  const edge = content.getBoundingClientRect().top + 80;
  const end = content.scrollTop + content.clientHeight >= content.scrollHeight - 2;
  const seen = SECTIONS.filter((section) => !byId(section).hidden && byId(section).getBoundingClientRect().top <= edge);
  const now = end && content.scrollTop > 0 ? SECTIONS.findLast((section) => !byId(section).hidden) : (seen.at(-1) ?? SECTIONS[0]);
  for (const link of byId("sections").querySelectorAll("a")) {
    if (link.dataset.section === now) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

/** Shows the rows and groups that hold every word. */
function search() {
  const words = /** @type {HTMLInputElement} */ (byId("search")).value.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== "");
  const fits = (/** @type {string} */ text) => words.every((word) => text.includes(word));
  let any = false;
  for (const row of rows.values()) row.element.hidden = !fits(row.words);
  for (const section of SECTIONS) {
    const element = byId(section);
    for (const group of element.querySelectorAll(".group")) {
      if (group instanceof HTMLElement) group.hidden = !fits((group.textContent ?? "").toLocaleLowerCase());
    }
    element.hidden = ![...element.querySelectorAll(".setting, .group")].some((part) => !(/** @type {HTMLElement} */ (part).hidden));
    any ||= !element.hidden;
  }
  byId("nothing").hidden = any;
  markSection();
}
