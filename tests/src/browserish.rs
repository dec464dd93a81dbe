//! A browser with our extension, as the host sees one: hello, requests, events, and a user who answers prompts.

use crate::host_pipe::{HostPipe, Output, chromium_argument, hello};
use crate::{Page, Scratch};
use base64::Engine as _;
use godwit_protocol::envelope::{ErrorFrame, Event, Hello, Message, Request, topics};
use godwit_protocol::page::PageAnswer;
use godwit_protocol::ui::{Decision, Prompt, PromptAnswer, Question, Status, kinds};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longest wait for one answer. Far above what is normal: it only turns a hang into a failure.
const ANSWER: Duration = Duration::from_secs(60);

/// What the user does when asked.
#[derive(Clone, Debug)]
pub struct User {
    /// Answer to "may this site use Godwit?"; `None` leaves the window open.
    pub consent: Option<Decision>,
    /// Answer to an unknown certificate.
    pub certificate: Option<Decision>,
    /// Answers to the question for a login, first question first; without one it is cancelled.
    pub logins: VecDeque<Decision>,
    /// Answers to the question for a passphrase, first question first; without one it is cancelled.
    pub passphrases: VecDeque<Decision>,
    /// What to choose in the next file dialogs, first dialog first; without one the dialog is cancelled.
    pub picks: VecDeque<Vec<PathBuf>>,
}

impl Default for User {
    fn default() -> Self {
        Self {
            consent: Some(Decision::Allow { remember: true }),
            certificate: Some(Decision::Allow { remember: true }),
            logins: VecDeque::new(),
            passphrases: VecDeque::new(),
            picks: VecDeque::new(),
        }
    }
}

/// The answer of a request, whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Result of a response.
    Result(Value),
    /// Error of a response.
    Error(ErrorFrame),
    /// Status and body of an answer that came in parts.
    Parts(u16, String),
}

/// A running host with our extension at its pipes.
#[derive(Debug)]
pub struct Browserish {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pipe: HostPipe,
    next_id: AtomicU64,
    pending: Mutex<HashMap<u64, Sender<Answer>>>,
    seen: Mutex<Seen>,
    user: Mutex<User>,
}

#[derive(Debug, Default)]
struct Seen {
    hello: Option<Hello>,
    events: Vec<Event>,
    prompts: Vec<Prompt>,
    parts: HashMap<u64, String>,
    ended: bool,
    faults: Vec<String>,
}

impl Browserish {
    /// Starts a browser session of its own name and waits for the agent's hello.
    #[must_use]
    pub fn open(scratch: &Scratch) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Self::open_session(scratch, &format!("session-{}", COUNT.fetch_add(1, Ordering::SeqCst)))
    }

    /// As [`Self::open`], in a named browser session (as after a restart of the background).
    #[must_use]
    pub fn open_session(scratch: &Scratch, session: &str) -> Self {
        let browser = Self::begin(scratch, session);
        crate::until("the hello of the other side", crate::wait::SOON, || browser.hello());
        browser
    }

    /// As [`Self::open_session`] without waiting for anything.
    #[must_use]
    pub fn begin(scratch: &Scratch, session: &str) -> Self {
        let pipe = HostPipe::spawn(scratch, &[&chromium_argument()]);
        let output = pipe.take_output();
        let shared = Arc::new(Shared {
            pipe,
            next_id: AtomicU64::new(1),
            pending: Mutex::default(),
            seen: Mutex::default(),
            user: Mutex::default(),
        });
        let reader = Arc::downgrade(&shared);
        std::thread::spawn(move || {
            for output in output {
                let Some(shared) = reader.upgrade() else { return };
                shared.take(output);
            }
        });
        shared.pipe.send(&hello(session));
        Self { shared }
    }

    /// The first hello that came, if it has.
    #[must_use]
    pub fn hello(&self) -> Option<Hello> {
        self.shared.seen.lock().unwrap().hello.clone()
    }

    /// Changes what the user will do.
    pub fn user(&self, change: impl FnOnce(&mut User)) {
        change(&mut self.shared.user.lock().unwrap());
    }

    /// A page of `origin` in this browser, with an app id of its own.
    #[must_use]
    pub fn page(&self, origin: &str, app_id: &str) -> Page<'_> {
        Page::new(self, origin, app_id)
    }

    /// Sends a request and waits for its end.
    #[must_use]
    pub fn request(&self, kind: &str, origin: Option<&str>, params: Value) -> Answer {
        self.ask(kind, origin, params)
            .recv_timeout(ANSWER)
            .unwrap_or_else(|e| panic!("no answer to {kind} ({e}); faults: {:?}", self.faults()))
    }

    /// Sends a request; the answer comes by the channel.
    #[must_use]
    pub fn ask(&self, kind: &str, origin: Option<&str>, params: Value) -> std::sync::mpsc::Receiver<Answer> {
        let (send, receive) = channel();
        let origin = origin.map(|text| text.parse().expect("an origin; forged ones go through a HostPipe"));
        let request = Request {
            id: self.shared.next_id.fetch_add(1, Ordering::SeqCst),
            kind: kind.to_owned(),
            origin,
            deadline_ms: None,
            params,
        };
        self.shared.pending.lock().unwrap().insert(request.id, send);
        let id = request.id;
        self.shared.pipe.send(&Message::Request(request));
        // The host had ended before: nobody else would tell.
        if self.shared.seen.lock().unwrap().ended {
            self.shared.pending.lock().unwrap().remove(&id);
        }
        receive
    }

    /// A request of an extension page.
    pub fn ui(&self, kind: &str, params: Value) -> Result<Value, ErrorFrame> {
        match self.request(kind, None, params) {
            Answer::Result(value) => Ok(value),
            Answer::Error(error) => Err(error),
            Answer::Parts(..) => panic!("{kind} was answered in parts"),
        }
    }

    /// Status and body of a page call.
    #[must_use]
    pub fn page_call(&self, origin: &str, method: &str, uri: &str, body: &str) -> PageAnswer {
        let params = json!({"method": method, "uri": uri, "body": body, "min_version": ""});
        match self.request(kinds::PAGE, Some(origin), params) {
            Answer::Result(value) => serde_json::from_value(value).expect("a page answer"),
            Answer::Parts(status, body) => PageAnswer { status, body },
            Answer::Error(error) => panic!("{method} {uri}: {error:?}"),
        }
    }

    /// What `godwit status` would show.
    #[must_use]
    pub fn status(&self) -> Status {
        serde_json::from_value(self.ui(kinds::STATUS, json!({})).unwrap()).unwrap()
    }

    /// Prompts seen so far.
    #[must_use]
    pub fn prompts(&self) -> Vec<Prompt> {
        self.shared.seen.lock().unwrap().prompts.clone()
    }

    /// Events seen so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.seen.lock().unwrap().events.clone()
    }

    /// What the host did against the contract: anything on its output that is no message.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().faults.clone()
    }

    /// Every byte that came from the host.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.shared.pipe.raw()
    }

    /// The host's process id.
    #[must_use]
    pub fn host_pid(&self) -> u32 {
        self.shared.pipe.pid()
    }

    /// True while the host runs.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        crate::processes::is_alive(self.host_pid())
    }

    /// The browser is killed: the host's pipes close and nobody waits for it.
    pub fn kill(self) {
        self.shared.pipe.kill();
    }

    /// Answers a prompt by hand.
    pub fn answer(&self, prompt_id: &str, decision: Decision) -> Result<Value, ErrorFrame> {
        let answer = PromptAnswer { prompt_id: prompt_id.to_owned(), decision };
        self.ui(kinds::ANSWER, serde_json::to_value(answer).unwrap())
    }
}

impl Shared {
    fn take(&self, output: Output) {
        match output {
            Output::Frame(bytes) => match Message::parse(&bytes) {
                Ok(message) => self.dispatch(message),
                Err(error) => self.fault(format!("{error}: {}", String::from_utf8_lossy(&bytes))),
            },
            Output::Rubbish(text) => self.fault(text),
            // Nobody will answer any more: whoever waits shall know at once.
            Output::End => {
                self.seen.lock().unwrap().ended = true;
                self.pending.lock().unwrap().clear();
            }
        }
    }

    fn fault(&self, text: String) {
        self.seen.lock().unwrap().faults.push(text);
    }

    fn dispatch(&self, message: Message) {
        match message {
            Message::Hello(hello) => self.seen.lock().unwrap().hello = Some(hello),
            Message::Request(request) => self.fault(format!("the other side sent a request: {request:?}")),
            Message::Response(response) => match (response.result, response.error) {
                (Some(result), None) => self.settle(response.id, Answer::Result(result)),
                (None, Some(error)) => self.settle(response.id, Answer::Error(error)),
                both => self.fault(format!("a response with not exactly one of result and error: {both:?}")),
            },
            Message::Part(part) => {
                let mut seen = self.seen.lock().unwrap();
                let text = seen.parts.entry(part.id).or_default();
                text.push_str(&part.body64);
                if part.last {
                    let text = seen.parts.remove(&part.id).unwrap_or_default();
                    drop(seen);
                    let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("parts join to base64");
                    let body = String::from_utf8(bytes).expect("a body is UTF-8");
                    self.settle(part.id, Answer::Parts(part.status, body));
                }
            }
            Message::Event(event) => {
                if event.topic == topics::PROMPT {
                    match serde_json::from_value::<Prompt>(event.data.clone()) {
                        Ok(prompt) => self.asked(prompt),
                        Err(error) => self.fault(format!("{error}: {event:?}")),
                    }
                }
                self.seen.lock().unwrap().events.push(event);
            }
        }
    }

    fn settle(&self, id: u64, answer: Answer) {
        // An answer to a prompt's answer has nobody who waits.
        if let Some(waiting) = self.pending.lock().unwrap().remove(&id) {
            let _ = waiting.send(answer);
        }
    }

    fn asked(&self, prompt: Prompt) {
        if prompt.native {
            // A dialog of the desktop asks.
            return;
        }
        let decision = {
            let mut user = self.user.lock().unwrap();
            match &prompt.question {
                Question::Consent { .. } => user.consent.clone(),
                Question::ServerCertificate { .. } => user.certificate.clone(),
                // Nothing is dropped on this page.
                Question::Dropped { .. } | Question::DroppedCopy { .. } => Some(Decision::Cancel),
                Question::Passphrase { .. } => Some(user.passphrases.pop_front().unwrap_or(Decision::Cancel)),
                Question::Credentials { .. } => Some(user.logins.pop_front().unwrap_or(Decision::Cancel)),
                Question::OpenFiles(_) | Question::OpenFolders(_) | Question::SaveFile(_) => {
                    Some(match user.picks.pop_front() {
                        Some(paths) => {
                            let paths = paths.iter().map(|p| p.to_str().expect("UTF-8").to_owned()).collect();
                            Decision::Chosen { paths }
                        }
                        None => Decision::Cancel,
                    })
                }
            }
        };
        let prompt_id = prompt.prompt_id.clone();
        self.seen.lock().unwrap().prompts.push(prompt);
        let Some(decision) = decision else { return };
        let request = Request {
            id: self.next_id.fetch_add(1, Ordering::SeqCst),
            kind: kinds::ANSWER.to_owned(),
            origin: None,
            deadline_ms: None,
            params: serde_json::to_value(PromptAnswer { prompt_id, decision }).unwrap(),
        };
        self.pipe.send(&Message::Request(request));
    }
}
