// @ts-check
// Mouse and keyboard on a grid whose rows carry `data-uuid`: one stop for Tab, arrows within, ranges with Shift.

/**
 * @typedef {object} Handlers
 * @property {() => number} page rows of a Page key
 * @property {(index: number) => void} moved cursor or choice changed; the row must be in the document afterwards
 * @property {() => void} open Enter or double click
 * @property {() => void} remove the Delete key
 * @property {(direction: number) => void} reorder Alt with an arrow: earlier (-1) or later (1) in the queue
 * @property {(x: number, y: number) => void} menu asked for a context menu there
 */

export class GridKeys {
  /** @param {HTMLElement} element @param {import("./transfer-model.js").TransferModel} model @param {Handlers} handlers */
  constructor(element, model, handlers) {
    this.element = element;
    this.model = model;
    this.handlers = handlers;
    element.addEventListener("click", (event) => this.#clicked(event));
    element.addEventListener("dblclick", (event) => {
      if (this.#uuid(event) !== null && !this.#onButton(event)) handlers.open();
    });
    element.addEventListener("contextmenu", (event) => this.#menu(event));
    element.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Puts the focus on the row with the cursor. */
  focus() {
    const uuid = this.model.cursor ?? this.model.order[0];
    if (uuid === undefined) return;
    this.handlers.moved(this.model.rows.get(uuid) ?? 0);
    /** @type {HTMLElement | null} */ (this.element.querySelector(`[data-uuid="${CSS.escape(uuid)}"]`))?.focus({ preventScroll: true });
  }

  /** @param {Event} event @returns {string | null} */
  #uuid(event) {
    return /** @type {Element} */ (event.target).closest("[data-uuid]")?.getAttribute("data-uuid") ?? null;
  }

  /** @param {Event} event */
  #onButton(event) {
    return /** @type {Element} */ (event.target).closest("button") !== null;
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const uuid = this.#uuid(event);
    if (uuid === null || this.#onButton(event)) return;
    if (event.shiftKey) this.model.rangeTo(uuid);
    else if (event.ctrlKey || event.metaKey) this.model.toggle(uuid);
    else this.model.only(uuid);
    this.focus();
  }

  /** @param {MouseEvent} event */
  #menu(event) {
    const uuid = this.#uuid(event);
    if (uuid === null) return;
    event.preventDefault();
    if (!this.model.chosen.has(uuid)) this.model.only(uuid);
    this.focus();
    this.handlers.menu(event.clientX, event.clientY);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const { model, handlers } = this;
    const how = { range: event.shiftKey, keep: event.ctrlKey || event.metaKey };
    const button = this.#onButton(event);
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: handlers.page(), PageUp: -handlers.page(), Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (event.altKey) {
      if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
      event.preventDefault();
      return handlers.reorder(event.key === "ArrowUp" ? -1 : 1);
    }
    if (step !== undefined) {
      model.move(Number.isFinite(step) ? step : step > 0 ? model.order.length : -model.order.length, how);
    } else if (event.key === " " && !button) {
      if (model.cursor !== null) model.toggle(model.cursor);
    } else if (event.key === "Enter" && !button) {
      if (model.cursor !== null) model.only(model.cursor);
      event.preventDefault();
      this.focus();
      return handlers.open();
    } else if (event.key === "Delete") {
      if (model.chosen.size === 0 && model.cursor !== null) model.only(model.cursor);
      return handlers.remove();
    } else if (event.key === "a" && how.keep) {
      model.all();
    } else if (event.key === "Escape" && model.chosen.size > 0) {
      model.none();
    } else if (event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) {
      if (model.cursor !== null && !model.chosen.has(model.cursor)) model.only(model.cursor);
      event.preventDefault();
      this.focus();
      const box = /** @type {Element} */ (event.target).closest("[data-uuid]")?.getBoundingClientRect();
      return handlers.menu((box?.left ?? 0) + 24, (box?.top ?? 0) + 24);
    } else {
      return;
    }
    event.preventDefault();
    this.focus();
  }
}
