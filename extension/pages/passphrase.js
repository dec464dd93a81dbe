// @ts-check
// "A passphrase for these files." Shown when files are to be encrypted or decrypted and nobody has given a passphrase. What is typed
// goes to the agent and nowhere else.

import { byId, ready } from "../ui/dom.js";
import { armLater, complaints, decide, question, showOrigin } from "../ui/prompt.js";
import { strengthOf } from "../ui/strength.js";
import { localize, t } from "../ui/text.js";

localize();

const passphrase = /** @type {HTMLInputElement} */ (byId("passphrase"));
const again = /** @type {HTMLInputElement} */ (byId("confirm"));
const show = /** @type {HTMLInputElement} */ (byId("show"));
const problem = byId("problem");
/** Longest passphrase, bytes; as the agent's. */
const LONGEST = 4096;
/** A new one; else the one that the files were encrypted with. */
let creates = false;

const complain = complaints([passphrase, again], problem);

passphrase.addEventListener("input", () => {
  const strength = strengthOf(passphrase.value);
  /** @type {HTMLMeterElement} */ (byId("meter")).value = strength;
  byId("strength-words").textContent = passphrase.value === "" ? "" : t(["passphraseVeryWeak", "passphraseWeak", "passphraseFair", "passphraseGood", "passphraseStrong"][strength] ?? "");
});

show.addEventListener("change", () => {
  for (const field of [passphrase, again]) field.type = show.checked ? "text" : "password";
  // What can be read needs not be typed twice.
  byId("confirm-line").hidden = show.checked || !creates;
});

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { value } = passphrase;
  if (value === "") return complain(passphrase, t("passphraseMissing"));
  if (new TextEncoder().encode(value).length > LONGEST) return complain(passphrase, t("passphraseTooLong"));
  if (creates && !show.checked && again.value !== value) return complain(again, t("passphraseDiffers"));
  void decide({ decision: "passphrase", passphrase: value });
});

const cancel = () => void decide({ decision: "cancel" });
byId("cancel").addEventListener("click", cancel);
byId("skip").addEventListener("click", () => void decide({ decision: "skip" }));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel();
});

question((prompt) => {
  creates = prompt.creates === true;
  // The person wants it, not a site: what lies here already is named.
  const { unlocks } = prompt;
  byId("server").textContent = unlocks ?? prompt.server ?? "";
  byId("asked-by").hidden = unlocks !== undefined;
  if (unlocks !== undefined) byId("cancel").textContent = t("cancel");
  showOrigin(byId("origin"), prompt);
  byId("heading").textContent = t(creates ? "passphraseCreate" : "passphraseEnter");
  byId("explanation").textContent = t(unlocks !== undefined ? "passphraseUnlockWhy" : creates ? "passphraseCreateWhy" : "passphraseEnterWhy");
  byId("go").textContent = t(creates ? "passphraseEncrypt" : "passphraseDecrypt");
  byId("skip").textContent = t(creates ? "passphraseSkipUpload" : "passphraseSkipDownload");
  byId("skip").hidden = prompt.can_skip !== true;
  for (const id of ["confirm-line", "strength", "warning"]) byId(id).hidden = !creates;
  if (prompt.wrong === true) complain(passphrase, t("passphraseWrong"));
  passphrase.focus();
  armLater([/** @type {HTMLButtonElement} */ (byId("go")), /** @type {HTMLButtonElement} */ (byId("skip"))]);
  ready();
});
