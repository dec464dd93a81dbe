// @ts-check
// Keeps a model of the transfers up to date while a window is open; says once per frame that it changed.

import { ask, begin, on } from "./background.js";
import { showConnection } from "./connection.js";
import { ready } from "./dom.js";

/**
 * @param {object} to
 * @param {import("./transfer-model.js").TransferModel} to.model
 * @param {() => void} to.connection the state of the connection changed
 * @param {() => void} to.changed the model changed; called at most once per frame
 */
export function follow({ model, connection, changed }) {
  let asked = false;
  const soon = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      changed();
    });
  };
  on("state", (state) => {
    if (showConnection(state)) ready();
    connection();
  });
  on("snapshot", ({ transfers }) => {
    model.replaceAll(transfers);
    soon();
  });
  on("changed", ({ changed: views, removed }) => {
    model.change(views, removed);
    soon();
  });
  begin(async () => {
    try {
      // Both at once: the list is not kept waiting for the answer to the first.
      const list = ask("follow");
      list.catch(() => {});
      showConnection(await ask("state"));
      model.replaceAll((await list).transfers);
      changed();
    } catch {
      // The state event has told, or will tell, why.
    }
  });
}
