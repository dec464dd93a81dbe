// What the extension uses of the browsers' API, and the messages it exchanges with the agent (protocol/src).
// Only declarations: nothing of this is shipped.

declare namespace chrome {
  interface Event<F extends (...args: any[]) => void> {
    addListener(listener: F): void;
    removeListener(listener: F): void;
  }
  namespace runtime {
    const id: string | undefined;
    const lastError: { message?: string } | undefined;
    interface MessageSender {
      id?: string;
      url?: string;
      origin?: string;
      frameId?: number;
      documentId?: string;
      tab?: tabs.Tab;
    }
    interface Port {
      name: string;
      sender?: MessageSender;
      /** Firefox only. */
      error?: { message: string } | null;
      postMessage(message: unknown): void;
      disconnect(): void;
      onMessage: Event<(message: any) => void>;
      onDisconnect: Event<(port: Port) => void>;
    }
    function connect(info: { name: string }): Port;
    function connectNative(application: string): Port;
    function getURL(path: string): string;
    function getManifest(): { version: string };
    function getPlatformInfo(): Promise<{ os: string }>;
    const onConnect: Event<(port: Port) => void>;
    const onInstalled: Event<() => void>;
    const onMessage: Event<(message: unknown, sender: MessageSender, reply: (answer: unknown) => void) => void>;
  }
  namespace tabs {
    interface Tab {
      id?: number;
      windowId?: number;
    }
    function get(id: number): Promise<Tab>;
    function create(properties: { url: string; active?: boolean }): Promise<Tab>;
    function query(which: { active?: boolean; currentWindow?: boolean }): Promise<Tab[]>;
    function reload(id: number): Promise<void>;
    function sendMessage(id: number, message: unknown): Promise<unknown>;
    function remove(id: number): Promise<void>;
    function update(id: number, properties: { active: boolean }): Promise<Tab>;
    const onRemoved: Event<(id: number) => void>;
  }
  namespace windows {
    interface Window {
      id?: number;
      left?: number;
      top?: number;
      width?: number;
      height?: number;
      focused?: boolean;
      tabs?: tabs.Tab[];
    }
    function create(properties: {
      url: string;
      type: "popup";
      focused?: boolean;
      width?: number;
      height?: number;
      left?: number;
      top?: number;
    }): Promise<Window | undefined>;
    function getLastFocused(): Promise<Window>;
    function update(id: number, properties: { focused: boolean }): Promise<Window>;
    function remove(id: number): Promise<void>;
    const onRemoved: Event<(id: number) => void>;
  }
  namespace storage {
    interface Area {
      get(key: string): Promise<Record<string, unknown>>;
      set(items: Record<string, unknown>): Promise<void>;
    }
    const session: Area;
    const local: Area;
    const managed: { get(): Promise<Record<string, unknown>> };
    const onChanged: Event<(changes: Record<string, unknown>, area: string) => void>;
  }
  namespace notifications {
    interface Note {
      type: "basic";
      iconUrl: string;
      title: string;
      message: string;
      buttons?: { title: string }[];
    }
    function create(id: string, note: Note): Promise<string>;
    function clear(id: string): Promise<boolean>;
    const onClicked: Event<(id: string) => void>;
    const onClosed: Event<(id: string) => void>;
    /** Chromium only. */
    const onButtonClicked: undefined | Event<(id: string, button: number) => void>;
  }
  namespace action {
    function setIcon(details: { imageData: Record<string, ImageData> }): Promise<void>;
    function setTitle(details: { title: string }): Promise<void>;
    function getTitle(details: object): Promise<string>;
    function setBadgeText(details: { text: string }): Promise<void>;
    function setBadgeBackgroundColor(details: { color: string }): Promise<void>;
    const setBadgeTextColor: undefined | ((details: { color: string }) => Promise<void>);
  }
  namespace i18n {
    function getMessage(name: string, substitutions?: string[]): string;
    function getUILanguage(): string;
  }
}

interface PageCall {
  method: string;
  uri: string;
  body: string;
  min_version: string;
  timeout?: number;
}

interface PageAnswer {
  status: number;
  body: string;
}

interface TrustView {
  trusted: string[];
  restricted: string[];
  ask?: string[];
  managed_trusted?: string[];
  managed_restricted?: string[];
  managed_only?: boolean;
}

type SettingValue = string | number | boolean | null;
type SettingValues = Record<string, Record<string, SettingValue>>;

interface SettingsView {
  values: SettingValues;
  defaults: SettingValues;
  locked: string[];
  file: string;
  problems: string[];
  notes?: Note[];
}

interface KnownServer {
  server: string;
  fingerprint: string;
}

interface SavedPassword {
  id: string;
  server: string;
  user: string;
  saved_at: number;
}

interface HelloFrame {
  type: "hello";
  protocol: { major: number; minor: number };
  version: string;
  role: string;
}

interface ResponseFrame {
  type: "response";
  id: number;
  result?: any;
  error?: { code: string; message: string; retryable: boolean; note?: Note };
}

interface PartFrame {
  type: "part";
  id: number;
  index: number;
  last: boolean;
  status: number;
  body64: string;
}

interface EventFrame {
  type: "event";
  topic: string;
  seq: number;
  data: any;
}

type Frame = HelloFrame | ResponseFrame | PartFrame | EventFrame;

interface TransferView {
  uuid: string;
  title: string;
  direction: "send" | "receive";
  origin: string;
  remote_host: string;
  status: string;
  bytes_expected: number;
  bytes_written: number;
  rate_kbps: number;
  seconds_left: number | null;
  files_expected: number;
  files_completed: number;
  files_failed: number;
  current_file: string;
  folder: string | null;
  error: { code: number; message: string } | null;
  attempts: number;
  added_ms: number;
  queue_order?: number;
  live?: Live | null;
  shortage?: { needed: number; free: number } | null;
  unlocked?: { opened: number; kept: number; why: string | null; wrong_passphrase: boolean } | null;
  unlocking?: { done: number; total: number } | null;
}

interface Sample {
  at_ms: number;
  rate_kbps: number;
  limit_kbps: number;
  lost: number;
  queue_us: number;
  rtt_us: number;
  bytes_written: number;
}

interface Live extends Sample {
  connections: number;
  limits_version: number;
}

interface RateSettings {
  policy?: string;
  target: number | null;
  minimum: number | null;
  cap: number | null;
}

interface RateLocks {
  policy: boolean;
  target: boolean;
  minimum: boolean;
}

interface Limits {
  wished: RateSettings;
  granted: RateSettings;
  locked_by_site: RateLocks;
  locked_by_server: RateLocks;
  share: number | null;
}

interface SessionNote {
  began_ms: number;
  ended_ms: number | null;
  transport: string;
  server_version: string;
  connections: number;
  bytes: number;
  lost: number;
  error: { code: number; message: string } | null;
}

interface FileReport {
  path: string;
  size: number;
  outcome: "completed" | "skipped" | "failed";
  error?: { code: number; message: string };
}

interface TransferHistory {
  spec?: unknown;
  samples: Sample[];
  step_ms: number;
  sessions: SessionNote[];
  files: FileReport[];
  limits: Limits;
}

interface Prompt {
  prompt_id: string;
  origin: string;
  /** The origin's host in its own letters, if the origin has it as punycode; the background adds it. */
  letters?: string | null;
  /** The desktop's own dialog asks. */
  native?: boolean;
  ask: string;
  purpose?: string;
  remote_host?: string;
  title?: string;
  suggested_name?: string;
  multiple?: boolean;
  filters?: FileFilter[];
  folder?: string;
  paths?: string[];
  count?: number;
  call?: number;
  names?: string[];
  sizes?: number[];
  limit?: number;
  server?: string;
  fingerprint?: string;
  user?: string;
  wrong?: boolean;
  can_save?: boolean;
  saved?: boolean;
  creates?: boolean;
  can_skip?: boolean;
  unlocks?: string;
}

interface FileFilter {
  filter_name: string;
  extensions: string[];
}

interface FolderEntry {
  name: string;
  folder: boolean;
  size: number;
  modified_ms: number;
}

interface FolderListing {
  path: string;
  parent: string | null;
  entries: FolderEntry[];
  places: { kind: string; path: string }[];
  truncated: boolean;
}

/** Something for people, by a word and what stands in it; `text` is the whole in English. */
interface Note {
  code: string;
  args: string[];
  text: string;
}

interface AgentStatus {
  version: string;
  pid: number;
  home: string;
  uptime_seconds: number;
  counts: Record<string, number>;
  notices: string[];
  more?: {
    log?: string;
    downloads?: string;
    notes?: Note[];
    host?: { browser: string; version: string; pid: number; manifest: string | null } | null;
  };
}

declare module "*/vendor/uplot/uPlot.esm.js" {
  // What rate-graph.js uses of it.
  type Plot = any;
  interface Options {
    [name: string]: any;
    scales?: Record<string, { time?: boolean; range?: (u: Plot, min: number | null, max: number | null) => [number, number] }>;
    axes?: { [name: string]: any; values?: (u: Plot, ticks: number[]) => string[] }[];
    series?: { [name: string]: any; value?: (u: Plot, value: number | null) => string }[];
  }
  export default class uPlot {
    static paths: { bars?: (options: object) => unknown };
    constructor(options: Options, data: unknown, parent: HTMLElement);
    over: HTMLElement;
    setData(data: unknown): void;
    setSize(size: { width: number; height: number }): void;
    redraw(): void;
  }
}

declare module "*/wasm/godwit_core.js" {
  export default function init(options: { module_or_path: string }): Promise<unknown>;
  export function constants(): string;
  export function check_request(detail: string, origin: string): string;
  export function precheck(call: string, origin: string, trust: string): string;
  export function hello(version: string, session: string): string;
  export function parse_message(text: string): string;
  export function answer_for_error(code: string, message: string): string;
  export function unicode_host(origin: string): string;
  export function answer_unavailable(reason: string): string;
}
