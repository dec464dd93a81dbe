// @ts-check
// The guided installation: shows what is missing in this browser and how to get it, looks again every second, and says when all is
// there. For pages of web applications and for our server; needs nothing but the files beside it.
//
//   import { guide } from "./guide.js";
//   const { ready, stop } = guide(document.querySelector("#install"), { sdkLocation: "/connect" });
//   await ready;

import { detect, LEAST } from "./detect.js";
import { language, WORDS } from "./words.js";

/** Pause between two looks. Milliseconds. */
const AGAIN = 1000;
const FOLDER = "~/.local/share/godwit/current/extension-";
/** Where browsers of Chromium's family list their extensions. @type {Record<string, string>} */
const ADDRESSES = { "Microsoft Edge": "edge://extensions", Opera: "opera://extensions", Vivaldi: "vivaldi://extensions", Brave: "brave://extensions" };

/** @typedef {import("./detect.js").Found} Found */

/**
 * `sdkLocation`: as for the vendor's SDK, the folder with `versions.js`, which names the file to download. `xpi`: address of a signed
 * extension for Firefox. `minVersion`: the oldest version that will do. `lang`: `en` or `de`.
 * @typedef {{sdkLocation?: string, xpi?: string, minVersion?: string, lang?: string}} Options
 */

/**
 * Fills `place`. The element gets a `godwit-state` event with what was found whenever that has changed.
 * @param {HTMLElement} place @param {Options} [options]
 * @returns {{ready: Promise<Found>, stop: () => void}}
 */
export function guide(place, options = {}) {
  const lang = language(options.lang ? [options.lang] : [document.documentElement.lang, ...navigator.languages].filter(Boolean));
  place.lang = lang;
  place.classList.add("godwit-guide");
  const say = (/** @type {string} */ key, /** @type {Record<string, string>} */ with_ = {}) =>
    (WORDS[lang]?.[key] ?? key).replaceAll(/\{(\w+)\}/gu, (_, name) => with_[name] ?? "");
  const status = h("div", { role: "status", class: "state" }, h("p", {}, say("looking")));
  const steps = h("div", { class: "steps" });
  place.replaceChildren(h("h1", {}, say("title")), status, steps);
  let stopped = false;
  const ready = (async () => {
    const file = await fileToDownload(options.sdkLocation);
    let shown = "";
    for (;;) {
      const found = await detect(options);
      const now = JSON.stringify(found);
      if (now !== shown && !stopped) {
        shown = now;
        place.dataset.state = found.state;
        show(found, file);
        place.dispatchEvent(new CustomEvent("godwit-state", { detail: found, bubbles: true }));
      }
      if (found.state === "ready" || stopped) return found;
      await new Promise((next) => setTimeout(next, AGAIN));
    }
  })();
  return { ready, stop: () => void (stopped = true) };

  /** @param {Found} found @param {string | null} file */
  function show(found, file) {
    const names = { browser: found.browser, version: found.application ?? "", least: options.minVersion ?? LEAST };
    const head = { ready: "ready", unsupported: "unsupported", outdated: "outdated", "missing-application": "notFound", "missing-both": "" }[found.state];
    const waits = found.state === "ready" || found.state === "unsupported" ? [] : [h("p", { class: "quiet" }, say("waiting"))];
    status.replaceChildren(...(head ? [h("h2", {}, say(head)), h("p", {}, say(`${head}Text`, names))] : []), ...waits);
    const application = step(say("application"), ...download(file));
    const extension = step(say("extension", names), ...addExtension(found, names));
    /** @type {Record<string, HTMLElement[]>} */
    const wanted = { "missing-both": [application, extension], "missing-application": [application], outdated: [application] };
    const list = wanted[found.state] ?? [];
    steps.replaceChildren(...(list.length > 0 ? [h("ol", {}, ...list)] : []));
  }

  /** @param {string | null} file */
  function download(file) {
    if (file === null) return [h("p", {}, say("noFile"))];
    const name = decodeURIComponent(new URL(file).pathname.split("/").pop() ?? "");
    // A name that a shell would take for more than a name is not shown as a command.
    const plain = /^[\w.+-]+$/u.test(name) ? name : "godwit-*.sh";
    return [
      h("p", {}, say("applicationText")),
      h("p", {}, h("a", { href: file, class: "button", download: "" }, say("download", { file: name }))),
      h("p", {}, say("run"), " ", command(`sh ~/Downloads/${plain}`)),
    ];
  }

  /** @param {Found} found @param {Record<string, string>} names */
  function addExtension(found, names) {
    const folder = h("p", {}, say("folder"), " ", command(`${FOLDER}${found.family}`));
    if (found.family === "chromium") {
      const address = ADDRESSES[found.browser] ?? "chrome://extensions";
      return [h("p", {}, say("extensionChromium", names)), h("p", {}, say("open"), " ", command(address)), folder];
    }
    const xpi = options.xpi ? web(options.xpi) : null;
    if (xpi === null) return [h("p", {}, say("extensionFirefoxFolder", names)), folder];
    return [h("p", {}, say("extensionFirefox", names)), h("p", {}, h("a", { href: xpi, class: "button" }, say("extensionFirefoxLink", names)))];
  }

  /** Text to be copied by a button. @param {string} text */
  function command(text) {
    const copied = h("span", { role: "status", class: "quiet" });
    const button = h("button", { type: "button", "aria-label": `${say("copy")}: ${text}` }, say("copy"));
    button.addEventListener("click", () => void navigator.clipboard.writeText(text).then(() => (copied.textContent = say("copied")), () => {}));
    return h("span", { class: "command" }, h("code", {}, text), button, copied);
  }
}

/** @param {string} title @param {...HTMLElement} parts */
const step = (title, ...parts) => h("li", {}, h("h2", {}, title), ...parts);

/** An element; texts are texts, never markup. @param {string} name @param {Record<string, string>} attributes @param {...(Node | string)} children */
function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** An address of the web, or null: never `javascript:`. @param {string} address @param {string} [base] */
function web(address, base = location.href) {
  try {
    const url = new URL(address, base);
    return ["https:", "http:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * What `versions.js` below `sdkLocation` names for Linux: the same file that the SDK's installer reads, and as it does, by running it.
 * @param {string | undefined} sdkLocation @returns {Promise<string | null>}
 */
async function fileToDownload(sdkLocation) {
  const folder = sdkLocation ? web(`${sdkLocation.replace(/\/$/u, "")}/`) : null;
  if (folder === null) return null;
  const script = document.createElement("script");
  script.src = new URL("versions.js", folder).href;
  const loaded = await new Promise((done) => {
    script.addEventListener("load", () => done(true));
    script.addEventListener("error", () => done(false));
    document.head.append(script);
  });
  script.remove();
  if (!loaded) return null;
  const { entries = [] } = /** @type {any} */ (globalThis).connectVersions ?? {};
  const links = entries.find((/** @type {any} */ entry) => entry?.platform?.os === "linux")?.links ?? [];
  const link = links.find((/** @type {any} */ each) => /^enclosure/u.test(String(each?.rel)));
  return link ? web(String(link.href), folder) : null;
}
