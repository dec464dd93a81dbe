// @ts-check
// Making elements. Text goes in as text nodes only: nothing here can turn a site's words into markup.

import { ICONS, STYLES } from "./icons.js";

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [attributes] `class`, `id`, …; functions become listeners (`onclick`); `undefined`,
 *   `null` and `false` are left out
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * A picture of icons.js; hidden from screen readers.
 * @param {string} name @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  draw(svg, name);
  return svg;
}

/**
 * Draws a picture of icons.js, and nothing for a name that has none. An element that had another one before is used again: a row
 * that shows another transfer gets no new elements.
 * @param {Element} svg @param {string} name
 */
export function draw(svg, name) {
  if (svg.firstChild === null) {
    svg.setAttribute("viewBox", "0 0 16 16");
    svg.setAttribute("aria-hidden", "true");
    svg.append(document.createElementNS(SVG, "path"));
  }
  svg.setAttribute("data-icon", name);
  svg.setAttribute("class", `icon ${STYLES[name] ?? ""}`.trim());
  svg.firstElementChild?.setAttribute("d", ICONS[name] ?? "");
}

/** Draws the icons that stand in the page's HTML as `<svg data-icon="NAME">`. */
export function drawIcons() {
  for (const svg of document.querySelectorAll("svg[data-icon]")) draw(svg, svg.getAttribute("data-icon") ?? "");
}

/**
 * The element with this id, which the page's HTML is known to contain.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id @returns {T}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no element ${id}`);
  return /** @type {T} */ (element);
}

/** Tells tests and screen readers' users that the first data are there. */
export const ready = () => {
  document.body.dataset.ready = "true";
};
