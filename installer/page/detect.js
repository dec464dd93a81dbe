// @ts-check
// What is missing on this machine, as far as a web page can see: the extension answers a check, and the application answers through
// it. Only the events that the vendor's SDK uses; no permission is asked for, nothing is installed.

/** The oldest version of the API that the vendor's SDK takes. */
export const LEAST = "3.9.0";
/** How long an extension that is there takes at most. Milliseconds. */
const EXTENSION_WITHIN = 1000;
/** The application may have to start first. */
const APPLICATION_WITHIN = 6000;

/**
 * @typedef {"missing-both" | "missing-application" | "outdated" | "ready" | "unsupported"} State
 * @typedef {{state: State, family: "chromium" | "firefox", browser: string, system: string, extension: string | null, application: string | null}} Found
 */

/** Brands as the browser says them, and as people know them. @type {[RegExp, string][]} */
const BRANDS = [
  [/Edg/u, "Microsoft Edge"],
  [/OPR|Opera/u, "Opera"],
  [/Vivaldi/u, "Vivaldi"],
  [/Brave/u, "Brave"],
  [/Google Chrome/u, "Google Chrome"],
];

/** The browser and the system, by their own words. @returns {Pick<Found, "family" | "browser" | "system">} */
export function surroundings() {
  const { userAgent } = navigator;
  const data = /** @type {{userAgentData?: {brands: {brand: string}[], platform: string}}} */ (navigator).userAgentData;
  const said = [userAgent, ...(data?.brands ?? []).map(({ brand }) => brand)].join(" ");
  const family = /Firefox\//u.test(userAgent) ? "firefox" : "chromium";
  const brand = BRANDS.find(([pattern]) => pattern.test(said))?.[1] ?? (/Chrome\//u.test(userAgent) && /Chromium/u.test(said) ? "Chromium" : "Chrome");
  const system = data?.platform || (/Linux/u.test(userAgent) && !/Android/u.test(userAgent) ? "Linux" : userAgent.includes("Windows") ? "Windows" : "");
  return { family, browser: family === "firefox" ? "Firefox" : brand, system };
}

/**
 * Looks once.
 * @param {{minVersion?: string}} [options] the oldest version of the application's API that will do
 * @returns {Promise<Found>}
 */
export async function detect({ minVersion = LEAST } = {}) {
  const around = surroundings();
  const extension = await extensionVersion();
  const application = extension === null ? null : await applicationVersion();
  /** @type {State} */
  let state = "ready";
  if (around.system !== "Linux" && extension === null) state = "unsupported";
  else if (extension === null) state = "missing-both";
  else if (application === null) state = "missing-application";
  else if (older(application, minVersion)) state = "outdated";
  return { state, ...around, extension, application };
}

/** Compared as the SDK does: part by part, over the parts that both have. @param {string} version @param {string} least */
export function older(version, least) {
  const [a, b] = [version, least].map((text) => text.split(".").map((part) => Number.parseInt(part, 10) || 0));
  for (let at = 0; at < Math.min(a?.length ?? 0, b?.length ?? 0); at++) {
    const difference = (a?.[at] ?? 0) - (b?.[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** @returns {Promise<string | null>} */
const extensionVersion = () =>
  answer("AsperaConnectCheckResponse", EXTENSION_WITHIN, (detail) => String(detail.version ?? ""), () => {
    document.dispatchEvent(new CustomEvent("AsperaConnectCheck", { detail: {} }));
  });

/** @returns {Promise<string | null>} */
function applicationVersion() {
  // Far from the numbers that the SDK counts on this page, should it be there too.
  const id = 2 ** 40 + Math.floor(Math.random() * 2 ** 40);
  const read = (/** @type {any} */ detail) => {
    if (detail.request_id !== id) return undefined;
    if (detail.status !== 200) return null;
    try {
      return String(JSON.parse(detail.body).version);
    } catch {
      return null;
    }
  };
  return answer("AsperaConnectResponse", APPLICATION_WITHIN, read, () => {
    const request = { request_id: id, method: "GET", uri_reference: "/connect/info/version", body: "", min_version: "", timeout: 0 };
    document.dispatchEvent(new CustomEvent("AsperaConnectRequest", { detail: request }));
  });
}

/**
 * @param {string} type of the message that is waited for
 * @param {number} limit milliseconds; null after them
 * @param {(detail: any) => string | null | undefined} read undefined: it was meant for somebody else
 * @param {() => void} send
 * @returns {Promise<string | null>}
 */
function answer(type, limit, read, send) {
  return new Promise((resolve) => {
    const end = (/** @type {string | null} */ value) => {
      clearTimeout(timer);
      window.removeEventListener("message", listen);
      resolve(value);
    };
    const listen = (/** @type {MessageEvent} */ event) => {
      if (event.source !== window || event.origin !== location.origin || event.data?.type !== type || !event.data.detail) return;
      const value = read(event.data.detail);
      if (value !== undefined) end(value);
    };
    const timer = setTimeout(end, limit, null);
    window.addEventListener("message", listen);
    send();
  });
}
