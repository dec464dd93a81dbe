// @ts-check
// "You dropped these on this site: give it them?" Shown for files found by what the browser said of a drop. Closing means no.

import { byId, h, ready } from "../ui/dom.js";
import { armLater, decide, question, showOrigin } from "../ui/prompt.js";
import { localize, t } from "../ui/text.js";

localize();

byId("allow").addEventListener("click", () => void decide({ decision: "allow", remember: false }));
byId("deny").addEventListener("click", () => void decide({ decision: "cancel" }));
byId("browse").addEventListener("click", () => void decide({ decision: "browse" }));

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") void decide({ decision: "cancel" });
});

question((prompt) => {
  const paths = prompt.paths ?? [];
  const count = prompt.count ?? paths.length;
  showOrigin(byId("origin"), prompt);
  byId("question").textContent = count === 1 ? t("dropQuestionOne") : t("dropQuestion", String(count));
  byId("paths").replaceChildren(...paths.map((path) => h("li", { "data-path": path }, path)));
  byId("more").hidden = count <= paths.length;
  byId("more").textContent = t("dropMore", String(count - paths.length));
  armLater([byId("allow")]);
  byId("deny").focus();
  ready();
});
