// What a web application does with the SDK, in a form that tests can call and watch.
"use strict";

window.site = {
  /** Status events in their order. */
  statuses: [],
  /** The latest TransferInfo of each transfer that the listener was told of. */
  transfers: {},
  connect: null,

  /** Makes the SDK object and begins a session. */
  open(appId) {
    const connect = new AW4.Connect({ minVersion: "3.9.0", dragDropEnabled: false });
    this.connect = connect;
    connect.addEventListener(AW4.Connect.EVENT.STATUS, (_type, status) => this.statuses.push(status));
    connect.addEventListener(AW4.Connect.EVENT.TRANSFER, (_type, data) => {
      for (const info of data.transfers) this.transfers[info.uuid] = info;
    });
    return connect.initSession(appId).app_id;
  },

  /** Calls one of the SDK's functions that take callbacks first; never rejects. */
  first(name, ...rest) {
    return new Promise((done) => {
      const callbacks = { success: (value) => done({ ok: value }), error: (error) => done({ error }) };
      this.connect[name](callbacks, ...rest);
    });
  },

  /** Calls one of the SDK's functions that take callbacks last; never rejects. */
  last(name, ...before) {
    return new Promise((done) => {
      const callbacks = { success: (value) => done({ ok: value }), error: (error) => done({ error }) };
      this.connect[name](...before, callbacks);
    });
  },
};
