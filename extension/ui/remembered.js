// @ts-check
// What Godwit remembers of servers: certificates that were confirmed and passwords that were saved, each to be forgotten.

import { Refused, ask } from "./background.js";
import { h, icon } from "./dom.js";
import { refusalText } from "./errors.js";
import * as format from "./format.js";
import { language, t } from "./text.js";

/**
 * A list with a button for each entry.
 * @template T
 */
class Remembered {
  /**
   * @param {HTMLElement} parent
   * @param {{id: string, title: string, text: string, none: string, load: () => Promise<T[]>, name: (entry: T) => string,
   *   more: (entry: T) => string, note?: () => string, remedy?: {text: string, wanted: () => boolean, act: () => Promise<unknown>}, forget: (entry: T) => Promise<unknown>}} what
   */
  constructor(parent, what) {
    this.what = what;
    this.items = h("ul", { id: what.id, class: "sites", "aria-labelledby": `${what.id}-title` });
    this.empty = h("p", { class: "muted none", hidden: true }, t(what.none));
    this.error = h("p", { class: "field-error", role: "alert" });
    this.note = h("p", { class: "muted small" });
    this.remedy = h("button", { type: "button", hidden: true, onclick: () => void this.#mend() }, what.remedy ? t(what.remedy.text) : "");
    const title = h("h3", { id: `${what.id}-title` }, t(what.title));
    this.element = h("div", { class: "group" }, title, h("p", { class: "muted" }, t(what.text)), this.items, this.empty, this.note, this.remedy, this.error);
    parent.append(this.element);
  }

  async refresh() {
    const { what } = this;
    try {
      const entries = await what.load();
      this.items.replaceChildren(...entries.map((entry) => this.#item(entry)));
      this.empty.hidden = entries.length > 0;
      this.items.hidden = entries.length === 0;
      this.note.textContent = what.note?.() ?? "";
      this.remedy.hidden = !what.remedy?.wanted();
      this.error.textContent = "";
      this.element.hidden = false;
    } catch (error) {
      // An application older than this window keeps no such list.
      if (error instanceof Refused && error.code === "unknown-kind") this.element.hidden = true;
      else this.error.textContent = refusalText(error);
    }
  }

  async #mend() {
    this.error.textContent = "";
    this.remedy.disabled = true;
    try {
      await this.what.remedy?.act();
      await this.refresh();
    } catch (error) {
      this.error.textContent = refusalText(error);
    }
    this.remedy.disabled = false;
  }

  /** @param {T} entry */
  #item(entry) {
    const { name, more, forget } = this.what;
    const act = async () => {
      try {
        await forget(entry);
      } catch (error) {
        this.error.textContent = refusalText(error);
        return;
      }
      await this.refresh();
    };
    const label = name(entry);
    return h(
      "li",
      { "data-name": label },
      h("div", { class: "two-lines" }, h("span", {}, label), h("span", { class: "muted small" }, more(entry))),
      h("button", { type: "button", class: "quiet forget", "aria-label": t("forgetEntry", label), onclick: () => void act() }, icon("remove"), t("forget")),
    );
  }
}

/** @param {HTMLElement} parent @returns {() => Promise<void>} brings both lists up to date */
export function remembered(parent) {
  const servers = new Remembered(parent, {
    id: "servers",
    title: "serversTitle",
    text: "serversText",
    none: "serversNone",
    load: async () => /** @type {KnownServer[]} */ ((await ask("ui.known-servers")).servers),
    name: ({ server }) => server,
    more: ({ fingerprint }) => fingerprint,
    forget: ({ server }) => ask("ui.forget-server", { server }),
  });
  let key = "file";
  let away = false;
  const passwords = new Remembered(parent, {
    id: "passwords",
    title: "passwordsTitle",
    text: "passwordsText",
    none: "passwordsNone",
    load: async () => {
      const found = await ask("ui.passwords");
      key = String(found.key ?? "file");
      away = found.away !== undefined && found.away !== null;
      return /** @type {SavedPassword[]} */ (found.passwords);
    },
    note: () => t(key === "desktop" ? "passwordsKeyDesktop" : "passwordsKeyFile"),
    // The desktop's own window asks for the key ring's password.
    remedy: { text: "passwordsUnlock", wanted: () => away, act: () => ask("ui.unlock-keys") },
    name: ({ user, server }) => (user === "" ? server : `${user} @ ${server}`),
    more: ({ saved_at }) => format.date(saved_at, language),
    forget: ({ id }) => ask("ui.forget-password", { id }),
  });
  return async () => {
    await servers.refresh();
    await passwords.refresh();
  };
}
