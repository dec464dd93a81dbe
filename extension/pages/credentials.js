// @ts-check
// "Log in to the server." Shown when a transfer has no password, or the server refused the one it had. What is typed goes to the
// agent and nowhere else; it is saved only if wanted, and only after the server has accepted it.

import { byId, ready } from "../ui/dom.js";
import { armLater, complaints, decide, question, showOrigin } from "../ui/prompt.js";
import { localize, t } from "../ui/text.js";

localize();

const user = /** @type {HTMLInputElement} */ (byId("user"));
const password = /** @type {HTMLInputElement} */ (byId("password"));
const show = /** @type {HTMLInputElement} */ (byId("show"));
const save = /** @type {HTMLInputElement} */ (byId("save"));
const problem = byId("problem");
/** An empty password means the saved one. */
let saved = false;

const complain = complaints([user, password], problem);

show.addEventListener("change", () => {
  password.type = show.checked ? "text" : "password";
});

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (user.value === "") return complain(user, t("credentialsNoUser"));
  if (password.value === "" && !saved) return complain(password, t("credentialsNoPassword"));
  void decide({ decision: "credentials", user: user.value, password: password.value, save: save.checked });
});

const cancel = () => void decide({ decision: "cancel" });
byId("cancel").addEventListener("click", cancel);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel();
});

question((prompt) => {
  byId("server").textContent = prompt.server ?? "";
  showOrigin(byId("origin"), prompt);
  user.value = prompt.user ?? "";
  problem.textContent = prompt.wrong ? t("credentialsWrong") : "";
  saved = prompt.saved === true;
  if (saved) password.placeholder = t("credentialsSaved");
  byId("save-line").hidden = !prompt.can_save;
  (user.value === "" ? user : password).focus();
  armLater([/** @type {HTMLButtonElement} */ (byId("log-in"))]);
  ready();
});
