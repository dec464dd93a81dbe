// @ts-check
// A menu at a point: arrows, letters by Tab never, Escape closes and gives the focus back.

import { h, icon } from "./dom.js";

/** @typedef {{picture: string, text: string, act: () => void}} Item */

/**
 * @param {HTMLElement} menu with role `menu`
 * @param {number} x @param {number} y
 * @param {Item[]} items
 * @param {() => void} closed gives the focus back
 */
export function openMenu(menu, x, y, items, closed) {
  const gone = new AbortController();
  const { signal } = gone;
  const close = () => {
    if (signal.aborted) return;
    gone.abort();
    menu.hidden = true;
    closed();
  };
  const buttons = items.map(({ picture, text, act }) =>
    h(
      "button",
      {
        type: "button",
        role: "menuitem",
        tabindex: -1,
        onclick: () => {
          close();
          act();
        },
      },
      icon(picture),
      text,
    ),
  );
  menu.replaceChildren(...buttons);
  menu.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = menu;
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - width - 4))}px`;
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - height - 4))}px`;
  buttons[0]?.focus();
  menu.addEventListener(
    "keydown",
    (event) => {
      const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
      if (to !== undefined) buttons.at(to % buttons.length)?.focus();
      else if (event.key === "Escape" || event.key === "Tab") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
  addEventListener("pointerdown", (event) => menu.contains(/** @type {Node} */ (event.target)) || close(), { signal, capture: true });
  addEventListener("blur", close, { signal });
}
