// @ts-check
// The files of the server: where one is, what is there, and what can be done with it.

import { byId, h } from "../ui/dom.js";
import * as format from "../ui/format.js";
import * as api from "./api.js";
import { askName, askSure } from "./ask.js";
import { Grid } from "./grid.js";
import { Listing } from "./listing.js";
import { decrypting } from "./protection.js";
import { share } from "./share.js";
import { counted, language, t } from "./text.js";
import { hashOf, join, parent, steps } from "./where.js";

/** @typedef {import("./sdk.js").Godwit} Godwit */

/** Entries that are named in one transfer; a folder is one entry, whatever it holds. */
const MAX_NAMED = 4096;

export class Files {
  /** @param {Godwit} godwit @param {(error: unknown) => void} complain */
  constructor(godwit, complain) {
    this.godwit = godwit;
    this.complain = complain;
    this.path = "/";
    this.sort = "type";
    this.shareSeconds = 0;
    /** Whether the server takes encrypted files only. */
    this.encryptedOnly = false;
    /** What one may do in the folder that is shown. @type {Set<string>} */
    this.rights = new Set();
    /** @type {Listing | undefined} */
    this.listing = undefined;
    /** Counts the folders shown: a late answer belongs to an older one. */
    this.visit = 0;
    this.grid = new Grid(byId("scroller"), byId("rows"), {
      changed: () => this.buttons(),
      opened: (entry) => entry.type === "directory" && this.go(entry.path),
      up: () => this.path !== "/" && this.go(parent(this.path)),
      remove: () => this.#act(() => this.#delete()),
      rename: () => this.#act(() => this.#rename()),
    });
    const on = (/** @type {string} */ id, /** @type {() => Promise<unknown>} */ act) => byId(id).addEventListener("click", () => this.#act(act));
    on("upload-files", () => this.#upload("files"));
    on("upload-folder", () => this.#upload("folders"));
    on("new-folder", () => this.#newFolder());
    on("download", () => this.#download());
    on("share", () => this.#share());
    on("rename", () => this.#rename());
    on("delete", () => this.#delete());
    on("refresh", () => this.reload());
    for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-sort]"))) {
      button.addEventListener("click", () => this.#act(() => this.#sortBy(button.dataset.sort ?? "type")));
    }
    byId("crumbs").addEventListener("click", (event) => {
      const path = /** @type {HTMLElement} */ (event.target).closest("[data-path]")?.getAttribute("data-path");
      if (path) this.go(path);
    });
  }

  /** Goes to a folder by the page's address, so that "back" leads back. @param {string} path */
  go(path) {
    const hash = hashOf(path);
    if (location.hash === hash) this.#act(() => this.reload());
    else location.hash = hash;
  }

  /** Shows a folder. @param {string} path @param {string} [select] name to choose there */
  async show(path, select) {
    const visit = ++this.visit;
    const moved = path !== this.path;
    const hadFocus = byId("rows").contains(document.activeElement);
    this.path = path;
    this.#crumbs();
    byId("scroller").setAttribute("aria-busy", "true");
    this.listing?.end();
    let first = true;
    const listing = new Listing(
      async (skip, count) => {
        const answer = await api.browse(path, skip, count, this.sort);
        if (answer.items === undefined) throw new api.Refused(400, "not_a_folder", t("notAFolder"));
        if (visit === this.visit) this.rights = new Set(answer.self.permissions.map(({ name }) => name));
        return answer;
      },
      () => {
        if (visit !== this.visit) return;
        if (!first) this.grid.refresh();
        this.#count();
      },
      this.complain,
    );
    try {
      await listing.start();
    } catch (error) {
      if (visit !== this.visit) return;
      byId("scroller").removeAttribute("aria-busy");
      // Whoever may only upload sees nothing, and may yet upload.
      this.rights = new Set(error instanceof api.Refused && error.reason === "permission_denied" ? ["edit"] : []);
      listing.total = 0;
      this.listing = listing;
      this.grid.fill(listing);
      this.#count(error);
      return;
    }
    if (visit !== this.visit) return;
    first = false;
    const [before, kept] = [this.grid.scroller.scrollTop, this.grid.kept()];
    this.listing = listing;
    this.grid.fill(listing);
    if (!moved) {
      this.grid.scroller.scrollTop = before;
      this.grid.restore(kept);
    }
    if (select !== undefined) this.grid.choose(select);
    byId("scroller").removeAttribute("aria-busy");
    document.body.dataset.path = path;
    this.#count();
    if (hadFocus || select !== undefined) this.grid.focus();
  }

  reload(/** @type {string | undefined} */ select = undefined) {
    return this.show(this.path, select);
  }

  /** What can be done now. */
  buttons() {
    const chosen = this.grid.chosen.size;
    const running = this.godwit.status === "RUNNING";
    const can = (/** @type {string} */ right) => this.rights.has(right);
    const enabled = {
      "upload-files": running && can("edit"),
      "upload-folder": running && can("edit"),
      "new-folder": can("edit"),
      download: running && can("view") && chosen > 0,
      share: can("view") && chosen > 0 && chosen <= 100 && this.shareSeconds > 0,
      rename: can("edit") && chosen === 1,
      delete: can("delete") && chosen > 0,
    };
    for (const [id, on] of Object.entries(enabled)) /** @type {HTMLButtonElement} */ (byId(id)).disabled = !on;
    byId("drop").classList.toggle("takes", enabled["upload-files"]);
    if (this.listing) this.#count();
  }

  /** Files that were chosen or dropped go up into the folder that is shown. @param {string[]} sources */
  async send(sources) {
    if (sources.length === 0) return;
    const spec = await api.uploadSpec(this.path);
    await this.godwit.start({ ...spec, paths: sources.map((source) => ({ source })) });
  }

  /** Runs something; what goes wrong is said. @param {() => Promise<unknown>} act */
  #act(act) {
    byId("message").hidden = true;
    return act().catch(this.complain);
  }

  #crumbs() {
    const all = [{ name: t("root"), path: "/" }, ...steps(this.path)];
    const parts = all.flatMap(({ name, path }, index) => {
      const last = index === all.length - 1;
      const button = h("button", { type: "button", class: "quiet", "data-path": path, "aria-current": last ? "page" : null }, name);
      return index === 0 ? [button] : [h("span", { class: "muted", "aria-hidden": "true" }, "›"), button];
    });
    byId("crumbs").replaceChildren(...parts);
  }

  /** @param {unknown} [error] */
  #count(error) {
    const total = this.listing?.total ?? 0;
    const chosen = this.grid.chosen.size;
    const number = (/** @type {number} */ count) => format.number(count, language);
    byId("count").textContent =
      chosen > 0 ? t("chosenOf", number(chosen), number(total)) : counted(total, "entryOne", "entryMany", number(total));
    const empty = byId("empty");
    empty.hidden = total > 0;
    byId("rows").hidden = total === 0;
    if (error !== undefined || total > 0 || this.listing === undefined) {
      empty.textContent = error instanceof Error ? sentence(error) : "";
    } else {
      empty.textContent = t(this.rights.has("view") ? "folderEmpty" : "folderHidden");
    }
  }

  /** @param {string} by */
  #sortBy(by) {
    // Names: folders before files; the other way round by name alone, as the server knows no other way.
    const turned = by === "type" ? "-path" : `-${by}`;
    this.sort = this.sort === by ? turned : by;
    for (const button of document.querySelectorAll("[data-sort]")) {
      const own = button.getAttribute("data-sort") === by;
      button.setAttribute("aria-pressed", String(own));
      button.classList.toggle("down", own && this.sort.startsWith("-"));
    }
    byId("spoken").textContent = t(this.sort.startsWith("-") ? "sortedDown" : "sortedUp");
    this.grid.scroller.scrollTop = 0;
    return this.reload();
  }

  async #chosen() {
    return (await this.listing?.entries(this.grid.chosen)) ?? [];
  }

  /** @param {"files" | "folders"} what */
  async #upload(what) {
    await this.send(await this.godwit.choose(what, t("uploadTo", this.path)));
  }

  async #download() {
    const entries = await this.#chosen();
    if (entries.length === 0) return;
    if (entries.length > MAX_NAMED) throw new Error(t("tooMany", format.number(MAX_NAMED, language)));
    const [target] = await this.godwit.choose("target", t("saveTo"));
    if (target === undefined) return;
    const plain = await api.downloadSpec(entries.map((entry) => entry.path));
    const spec = decrypting(plain, entries.map(({ basename: name, type }) => ({ name, type })), this.encryptedOnly);
    await this.godwit.start({ ...spec, destination_root: target, create_dir: true }, { use_absolute_destination_path: true });
  }

  async #newFolder() {
    const name = await askName(t("newFolderTitle"), t("name"), "", t("make"));
    if (name === null) return;
    const [error] = await api.bulk("/files/create", [{ type: "directory", path: join(this.path, name) }]);
    if (error) throw error;
    await this.reload(name);
  }

  async #rename() {
    const [entry] = await this.#chosen();
    if (entry === undefined || this.grid.chosen.size !== 1) return;
    const name = await askName(t("renameTitle", entry.basename), t("newName"), entry.basename, t("renameNow"));
    if (name === null || name === entry.basename) return this.grid.focus();
    const [error] = await api.bulk("/files/rename", [{ path: this.path, source: entry.basename, destination: name }]);
    if (error) throw error;
    await this.reload(name);
  }

  async #delete() {
    const entries = await this.#chosen();
    if (entries.length === 0 || !this.rights.has("delete")) return;
    const text = t(entries.some((entry) => entry.type === "directory") ? "deleteFoldersText" : "deleteText");
    const title = counted(entries.length, "deleteOne", "deleteMany", format.number(entries.length, language));
    if (!(await askSure(title, text, entries.map((entry) => entry.basename), t("deleteNow")))) return this.grid.focus();
    const errors = await api.bulk("/files/delete", entries.map((entry) => ({ path: entry.path })));
    await this.reload();
    byId("spoken").textContent = t("deleted");
    this.grid.focus();
    if (errors[0]) throw errors[0];
  }

  async #share() {
    await share(await this.#chosen(), this.shareSeconds);
  }
}

/** What an error says to people. @param {Error} error */
export function sentence(error) {
  if (error instanceof api.Refused && error.reason === "unreachable") return t("unreachable");
  if (error instanceof api.Refused && error.reason === "not_found") return t("notThere");
  return error.message || t("didNotWork");
}
