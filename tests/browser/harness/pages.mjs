// @ts-check
// A small static web server: the test page, the demo page, and the vendor's SDK straight from node_modules.

import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
/** The vendor's SDK as npm delivers it. */
export const SDK = path.join(HERE, "node_modules/@ibm-aspera/connect-sdk-js/dist/js/connect-sdk.js");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * Serves `folder` on a free port of 127.0.0.1.
 * @param {string} folder absolute, or relative to tests/browser
 * @param {Record<string, (request: http.IncomingMessage) => unknown>} [answers] JSON answers by path
 * @param {{key: Buffer, cert: Buffer}} [tls] for HTTPS
 */
export async function serve(folder, answers = {}, tls) {
  const base = path.resolve(HERE, folder);
  /** @type {http.RequestListener} */
  const answer = (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const send = (/** @type {number} */ status, /** @type {string} */ type, /** @type {string | Buffer} */ body) => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
      response.end(body);
    };
    if (answers[pathname]) {
      send(200, "application/json", JSON.stringify(answers[pathname](request)));
      return;
    }
    const file = pathname === "/sdk.js" ? SDK : path.join(base, pathname === "/" ? "index.html" : path.normalize(pathname));
    if (file !== SDK && !file.startsWith(base + path.sep)) {
      send(404, "text/plain", "not found");
      return;
    }
    fs.readFile(file, (error, content) => {
      if (error) send(404, "text/plain", "not found");
      else send(200, TYPES[/** @type {keyof TYPES} */ (path.extname(file))] ?? "application/octet-stream", content);
    });
  };
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
  await new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    port,
    /** The same page under two origins. */
    localhost: `http://localhost:${port}/`,
    address: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
