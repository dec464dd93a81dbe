// @ts-check
// How a transfer went, as columns for a graph. Pure. The agent gives the past, thinned; what comes while the window is open is
// added, and thinned in the same way when it becomes too much.

/** Points at most; more than a screen has columns. */
export const MOST = 960;

/** @param {Sample} a @param {Sample} b the later @returns {Sample} */
const merged = (a, b) => ({
  ...b,
  rate_kbps: (a.rate_kbps + b.rate_kbps) / 2,
  lost: a.lost + b.lost,
  queue_us: Math.max(a.queue_us, b.queue_us),
});

export class Curve {
  constructor() {
    /** @type {Sample[]} */
    this.samples = [];
    this.step = 250;
    /** Packets that the present session had lost by the last sample. */
    this.lost = 0;
  }

  /** @param {Sample[]} samples oldest first @param {number} step milliseconds that one stands for @param {number} lost by the present session */
  load(samples, step, lost) {
    this.samples = [...samples];
    this.step = Math.max(1, step);
    this.lost = lost;
  }

  /** Adds the present moment. @param {Sample} live with all packets that the session lost @returns {boolean} false if it is not new */
  add(live) {
    const last = this.samples.at(-1);
    // Events may be older than the history that was asked for after them.
    if (last !== undefined && live.at_ms <= last.at_ms) return false;
    const lost = live.lost >= this.lost ? live.lost - this.lost : live.lost;
    this.lost = live.lost;
    const sample = { ...live, lost };
    if (last !== undefined && this.#slot(live) === this.#slot(last)) this.samples.splice(-1, 1, merged(last, sample));
    else this.samples.push(sample);
    while (this.samples.length > MOST) this.#thin();
    return true;
  }

  /** @param {Sample} sample */
  #slot(sample) {
    return Math.floor(sample.at_ms / this.step);
  }

  #thin() {
    this.step *= 2;
    /** @type {Sample[]} */
    const thinned = [];
    for (const sample of this.samples) {
      const last = thinned.at(-1);
      if (last !== undefined && this.#slot(last) === this.#slot(sample)) thinned.splice(-1, 1, merged(last, sample));
      else thinned.push(sample);
    }
    this.samples = thinned;
  }

  /** Seconds, rate, limit (null: none), queue in ms, packets lost per second. @returns {(number | null)[][]} */
  columns() {
    const { samples } = this;
    const per = samples.map(({ at_ms, lost }, i) => {
      const took = (at_ms - (samples[i - 1]?.at_ms ?? Math.max(0, at_ms - this.step))) / 1000;
      return took > 0 ? lost / took : 0;
    });
    return [
      samples.map(({ at_ms }) => at_ms / 1000),
      samples.map(({ rate_kbps }) => rate_kbps),
      samples.map(({ limit_kbps }) => (limit_kbps > 0 ? limit_kbps : null)),
      samples.map(({ queue_us }) => queue_us / 1000),
      per,
    ];
  }

  /** @returns {{peak: number, average: number, lost: number}} kbit/s, kbit/s, packets */
  summary() {
    const last = this.samples.at(-1);
    const first = this.samples[0];
    if (last === undefined || first === undefined) return { peak: 0, average: 0, lost: 0 };
    const took = (last.at_ms - first.at_ms) / 1000;
    const moved = last.bytes_written - first.bytes_written;
    return {
      peak: this.samples.reduce((most, { rate_kbps }) => Math.max(most, rate_kbps), 0),
      average: took > 0 && moved > 0 ? (moved * 8) / 1000 / took : last.rate_kbps,
      lost: this.samples.reduce((sum, { lost }) => sum + lost, 0),
    };
  }
}

/**
 * The top of the graph: all of the rate, and limits as long as they do not press the rate flat.
 * @param {Sample[]} samples @param {(number | null | undefined)[]} limits kbit/s
 * @returns {number}
 */
export function top(samples, limits) {
  const seen = samples.reduce((most, { rate_kbps }) => Math.max(most, rate_kbps), 0);
  const near = limits.filter((limit) => typeof limit === "number" && (seen === 0 || limit <= seen * 3));
  return Math.max(100, seen, ...near.map(Number)) * 1.15;
}

/** A step by an arrow key: a tenth, in round numbers. @param {number} kbps @param {number} direction 1 or -1 @returns {number} */
export function nudge(kbps, direction) {
  const moved = kbps * (direction > 0 ? 1.1 : 1 / 1.1);
  return round(Math.max(direction > 0 ? kbps + 10 : 0, moved));
}

/** To three figures: nobody means more when dragging. @param {number} kbps @returns {number} */
export function round(kbps) {
  if (kbps < 10) return 0;
  const unit = 10 ** Math.max(1, Math.floor(Math.log10(kbps)) - 2);
  return Math.round(kbps / unit) * unit;
}
