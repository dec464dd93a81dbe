// @ts-check
// A screen of its own, and another program on it from which a person drags files: real windows, a real pointer.

import { execFileSync, spawn } from "node:child_process";
import { kill } from "./machine.mjs";
import { until } from "./wait.mjs";

/** The other program: a window from which files can be dragged, as from a file manager. It says what happens to the drag. */
const SOURCE = `
import sys, gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gtk, Gdk, GLib
uris = [GLib.filename_to_uri(path, None) for path in sys.argv[1:]]
window = Gtk.Window(title="files to drag")
window.set_default_size(200, 200)
window.move(1450, 50)
window.add(Gtk.EventBox())
window.get_child().drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
window.get_child().drag_source_add_uri_targets()
window.get_child().connect("drag-data-get", lambda widget, context, data, *rest: data.set_uris(uris))
window.get_child().connect("drag-begin", lambda *rest: print("begin", flush=True))
window.get_child().connect("drag-end", lambda *rest: print("end", flush=True))
window.connect("map-event", lambda *rest: print("shown", flush=True))
window.show_all()
Gtk.main()
`;

export class Desktop {
  /** Starts a screen; what the machine starts from now on is shown there. @param {import("./machine.mjs").Machine} machine */
  static async start(machine) {
    const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1700x1000x24", "-nolisten", "tcp", "-noreset"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
    let number = "";
    screen.stdio[3]?.on("data", (/** @type {Buffer} */ chunk) => (number += chunk));
    await until("the screen is there", () => number.endsWith("\n"));
    const environment = { ...machine.environment, DISPLAY: `:${number.trim()}` };
    machine.environment = environment;
    return new Desktop(environment, screen.pid ?? 0);
  }

  /** @param {Record<string, string | undefined>} environment @param {number} pid of the screen */
  constructor(environment, pid) {
    this.environment = /** @type {NodeJS.ProcessEnv} */ (environment);
    this.pid = pid;
  }

  /**
   * Drags files out of another program's window to a point of the screen, and lets them go once they are taken there.
   * @param {string[]} paths @param {{x: number, y: number}} to
   * @param {() => Promise<boolean>} taken whether what is there has seen them come
   */
  async drag(paths, to, taken) {
    // Debian's own Python has the toolkit.
    const source = spawn("/usr/bin/python3", ["-c", SOURCE, ...paths], { env: this.environment, stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    source.stdout.on("data", (chunk) => (said += chunk));
    try {
      await until("the other program's window is there", () => said.includes("shown"));
      this.#pointer("mousemove", 1550, 150, "mousedown", 1);
      let step = 0;
      await until("the drag begins", () => {
        this.#pointer("mousemove", 1550 - (step += 10), 150);
        return said.includes("begin");
      });
      await until("the files are over their target", () => {
        step += 1;
        this.#pointer("mousemove", to.x + (step % 2), to.y);
        return taken();
      });
      this.#pointer("mouseup", 1);
      await until("the drag ends", () => said.includes("end"));
    } finally {
      kill(source.pid ?? 0, "SIGKILL");
    }
  }

  end() {
    kill(this.pid, "SIGKILL");
  }

  /** @param {...(string | number)} what as `xdotool` wants it */
  #pointer(...what) {
    execFileSync("xdotool", what.map(String), { env: this.environment });
  }
}
