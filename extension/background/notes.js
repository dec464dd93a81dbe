// @ts-check
// What a note about ended transfers says. Pure.

import { failureText } from "../ui/report.js";

/**
 * @param {TransferView[]} views
 * @param {(key: string, substitutions?: string[]) => string} text
 * @param {string} language of the browser's own windows
 * @returns {{title: string, message: string}}
 */
export function summary(views, text, language) {
  const failed = views.filter(({ status }) => status === "failed");
  const done = views.length - failed.length;
  const [one] = views;
  if (views.length === 1 && one !== undefined) {
    const failure = one.status === "failed";
    const why = one.error === null ? "" : failureText(one.error, text, language);
    const message = failure ? why : text(one.direction === "send" ? "notifySent" : "notifyReceived", [one.remote_host]);
    return { title: text(failure ? "notifyFailedOne" : "notifyDoneOne", [one.title]), message };
  }
  const parts = [done > 0 ? text("notifyDoneMany", [String(done)]) : "", failed.length > 0 ? text("notifyFailedMany", [String(failed.length)]) : ""];
  const names = views.map(({ title }) => title);
  const more = names.length > 3 ? `, … (+${names.length - 3})` : "";
  return { title: parts.filter((part) => part !== "").join(" "), message: `${names.slice(0, 3).join(", ")}${more}` };
}
