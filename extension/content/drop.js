// @ts-check
// What the browser itself says was dropped on this document. A page cannot make such an event, nor can it see or change what is
// kept here: it runs in another world. Loaded before the relay, which asks.
"use strict";

/** @type {{describe: () => {drop: number, files: {name: string, size: number, modified_ms: number, folder: boolean}[]} | null,
 *   read: (drop: number, file: number, offset: number, length: number) => Promise<string>}} */
var godwitDrops = (() => {
  /** More files than this are shown by the user in a dialog. */
  const MAX_FILES = 1000;
  /** Drops whose files can still be read: the user may drop more while a question is open. */
  const MAX_DROPS = 4;
  /** @type {Map<number, {file: File, folder: boolean}[]>} */
  const drops = new Map();
  /** The last one; 0: it was none that counts. */
  let last = 0;
  let count = 0;
  /** A drag that began in the page itself carries what the page likes. */
  let inner = false;

  window.addEventListener("dragstart", () => (inner = true), true);
  window.addEventListener("dragend", () => (inner = false), true);
  window.addEventListener(
    "drop",
    (event) => {
      if (!event.isTrusted) return;
      const fromPage = inner;
      inner = false;
      last = 0;
      const transfer = event.dataTransfer;
      if (fromPage || transfer === null) return;
      const items = [...transfer.items].filter((item) => item.kind === "file");
      const taken = items.map((item) => ({ file: item.getAsFile(), folder: item.webkitGetAsEntry()?.isDirectory === true }));
      if (taken.length === 0 || taken.length > MAX_FILES || taken.some(({ file }) => file === null)) return;
      last = ++count;
      drops.set(last, /** @type {{file: File, folder: boolean}[]} */ (taken));
      drops.delete(last - MAX_DROPS);
    },
    true,
  );

  return {
    describe: () => {
      const files = drops.get(last)?.map(({ file, folder }) => {
        return { name: file.name, size: file.size, modified_ms: Math.max(0, file.lastModified), folder };
      });
      return files === undefined ? null : { drop: last, files };
    },
    /** As base64. */
    read: (drop, index, offset, length) =>
      new Promise((done, failed) => {
        const file = drops.get(drop)?.[index]?.file;
        if (file === undefined) return failed(new Error("this was not dropped here"));
        const reader = new FileReader();
        reader.onload = () => {
          const address = String(reader.result);
          done(address.slice(address.indexOf(",") + 1));
        };
        reader.onerror = () => failed(reader.error ?? new Error("the file cannot be read"));
        // Without a name of a type the address of an empty piece has no comma in some browsers.
        reader.readAsDataURL(file.slice(offset, offset + length, "application/octet-stream"));
      }),
  };
})();
