// @ts-check
// The mark as the toolbar shows it, in the colour of a state and with a sign for who sees no colours. Drawn, not shipped: five
// states in three sizes would be fifteen pictures.

/** The shapes of icons/godwit.svg, which is 64 wide. */
const WING = "M17 35C17 24 22 14 31 9c1 8 3 16 11 23z";
const BODY = "M7 46c6-6 11-11 17-14 6-3 13-4 18-3 3-3 8-3 10 1l9 8-11-4c-3 9-12 15-23 14-6 0-10-2-13-4z";
/** Tile, wing, and what is drawn over it in a corner that the badge leaves free. @type {Record<import("./button-state.js").ButtonState, [string, string, string | null]>} */
const LOOKS = {
  idle: ["#0b6b63", "#8fe0d4", null],
  running: ["#0b6b63", "#8fe0d4", "M14 6v16M7 15l7 8 7-8"],
  slow: ["#8a5a00", "#ffdf9e", "M9 7v14M19 7v14"],
  failed: ["#b3261e", "#ffc9c4", "M14 6v9M14 20v2"],
  missing: ["#5f6368", "#c4c7cc", "M8 8l12 12M20 8 8 20"],
};

/** Sizes that browsers ask for, px. */
const SIZES = [16, 32, 48];

/** @param {import("./button-state.js").ButtonState} state @returns {Record<string, ImageData>} by size */
export function mark(state) {
  const [tile, wing, sign] = LOOKS[state];
  return Object.fromEntries(SIZES.map((size) => [String(size), drawn(size, tile, wing, sign)]));
}

/** @param {number} size @param {string} tile @param {string} wing @param {string | null} sign */
function drawn(size, tile, wing, sign) {
  const canvas = new OffscreenCanvas(size, size);
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.scale(size / 64, size / 64);
  pen.fillStyle = tile;
  pen.beginPath();
  pen.roundRect(2, 2, 60, 60, 15);
  pen.fill();
  pen.fillStyle = wing;
  pen.fill(new Path2D(WING));
  pen.fillStyle = "#ffffff";
  pen.fill(new Path2D(BODY));
  if (sign !== null) {
    pen.lineCap = pen.lineJoin = "round";
    for (const [colour, width] of /** @type {[string, number][]} */ ([[tile, 14], ["#ffffff", 6]])) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke(new Path2D(sign));
    }
  }
  return pen.getImageData(0, 0, size, size);
}
