// @ts-check
// The monitor's lists: runs of a worker and the files that ended last.

import { h, icon } from "./dom.js";
import { errorText } from "./errors.js";
import * as format from "./format.js";
import { language, t } from "./text.js";

/** @param {HTMLElement} body of a table @param {SessionNote[]} sessions oldest first */
export function showSessions(body, sessions) {
  body.replaceChildren(
    ...[...sessions].reverse().map((session) => {
      const lasted = session.ended_ms === null || session.ended_ms === undefined ? t("sessionRuns") : format.duration((session.ended_ms - session.began_ms) / 1000, language);
      const end = session.error ? errorText(session.error) : session.ended_ms ? t("sessionDone") : "";
      return h(
        "tr",
        {},
        ...[
          format.date(session.began_ms, language),
          lasted,
          session.transport === "" ? "–" : session.transport.toUpperCase(),
          format.number(session.connections, language),
          format.bytes(session.bytes, language),
          format.number(session.lost, language),
          end,
        ].map((text) => h("td", {}, text)),
      );
    }),
  );
}

/** @type {Record<string, [string, string]>} */
export const OUTCOMES = { completed: ["done", "fileCompleted"], skipped: ["done", "fileSkipped"], failed: ["warning", "fileFailed"] };

/** @param {HTMLElement} body of a table @param {FileReport[]} files oldest first */
export function showFiles(body, files) {
  body.replaceChildren(
    ...[...files].reverse().map((file) => {
      const [picture, key] = OUTCOMES[file.outcome] ?? ["file", "fileCompleted"];
      const outcome = h("td", { class: `outcome ${file.outcome}` }, icon(picture), t(key));
      const error = file.error ? errorText(file.error) : "";
      return h("tr", {}, outcome, h("td", { class: "path" }, file.path), h("td", {}, format.bytes(file.size, language)), h("td", {}, error));
    }),
  );
}
