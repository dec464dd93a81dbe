// @ts-check
// The monitor's graph: rate, limit, queueing delay and loss over the time that the transfer ran, drawn by uPlot.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h } from "./dom.js";
import * as format from "./format.js";
import { language, t } from "./text.js";

/** Of the drawing without its legend, px. */
const HEIGHT = 280;
/** Distances of the marks on the axis of time, seconds. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800];

/** Names of colours in base.css, for what is drawn. */
const COLOURS = { rate: "--accent", limit: "--muted", queue: "--warn", loss: "--danger", line: "--line", text: "--muted" };

export class RateGraph {
  /** @param {HTMLElement} parent @param {() => void} scaled the scale has moved */
  constructor(parent, scaled) {
    this.parent = parent;
    this.top = 1000;
    /** @type {Record<string, string>} */
    this.colours = {};
    this.#readColours();
    const stroke = (/** @type {string} */ name) => () => this.colours[name] ?? "";
    const axis = { stroke: stroke("text"), grid: { stroke: stroke("line"), width: 1 }, ticks: { stroke: stroke("line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const ms = (/** @type {number | null} */ value) => (value === null ? "–" : t("milliseconds", format.number(Math.round(value * 10) / 10, language)));
    const rate = (/** @type {number | null} */ value) => (value === null ? "–" : format.rate(value, language));
    // A line of one or two moments is hardly seen.
    const points = { show: (/** @type {any} */ u) => u.data[0].length < 3, size: 5 };
    this.plot = new uPlot(
      {
        width: 600,
        height: HEIGHT,
        cursor: { y: false, drag: { x: false, y: false } },
        legend: { live: true },
        scales: {
          x: { time: false },
          rate: { range: () => [0, this.top] },
          queue: { range: (_u, _min, max) => [0, Math.max(20, (max ?? 0) * 1.5)] },
          loss: { range: (_u, _min, max) => [0, Math.max(10, (max ?? 0) * 3)] },
        },
        axes: [
          { ...axis, incrs: STEPS, values: (_u, ticks) => ticks.map((tick) => clock(tick)) },
          { ...axis, scale: "rate", size: 92, values: (_u, ticks) => ticks.map((tick) => format.rate(tick, language)) },
          { ...axis, scale: "queue", side: 1, size: 64, grid: { show: false }, values: (_u, ticks) => ticks.map((tick) => ms(tick)) },
        ],
        series: [
          { label: t("graphTime"), value: (_u, value) => (value === null ? "–" : clock(value)) },
          { label: t("graphRate"), points, scale: "rate", stroke: stroke("rate"), width: 2, fill: () => faint(this.colours.rate ?? ""), value: (_u, value) => rate(value) },
          { label: t("graphLimit"), points, scale: "rate", stroke: stroke("limit"), width: 1, dash: [6, 4], value: (_u, value) => rate(value) },
          { label: t("graphQueue"), points, scale: "queue", stroke: stroke("queue"), width: 1, dash: [2, 3], value: (_u, value) => ms(value) },
          {
            label: t("graphLoss"),
            scale: "loss",
            stroke: stroke("loss"),
            fill: stroke("loss"),
            width: 0,
            paths: uPlot.paths.bars?.({ size: [0.6, 4] }),
            points: { show: false },
            value: (_u, value) => (value === null ? "–" : t("perSecond", format.number(Math.round(value), language))),
          },
        ],
        hooks: { draw: [scaled] },
      },
      [[], [], [], [], []],
      parent,
    );
    new ResizeObserver(() => this.#resize()).observe(parent);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => {
        this.#readColours();
        this.plot.redraw();
      });
    }
  }

  /** @param {(number | null)[][]} columns @param {number} top kbit/s at the upper edge */
  show(columns, top) {
    this.top = top;
    this.plot.setData(/** @type {any} */ (columns));
  }

  /** Distance from the graph's upper edge, in CSS pixels of the parent; null before there is a scale. @param {number} kbps @returns {number} */
  place(kbps) {
    const { top, height } = this.#box();
    return top + height * (1 - Math.min(1, Math.max(0, kbps / this.top)));
  }

  /** The rate at a height of the screen. @param {number} clientY @returns {number} */
  rateAt(clientY) {
    const box = this.plot.over.getBoundingClientRect();
    const share = (box.bottom - clientY) / Math.max(1, box.height);
    return Math.min(1, Math.max(0, share)) * this.top;
  }

  /** Where the lines lie, in CSS pixels of the parent. @returns {{left: number, width: number}} */
  span() {
    const { left, width } = this.#box();
    return { left, width };
  }

  /** The drawn area within what the lines are placed in. */
  #box() {
    const { top, left, width, height } = this.plot.over.getBoundingClientRect();
    const around = this.parent.parentElement ?? this.parent;
    const edge = around.getBoundingClientRect();
    return { top: top - edge.top - around.clientTop, left: left - edge.left - around.clientLeft, width, height };
  }

  #resize() {
    const { clientWidth } = this.parent;
    if (clientWidth > 100) this.plot.setSize({ width: clientWidth, height: HEIGHT });
  }

  #readColours() {
    const probe = h("span");
    this.parent.append(probe);
    for (const [name, property] of Object.entries(COLOURS)) {
      probe.style.color = `var(${property})`;
      this.colours[name] = getComputedStyle(probe).color;
    }
    probe.remove();
  }
}

/** @param {number} seconds @returns {string} such as `1:02:03` */
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return parts[0] === 0 ? `${parts[1]}:${two(parts[2] ?? 0)}` : `${parts[0]}:${two(parts[1] ?? 0)}:${two(parts[2] ?? 0)}`;
}

/** The same colour, nearly clear. @param {string} colour `rgb(1, 2, 3)` */
const faint = (colour) => colour.replace(/^rgb\((.*)\)$/u, "rgba($1, 0.14)");
