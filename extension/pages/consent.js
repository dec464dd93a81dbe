// @ts-check
// "May this site use Godwit?" The safe answer has the focus; closing the window means no.

import { byId, ready } from "../ui/dom.js";
import { armLater, decide, question, showOrigin } from "../ui/prompt.js";
import { localize, t } from "../ui/text.js";

/** @type {Record<string, string>} */
const PURPOSES = { files: "purposeFiles", send: "purposeSend", receive: "purposeReceive" };

localize();

for (const [id, decision] of /** @type {[string, object][]} */ ([
  ["allow-once", { decision: "allow", remember: false }],
  ["allow-always", { decision: "allow", remember: true }],
  ["deny", { decision: "deny", remember: false }],
  ["deny-always", { decision: "deny", remember: true }],
])) {
  byId(id).addEventListener("click", () => void decide(decision));
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") void decide({ decision: "deny", remember: false });
});

question((prompt) => {
  showOrigin(byId("origin"), prompt);
  byId("purpose").textContent = t(PURPOSES[prompt.purpose ?? ""] ?? "purposeFiles");
  const server = byId("server");
  server.textContent = prompt.remote_host ?? "";
  byId("server-line").hidden = !prompt.remote_host;
  armLater([byId("allow-once"), byId("allow-always")]);
  byId("deny").focus();
  ready();
});
