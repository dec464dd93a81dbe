// @ts-check
// What a note about ended transfers says. Pure.

/**
 * @param {TransferView[]} views
 * @param {(key: string, substitutions?: string[]) => string} text
 * @returns {{title: string, message: string}}
 */
export function summary(views, text) {
  const failed = views.filter(({ status }) => status === "failed");
  const done = views.length - failed.length;
  const [one] = views;
  if (views.length === 1 && one !== undefined) {
    const failure = one.status === "failed";
    const message = failure ? (one.error?.message ?? "") : text(one.direction === "send" ? "notifySent" : "notifyReceived", [one.remote_host]);
    return { title: text(failure ? "notifyFailedOne" : "notifyDoneOne", [one.title]), message };
  }
  const parts = [done > 0 ? text("notifyDoneMany", [String(done)]) : "", failed.length > 0 ? text("notifyFailedMany", [String(failed.length)]) : ""];
  const names = views.map(({ title }) => title);
  const more = names.length > 3 ? `, … (+${names.length - 3})` : "";
  return { title: parts.filter((part) => part !== "").join(" "), message: `${names.slice(0, 3).join(", ")}${more}` };
}
