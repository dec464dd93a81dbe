// @ts-check
// Versions of the parts, and what the agent has to say.

import { ask, begin } from "../ui/background.js";
import { byId, h, ready } from "../ui/dom.js";
import { localize, t } from "../ui/text.js";

localize();

begin(async () => {
  try {
    const { extension, api } = await ask("versions");
    byId("version-extension").textContent = extension;
    byId("version-api").textContent = api;
    const status = /** @type {AgentStatus} */ (await ask("ui.status"));
    byId("version-agent").textContent = status.version;
    byId("home").textContent = status.home;
    byId("notices").replaceChildren(...status.notices.map((notice) => h("li", {}, notice)));
  } catch (error) {
    byId("version-agent").textContent = t("agentNotReached");
    byId("error").textContent = error instanceof Error ? error.message : String(error);
  }
  ready();
});
