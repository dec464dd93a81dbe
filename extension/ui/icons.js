// @ts-check
// The pictures of all windows: lines on a field of 16 × 16, in the colour of the text around them (`.icon` in base.css).
// Drawn by dom.js as one path each: a reference into a file of pictures costs a document and a copy for every use.

/** @type {Record<string, string>} */
export const ICONS = {
  up: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  down: "M8 3v10M3.5 8.5 8 13l4.5-4.5",
  parent: "M3 13h6a3 3 0 0 0 3-3V3M8.5 6.5 12 3l3.5 3.5",
  go: "M3 8h10M8.5 3.5 13 8l-4.5 4.5",
  stop: "M4 4h8v8H4z",
  resume: "M5 3.2v9.6L12.5 8z",
  remove: "M4 4l8 8M12 4l-8 8",
  folder: "M1.8 12.7V3.8h4.4l1.6 1.8h6.4v7.1z",
  file: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2",
  clock: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM8 4.5V8l2.4 1.6",
  done: "M2.8 8.6 6.4 12l6.8-7.4",
  warning: "M8 2 1.6 13.4h12.8zM8 6.3v3.4M8 11.4v.4",
  home: "M2 8l6-5.4L14 8M3.8 6.8v6.6h8.4V6.8",
  desktop: "M1.8 2.8h12.4v8H1.8zM5.5 13.6h5M8 10.8v2.8",
  disk: "M2 10h12v3.4H2zM2 10l2-7.2h8L14 10M11 11.7h.6",
  settings: "M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.7v3.6M6 9.7v3.6",
  about: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM8 7.3v4M8 4.6v.4",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  lock: "M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  unlock: "M3.5 7h9v6.5h-9zM5.5 7V4.5a2.5 2.5 0 0 1 4.7-1.2",
  undo: "M3 3.5v4h4M3.4 7.2A5 5 0 1 1 4 11",
  graph: "M2 2v12h12M4.5 10.5l3-4 2.5 2.5 3.5-5",
  slow: "M2.5 12.5a5.5 5.5 0 1 1 11 0M8 12.5 4.6 8.4",
  list: "M2.5 4h11M2.5 8h11M2.5 12h11",
  first: "M3 2.5h10M8 14V6M4 9.5 8 5.5l4 4",
  last: "M3 13.5h10M8 2v8M4 6.5l4 4 4-4",
};

/** Those that are more than thin lines: classes of base.css. @type {Record<string, string>} */
export const STYLES = { stop: "solid", resume: "solid", pause: "bold" };
