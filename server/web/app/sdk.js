// @ts-check
// The vendor's SDK as it is, in promises. All that this page knows of the user's Godwit comes from here.

/** @typedef {"MISSING" | "INITIALIZING" | "RETRYING" | "RUNNING" | "OUTDATED" | "FAILED" | "EXTENSION_INSTALL"} Status */
/** @typedef {Record<string, any> & {uuid: string, status: string}} TransferInfo */

/** The SDK's options, for who wants to look: it is loaded only when it is needed. */
const ADDRESS = "/sdk/connect-sdk.js";

/** Loads the SDK once. @type {Promise<any> | undefined} */
let loading;

function load() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = ADDRESS;
    script.addEventListener("load", () => done(/** @type {any} */ (globalThis).AW4));
    script.addEventListener("error", () => failed(new Error("the SDK cannot be loaded")));
    document.head.append(script);
  });
  return loading;
}

/** What an error of the SDK says to people. @param {any} error @returns {string} */
export const words = (error) => error?.error?.user_message ?? error?.message ?? "";

export class Godwit {
  /**
   * @param {{status: (status: Status) => void, transfers: (changed: TransferInfo[]) => void}} handlers
   */
  constructor(handlers) {
    this.handlers = handlers;
    /** @type {Status} */
    this.status = "INITIALIZING";
    /** @type {any} */
    this.connect = undefined;
    /** Transfers that this page has started. @type {Set<string>} */
    this.started = new Set();
  }

  /** Begins a session for an app id; the SDK makes one if there is none. @param {string} [appId] */
  async begin(appId) {
    const AW4 = await load();
    this.connect = new AW4.Connect({ minVersion: "3.9.0", dragDropEnabled: true, connectMethod: "extension" });
    this.connect.addEventListener(AW4.Connect.EVENT.STATUS, (/** @type {string} */ _type, /** @type {Status} */ status) => this.say(status));
    this.connect.addEventListener(AW4.Connect.EVENT.TRANSFER, (/** @type {string} */ _type, /** @type {any} */ data) =>
      this.handlers.transfers(data.transfers),
    );
    this.connect.initSession(appId);
  }

  /** @param {Status} status */
  say(status) {
    this.status = status;
    this.handlers.status(status);
  }

  /** The SDK's functions with callbacks in front. @param {string} name @param {any[]} rest @returns {Promise<any>} */
  #first(name, ...rest) {
    return new Promise((success, error) => this.connect[name]({ success, error }, ...rest));
  }

  /** The SDK's functions with callbacks at the end. @param {string} name @param {any[]} before @returns {Promise<any>} */
  #last(name, ...before) {
    return new Promise((success, error) => this.connect[name](...before, { success, error }));
  }

  /** Lets the person choose; the paths, none if nothing was chosen. @param {"files" | "folders" | "target"} what @param {string} title @returns {Promise<string[]>} */
  async choose(what, title) {
    const dialog = what === "files" ? "showSelectFileDialog" : "showSelectFolderDialog";
    const answer = await this.#first(dialog, { title, allowMultipleSelection: what !== "target" });
    return paths(answer);
  }

  /** Makes an element take files that are dropped on it. @param {string} selector @param {(event: Event) => void} moved @param {(paths: string[]) => void} dropped */
  takeDrops(selector, moved, dropped) {
    this.connect.setDragDropTargets(selector, { dragEnter: true, dragLeave: true, drop: true }, (/** @type {any} */ result) => {
      moved(result.event);
      if (result.event.type === "drop" && result.files) dropped(paths(result.files));
    });
  }

  /** @param {object} spec @param {object} [settings] */
  async start(spec, settings = {}) {
    const answer = await this.#last("startTransfer", spec, settings);
    for (const { uuid } of answer.transfer_specs ?? []) this.started.add(uuid);
  }

  /** @param {string} uuid */
  stop(uuid) {
    return this.#last("stopTransfer", uuid);
  }

  /** @param {string} uuid @param {object} changes */
  resume(uuid, changes) {
    return new Promise((success, error) => this.connect.resumeTransfer(uuid, changes, { success, error }));
  }

  /** @param {string} uuid */
  remove(uuid) {
    return this.#last("removeTransfer", uuid);
  }

  /** @param {string} uuid */
  showFolder(uuid) {
    return this.#last("showDirectory", uuid);
  }

  showAll() {
    return this.#first("showTransferManager");
  }

  version() {
    return this.#first("version");
  }

  /** Whether a TCP port answers, seen from the person's machine. @param {string} host @param {number} port */
  testPort(host, port) {
    return this.#last("testSshPorts", { remote_host: host, ssh_port: port, timeout_sec: 5 });
  }

  /** Tries a login over the data port, UDP. @param {object} spec */
  testLogin(spec) {
    return this.#last("authenticate", spec);
  }
}

/** @param {any} answer @returns {string[]} */
const paths = (answer) => (answer?.dataTransfer?.files ?? []).map((/** @type {{name: string}} */ file) => file.name);
