// @ts-check
// Links for others: making them, taking them back, and what somebody sees who follows one.

import { byId, h, icon } from "../ui/dom.js";
import * as format from "../ui/format.js";
import * as api from "./api.js";
import { askLife, showCopy, showList } from "./ask.js";
import { decrypting } from "./protection.js";
import { language, t } from "./text.js";

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Makes a link to these paths and shows it. @param {api.Entry[]} entries @param {number} longest seconds */
export async function share(entries, longest) {
  const lives = [HOUR, DAY, 7 * DAY, 30 * DAY, 365 * DAY].filter((seconds) => seconds < longest);
  lives.push(longest);
  const unit = (/** @type {number} */ value, /** @type {string} */ name) =>
    new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "long" }).format(value);
  const choices = lives.map((seconds) => ({ seconds, text: seconds < DAY ? unit(Math.round(seconds / HOUR), "hour") : unit(Math.round(seconds / DAY), "day") }));
  const seconds = await askLife(t("shareNew"), t("shareNewText", entries.map((entry) => entry.basename).join(", ")), choices, t("makeLink"));
  if (seconds === null) return;
  const { token, expires } = await api.call("POST", "/web/shares", { paths: entries.map((entry) => entry.path), seconds });
  const link = `${location.origin}/#share=${token}`;
  await showCopy(t("linkMade"), t("linkUntil", format.date(expires * 1000, language)), link);
}

/** The links that still open something. */
export async function manage() {
  /** @type {{links: {id: string, paths: string[], expires: number}[]}} */
  const { links } = await api.call("GET", "/web/shares");
  const entries = links.map(({ id, paths, expires }) => ({
    text: paths.join(", "),
    note: t("linkUntilShort", format.date(expires * 1000, language)),
    remove: () => api.call("DELETE", `/web/shares/${encodeURIComponent(id)}`),
  }));
  await showList(t("links"), t("noLinks"), entries);
}

/** Shows what a link leads to. @param {string} token @returns {Promise<{spec: any, appId?: string} | undefined>} undefined if it leads nowhere */
export async function open(token) {
  byId("share-items").replaceChildren();
  byId("share-error").textContent = "";
  byId("share-from").textContent = t("loading");
  try {
    const { items, from, expires, transfer_spec, app_id, content_protection_required: required } = await api.call("POST", "/web/shares/open", { token });
    byId("share-from").textContent = t("shareFrom", from, format.date(expires * 1000, language));
    byId("share-items").replaceChildren(
      ...items.map((/** @type {{name: string, type: string, size: number}} */ item) => {
        const folder = item.type === "directory";
        const size = folder ? t("isFolder") : format.bytes(item.size, language);
        return h("li", {}, icon(folder ? "folder" : "file"), h("span", { class: "label" }, item.name), h("span", { class: "muted" }, size));
      }),
    );
    return { spec: decrypting(transfer_spec, items, required), appId: app_id };
  } catch (error) {
    byId("share-from").textContent = "";
    const ended = error instanceof api.Refused && error.status === 410;
    byId("share-error").textContent = t(ended ? "linkEnded" : "linkFailed");
    return undefined;
  }
}
