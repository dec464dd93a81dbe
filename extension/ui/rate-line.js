// @ts-check
// A limit as a line across the graph: dragged with the pointer, moved with arrow keys. Says what is wished; keeps nothing.

import { nudge, round } from "./curve.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { language } from "./text.js";

/** While dragging, a wish is sent at most this often. */
const SEND_MS = 200;

export class RateLine {
  /**
   * @param {HTMLElement} parent holds the graph too @param {import("./rate-graph.js").RateGraph} graph
   * @param {{name: string, label: string, wish: (kbps: number) => void}} what
   */
  constructor(parent, graph, { name, label, wish }) {
    this.graph = graph;
    this.wish = wish;
    /** @type {number | null} */
    this.kbps = null;
    this.locked = false;
    this.dragging = false;
    this.tag = h("span", { class: "tag" });
    this.element = h("div", { class: `rate-line ${name}`, role: "slider", tabindex: 0, "aria-label": label, "aria-orientation": "vertical", "aria-valuemin": 0 }, this.tag);
    this.label = label;
    parent.append(this.element);
    this.element.addEventListener("pointerdown", (event) => this.#drag(event));
    this.element.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {number | null} kbps null: there is no such limit @param {boolean} locked @param {boolean} usable the transfer can still be changed */
  show(kbps, locked, usable) {
    this.locked = locked || !usable;
    if (!this.dragging) this.kbps = kbps;
    this.place();
  }

  /** Puts it where its rate is on the graph. */
  place() {
    const { element, kbps, graph } = this;
    element.hidden = kbps === null || kbps === 0;
    if (kbps === null || kbps === 0) return;
    const { left, width } = graph.span();
    element.style.top = `${graph.place(kbps)}px`;
    element.style.left = `${left}px`;
    element.style.width = `${width}px`;
    const above = kbps > graph.top;
    this.tag.textContent = `${above ? "↑ " : ""}${this.label} ${format.rate(kbps, language)}`;
    element.setAttribute("aria-valuenow", String(kbps));
    element.setAttribute("aria-valuemax", String(Math.max(kbps, Math.round(graph.top))));
    element.setAttribute("aria-valuetext", format.rate(kbps, language));
    element.setAttribute("aria-disabled", String(this.locked));
    element.classList.toggle("locked-line", this.locked);
    element.classList.toggle("at-top", graph.place(kbps) < 40);
  }

  /** @param {PointerEvent} down */
  #drag(down) {
    if (this.locked || down.button !== 0) return;
    down.preventDefault();
    this.element.focus();
    this.element.setPointerCapture(down.pointerId);
    this.dragging = true;
    let sent = 0;
    const over = new AbortController();
    const { signal } = over;
    const move = (/** @type {PointerEvent} */ event) => {
      this.kbps = Math.max(10, round(this.graph.rateAt(event.clientY)));
      this.place();
      if (performance.now() - sent < SEND_MS) return;
      sent = performance.now();
      this.wish(this.kbps);
    };
    const end = () => {
      this.dragging = false;
      over.abort();
      if (this.kbps !== null) this.wish(this.kbps);
    };
    this.element.addEventListener("pointermove", move, { signal });
    this.element.addEventListener("pointerup", end, { signal });
    this.element.addEventListener("pointercancel", end, { signal });
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const direction = { ArrowUp: 1, ArrowRight: 1, PageUp: 5, ArrowDown: -1, ArrowLeft: -1, PageDown: -5 }[event.key];
    if (direction === undefined || this.locked || this.kbps === null) return;
    event.preventDefault();
    let kbps = this.kbps;
    for (let i = 0; i < Math.abs(direction); i += 1) kbps = Math.max(10, nudge(kbps, direction));
    this.kbps = kbps;
    this.place();
    this.wish(kbps);
  }
}
