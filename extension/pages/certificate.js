// @ts-check
// "Is this the right server?" Shown when a server's certificate neither verifies nor matches a known fingerprint.

import { byId, ready } from "../ui/dom.js";
import { armLater, decide, question, showOrigin } from "../ui/prompt.js";
import { localize } from "../ui/text.js";

localize();

for (const [id, decision] of /** @type {[string, object][]} */ ([
  ["allow-once", { decision: "allow", remember: false }],
  ["allow-always", { decision: "allow", remember: true }],
  ["deny", { decision: "deny", remember: false }],
])) {
  byId(id).addEventListener("click", () => void decide(decision));
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") void decide({ decision: "deny", remember: false });
});

question((prompt) => {
  showOrigin(byId("origin"), prompt);
  byId("server").textContent = prompt.server ?? "";
  byId("fingerprint").textContent = prompt.fingerprint ?? "";
  armLater([byId("allow-once"), byId("allow-always")]);
  byId("deny").focus();
  ready();
});
