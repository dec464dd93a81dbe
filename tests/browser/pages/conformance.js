// Calls any function of the SDK and writes down what crosses between page and extension meanwhile.
"use strict";

window.wire = {
  /** Request objects that the SDK sent. */
  requests: [],
  /** Response objects that came back, parts included. */
  responses: [],
  /** Texts of `AsperaConnectDisconnect`. */
  disconnects: [],
  /** What listeners were told: `[name, data]`. */
  told: [],
  listeners: {},
  objects: {},

  /** Makes the SDK's objects; `start` begins a session as well. */
  make(options, appId) {
    const connect = new AW4.Connect(options);
    this.objects = { connect, installer: this.objects.installer, utils: AW4.Utils, logger: AW4.Logger };
    connect.addEventListener(AW4.Connect.EVENT.STATUS, (_type, status) => this.told.push(["STATUS", status]));
    return appId === undefined ? null : connect.initSession(appId);
  },

  install(options) {
    this.objects.installer = new AW4.ConnectInstaller(options);
  },

  /** A function that can be given to the SDK and remembers what it is told. */
  listener(name) {
    this.listeners[name] ??= (...what) => this.told.push([name, what.map(plain)]);
    return this.listeners[name];
  },

  /**
   * Calls a function; nothing as an answer becomes null, which crosses to the test. `style`: where callbacks go (`first`, `last`), or `promise`, or `plain` for what answers at once.
   * An argument `{listener: name}` stands for {@link listener}. Never rejects.
   */
  async call(object, name, args, style) {
    const from = this.requests.length;
    const given = args.map((each) => (each?.listener ? this.listener(each.listener) : each));
    let also;
    const outcome = new Promise((done) => {
      const callbacks = { success: (value = null) => done({ success: value }), error: (value) => done({ error: value }) };
      const ordered = { first: [callbacks, ...given], last: [...given, callbacks] }[style] ?? given;
      try {
        const returned = this.objects[object][name](...ordered);
        if (style === "promise") returned.then(callbacks.success, callbacks.error);
        else also = plain(returned);
        if (style === "plain") done({ returned: also ?? null });
      } catch (error) {
        done({ thrown: String(error) });
      }
    });
    const requests = this.requests.slice(from);
    const result = await outcome;
    const own = (response) => requests.some((request) => request.request_id === response.request_id);
    return { ...result, also, requests, responses: this.responses.filter(own) };
  },
};

/** What can leave the page as JSON. */
const plain = (value) => {
  if (value instanceof Event) return { event: value.type };
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
};

document.addEventListener("AsperaConnectRequest", (event) => wire.requests.push({ ...event.detail }));
document.addEventListener("AsperaConnectDisconnect", (event) => wire.disconnects.push(event.detail));
window.addEventListener("message", (event) => {
  if (event.data?.type === "AsperaConnectResponse") wire.responses.push({ ...event.data.detail });
});
