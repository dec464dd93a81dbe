// @ts-check
// Versions of the parts, how they found each other, and a report of it to copy.

import { ask, begin, on } from "../ui/background.js";
import { showConnection } from "../ui/connection.js";
import { diagnosis, notices, reportOf } from "../ui/diagnostics.js";
import { byId, drawIcons, h, ready } from "../ui/dom.js";
import { refusalText } from "../ui/errors.js";
import { offerServerTest, testReport } from "../ui/server-test.js";
import * as format from "../ui/format.js";
import { language, localize, t } from "../ui/text.js";

localize();
drawIcons();

/** @type {import("../ui/diagnostics.js").Known} */
let known = { extension: "", api: "", browser: navigator.userAgent, state: { phase: "idle", reason: null }, status: null };

offerServerTest();
begin(refresh);
on("state", (state) => {
  showConnection(state);
  const changed = state.phase !== known.state.phase;
  known = { ...known, state };
  if (changed && state.phase === "ready") void refresh();
});
byId("refresh").addEventListener("click", () => void refresh());
byId("copy-report").addEventListener("click", async () => {
  await navigator.clipboard.writeText(reportOf(known, testReport()));
  byId("copied").textContent = t("copied");
});
// A page wanted a newer version than this one.
byId("update").hidden = location.hash !== "#update";
on("fragment", (fragment) => (byId("update").hidden = fragment !== "update"));

async function refresh() {
  byId("copied").textContent = "";
  try {
    const { extension, api } = await ask("versions");
    known = { ...known, extension, api };
    const status = /** @type {AgentStatus} */ (await ask("ui.status"));
    known = { ...known, status };
    byId("error").textContent = "";
  } catch (error) {
    known = { ...known, status: null };
    byId("error").textContent = refusalText(error);
  }
  known = { ...known, state: await ask("state").catch(() => known.state) };
  showConnection(known.state);
  show();
  ready();
}

function show() {
  const { status } = known;
  byId("version-extension").textContent = known.extension;
  byId("version-api").textContent = known.api;
  byId("version-host").textContent = status?.more?.host?.version ?? t("agentNotReached");
  byId("version-agent").textContent = status?.version ?? t("agentNotReached");
  const time = (/** @type {number} */ seconds) => format.duration(seconds, language);
  byId("diagnostics").replaceChildren(...diagnosis(known, t, time).flatMap(([key, text]) => [h("dt", {}, t(key)), h("dd", { "data-fact": key }, text)]));
  byId("notices").replaceChildren(...notices(status, t).map((notice) => h("li", {}, notice)));
}
