//! The core as a whole, without processes: clients, clock, disk jobs and workers are values here.

#![allow(clippy::unwrap_used)]

mod again;
mod bandwidth;
mod callers;
mod certificates;
mod consent;
mod copies;
mod credentials;
mod diagnose;
mod dialogs;
mod drops;
mod durability;
mod endpoints;
mod forms;
mod give_up;
mod local_http;
mod monitor;
mod native;
mod policies;
mod protection;
mod settings;
mod transfers;
mod trust;
mod unlock;
mod windows;

use super::*;
use crate::home::Places;
use crate::settings::MemoryFile;
use crate::settings::policy::Policy;
use crate::store::MemoryStore;
use godwit_protocol::Origin;
use godwit_protocol::envelope::{Caller, Hello, Message, PROTOCOL, Request, Response, Role, topics};
use godwit_protocol::ui::{Decision, Prompt, TransferStatus, kinds};
use godwit_protocol::worker::{Command, Start, Unlock};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const SITE: &str = "https://app.example";
const OTHER: &str = "https://other.example";
const APP: &str = "app-one";

/// A core with everything around it.
pub(super) struct World {
    core: Core,
    store: MemoryStore,
    settings_file: MemoryFile,
    policy: Policy,
    levels: Vec<String>,
    snapshots: Vec<Vec<crate::store::snapshot::Record>>,
    dir: tempfile::TempDir,
    now: Now,
    next_request: u64,
    next_conn: ConnId,
    /// Everything sent and not yet looked at.
    sent: Vec<(ConnId, Message)>,
    /// Workers started and not yet ended, by transfer.
    workers: BTreeMap<String, (RunId, Start)>,
    /// Workers started to decrypt.
    unlocks: Vec<(RunId, Unlock)>,
    told: Vec<(RunId, Command)>,
    opened: Vec<PathBuf>,
    /// Dialogs of the desktop that are open, by prompt.
    dialogs: BTreeMap<String, crate::dialog::DialogRequest>,
    exited: bool,
    /// Whether the local HTTP door shall be open.
    pub(super) door: bool,
}

fn build(store: MemoryStore, dir: &std::path::Path, file: &MemoryFile, policy: &Policy, now: Now) -> Core {
    static IDS: AtomicU64 = AtomicU64::new(1);
    let home = Home::new(&Places { godwit_home: Some(dir.into()), ..Places::default() }).unwrap();
    let key_places = KeyPlaces { file: dir.join("state/keys/key"), desktop: None };
    let vault = Vault::new(&key_places.settle().unwrap());
    let new_id = || format!("id-{}", IDS.fetch_add(1, Ordering::SeqCst));
    let idle = Duration::from_secs(600);
    let settings = SettingsBook::open(file.clone(), policy.clone());
    let program = crate::agent::Program::at(std::path::Path::new("/no/such/agent"));
    Core::new(Parts { store, vault, key_places, settings, home, notices: vec![], idle, program, new_id }, now).unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self::with("", "")
    }

    /// With these settings and this policy.
    pub(super) fn with(settings: &str, policy: &str) -> Self {
        let settings_file = MemoryFile::default();
        settings_file.set(settings);
        let policy = Policy::parse(policy, std::path::Path::new("policy"));
        let store = MemoryStore::default();
        let dir = tempfile::tempdir().unwrap();
        let now = Now { mono: Duration::from_secs(1_000), wall_ms: 1_700_000_000_000 };
        let core = build(store.clone(), dir.path(), &settings_file, &policy, now);
        Self {
            core,
            store,
            settings_file,
            policy,
            levels: vec![],
            snapshots: vec![],
            dir,
            now,
            next_request: 1,
            next_conn: 1,
            sent: vec![],
            workers: BTreeMap::new(),
            unlocks: vec![],
            told: vec![],
            opened: vec![],
            dialogs: BTreeMap::new(),
            exited: false,
            door: false,
        }
    }

    /// The agent dies without a word and a new one starts; clients and workers are gone.
    pub(super) fn killed(&mut self, store: MemoryStore) {
        self.store = store;
        self.core = build(self.store.clone(), self.dir.path(), &self.settings_file, &self.policy, self.now);
        self.workers.clear();
        self.sent.clear();
        let outputs = self.core.start(self.now);
        self.carry_out(outputs);
    }

    pub(super) fn handle(&mut self, input: Input) {
        let outputs = self.core.handle(self.now, input);
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { conn, message } => self.sent.push((conn, message)),
                Output::StartWorker { run, start } => {
                    let old = self.workers.insert(start.transfer_id.clone(), (run, *start));
                    assert!(old.is_none(), "two workers for one transfer");
                }
                Output::Unlock { run, unlock } => self.unlocks.push((run, *unlock)),
                Output::TellWorker { run, command } => self.told.push((run, command)),
                Output::Job(job) => {
                    let result = crate::agent::jobs::run(job);
                    self.handle(Input::JobDone(result));
                }
                Output::OpenFolder(folder, _) => self.opened.push(folder),
                Output::Dialog { prompt_id, request, .. } => {
                    self.dialogs.insert(prompt_id, request);
                }
                Output::CloseDialog(prompt_id) => {
                    self.dialogs.remove(&prompt_id).expect("a dialog to close");
                }
                Output::Snapshot(records) => self.snapshots.push(records),
                Output::LogLevel(level) => self.levels.push(level),
                Output::LocalHttp(open) => self.door = open,
                Output::Exit { .. } => self.exited = true,
            }
        }
    }

    pub(super) fn later(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.wall_ms += u64::try_from(time.as_millis()).unwrap();
        self.handle(Input::Tick);
    }

    pub(super) fn connect_as(&mut self, role: Role, session: Option<&str>) -> ConnId {
        self.connect_from(role, session, Caller::default())
    }

    pub(super) fn connect_from(&mut self, role: Role, session: Option<&str>, caller: Caller) -> ConnId {
        let conn = self.next_conn;
        self.next_conn += 1;
        let hello = Hello {
            id: 0,
            protocol: PROTOCOL,
            product: "godwit".into(),
            version: "0".into(),
            role,
            capabilities: vec![],
            session: session.map(Into::into),
            caller: Some(caller),
        };
        self.handle(Input::Connected { conn, hello });
        conn
    }

    pub(super) fn browser(&mut self, session: &str) -> ConnId {
        self.connect_as(Role::Extension, Some(session))
    }

    /// Sends any request; its id.
    pub(super) fn send(&mut self, conn: ConnId, kind: &str, origin: Option<&str>, params: Value) -> u64 {
        self.send_with(conn, kind, origin, params, None)
    }

    pub(super) fn send_with(
        &mut self,
        conn: ConnId,
        kind: &str,
        origin: Option<&str>,
        params: Value,
        deadline_ms: Option<u64>,
    ) -> u64 {
        let id = self.next_request;
        self.next_request += 1;
        let origin: Option<Origin> = origin.map(|o| o.parse().unwrap());
        self.handle(Input::Request { conn, request: Request { id, kind: kind.into(), origin, deadline_ms, params } });
        id
    }

    /// Sends a page call; its id.
    pub(super) fn call(&mut self, conn: ConnId, site: &str, method: &str, path: &str, body: &Value) -> u64 {
        let body = if method == "GET" { String::new() } else { body.to_string() };
        let params = json!({"method": method, "uri": format!("/connect/{path}"), "body": body});
        self.send(conn, kinds::PAGE, Some(site), params)
    }

    /// `POST` with the app id.
    pub(super) fn post(&mut self, conn: ConnId, site: &str, path: &str, mut body: Value) -> u64 {
        if body.get("aspera_connect_settings").is_none() {
            body["aspera_connect_settings"] = json!({"app_id": APP});
        }
        self.call(conn, site, "POST", path, &body)
    }

    pub(super) fn response(&mut self, id: u64) -> Option<Response> {
        let at = self.sent.iter().position(|(_, m)| matches!(m, Message::Response(r) if r.id == id))?;
        match self.sent.remove(at).1 {
            Message::Response(response) => Some(response),
            _ => None,
        }
    }

    /// Status and body of a page's answer; panics if there is none yet.
    pub(super) fn answer(&mut self, id: u64) -> (u16, Value) {
        let response = self.response(id).expect("an answer");
        let result = response.result.unwrap_or_else(|| panic!("{:?}", response.error));
        let status = u16::try_from(result["status"].as_u64().unwrap()).unwrap();
        (status, serde_json::from_str(result["body"].as_str().unwrap()).unwrap())
    }

    pub(super) fn ask(&mut self, conn: ConnId, site: &str, path: &str, body: Value) -> (u16, Value) {
        let id = self.post(conn, site, path, body);
        self.answer(id)
    }

    /// A request of a window: result or error code.
    pub(super) fn ui(&mut self, conn: ConnId, kind: &str, params: Value) -> Result<Value, String> {
        let id = self.send(conn, kind, None, params);
        let response = self.response(id).expect("an answer");
        response.result.ok_or_else(|| response.error.unwrap().code)
    }

    pub(super) fn events(&mut self, conn: ConnId, topic: &str) -> Vec<Value> {
        let mut found = Vec::new();
        self.sent.retain(|(c, m)| match m {
            Message::Event(e) if *c == conn && e.topic == topic => {
                found.push(e.data.clone());
                false
            }
            _ => true,
        });
        found
    }

    pub(super) fn prompts(&mut self, conn: ConnId) -> Vec<Prompt> {
        let events = self.events(conn, topics::PROMPT);
        events.into_iter().map(|e| serde_json::from_value(e).unwrap()).collect()
    }

    /// The one prompt that has appeared.
    pub(super) fn prompt(&mut self, conn: ConnId) -> Prompt {
        let mut prompts = self.prompts(conn);
        assert_eq!(prompts.len(), 1, "{prompts:?}");
        prompts.remove(0)
    }

    pub(super) fn decide(&mut self, conn: ConnId, prompt: &Prompt, decision: &Decision) -> Result<Value, String> {
        let mut params = serde_json::to_value(decision).unwrap();
        params["prompt_id"] = json!(prompt.prompt_id);
        self.ui(conn, kinds::ANSWER, params)
    }

    /// Makes a site trusted.
    pub(super) fn trust(&mut self, conn: ConnId, site: &str) {
        let id = self.call(conn, site, "GET", "windows/about", &json!({}));
        let prompt = self.prompt(conn);
        self.decide(conn, &prompt, &Decision::Allow { remember: true }).unwrap();
        assert_eq!(self.answer(id).0, 200);
    }

    /// A trusted browser.
    pub(super) fn trusted() -> (Self, ConnId) {
        let mut world = Self::new();
        let conn = world.browser("s1");
        world.trust(conn, SITE);
        (world, conn)
    }

    pub(super) fn spec() -> Value {
        json!({"direction": "receive", "remote_host": "server.example", "remote_user": "u", "remote_password": "hunter2",
            "paths": [{"source": "pub/file.bin"}]})
    }

    pub(super) fn start_body(spec: &Value, settings: &Value) -> Value {
        let mut settings = settings.clone();
        settings["app_id"] = json!(settings.get("app_id").and_then(Value::as_str).unwrap_or(APP));
        json!({"transfer_specs": [{"transfer_spec": spec, "aspera_connect_settings": settings}]})
    }

    /// Starts a download that must be accepted.
    pub(super) fn start(&mut self, conn: ConnId) -> String {
        let (status, body) =
            self.ask(conn, SITE, "transfers/start", Self::start_body(&Self::spec(), &json!({"request_id": "r"})));
        assert_eq!(status, 200, "{body}");
        body["transfer_specs"][0]["uuid"].as_str().unwrap().to_owned()
    }

    pub(super) fn worker(&mut self, uuid: &str, event: WorkerEvent) {
        let run = self.workers[uuid].0;
        if event.is_end() {
            self.workers.remove(uuid);
        }
        self.handle(Input::Worker { run, event });
    }

    pub(super) fn info(&mut self, conn: ConnId, uuid: &str) -> Value {
        let (status, body) = self.ask(conn, SITE, &format!("transfers/info/{uuid}"), json!({}));
        assert_eq!(status, 200, "{body}");
        body["transfer_info"].clone()
    }

    pub(super) fn status(&self, uuid: &str) -> TransferStatus {
        self.core.queue.place(&TransferId::new(uuid)).unwrap().status
    }

    pub(super) fn activity(&mut self, conn: ConnId, site: &str, token: u64) -> Value {
        let (status, body) = self.ask(conn, site, "transfers/activity", json!({"iteration_token": token}));
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["result_count"], json!(body["transfers"].as_array().unwrap().len()));
        body
    }
}
