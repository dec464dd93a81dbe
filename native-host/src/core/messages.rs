//! What the core is told, and what it wants done.

use super::files::FileWish;
use super::{RunId, WorkerEvent};
use crate::grants::Grant;
use crate::secrets::{KeyPlaces, Keys, SecretError};
use crate::store::snapshot::Record;
use crate::transfers::{PlanError, Work};
use godwit_protocol::bodies::TestPorts;
use godwit_protocol::envelope::{Hello, Message, Request};
use godwit_protocol::page::PageAnswer;
use godwit_protocol::start::StartRequest;
use godwit_protocol::ui::{FolderListing, FolderQuery, NewFolder};
use godwit_protocol::worker::{Command, Start};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Names a connection; never used twice in an agent's life.
pub type ConnId = u64;
/// Names a request that waits for something.
pub type Ticket = u64;

/// What happens.
#[derive(Debug)]
pub enum Input {
    /// A client said hello.
    Connected {
        /// Which.
        conn: ConnId,
        /// What it said.
        hello: Hello,
    },
    /// A client has gone. May come more than once.
    Disconnected {
        /// Which.
        conn: ConnId,
    },
    /// A client asks.
    Request {
        /// Which.
        conn: ConnId,
        /// What.
        request: Request,
    },
    /// A worker did something.
    Worker {
        /// Which.
        run: RunId,
        /// What.
        event: WorkerEvent,
    },
    /// A job has ended.
    JobDone(JobResult),
    /// Somebody may have changed the settings file.
    SettingsTouched,
    /// The time that [`Core::next_deadline`] named has come.
    Tick,
    /// The process was asked to end.
    Shutdown,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send {
        /// To whom.
        conn: ConnId,
        /// What.
        message: Message,
    },
    /// Start a worker.
    StartWorker {
        /// Its name.
        run: RunId,
        /// Its orders.
        start: Box<Start>,
    },
    /// Tell a worker.
    TellWorker {
        /// Which.
        run: RunId,
        /// What.
        command: Command,
    },
    /// Ask the disk, away from here: it may hang.
    Job(Job),
    /// Show a folder on the screen that the variables belong to.
    OpenFolder(PathBuf, BTreeMap<String, String>),
    /// Keep a copy of the database, away from here: it is large.
    Snapshot(Vec<Record>),
    /// Log from this level on.
    LogLevel(String),
    /// End the process when all workers have ended.
    Exit,
}

/// Work on the disk.
#[derive(Debug, PartialEq)]
pub enum Job {
    /// Look for the key ring again.
    Keys(KeyPlaces),
    /// Resolve and check a page's transfer.
    Plan {
        /// For this request.
        ticket: Ticket,
        /// What the page asked.
        request: Box<StartRequest>,
        /// What it may name.
        grants: Vec<Grant>,
        /// Where relative downloads go.
        downloads: PathBuf,
    },
    /// Look at what the user chose.
    Inspect {
        /// For this request.
        ticket: Ticket,
        /// Absolute paths.
        paths: Vec<String>,
        /// A name to be written, not things that exist.
        save: bool,
    },
    /// List a folder for the picker.
    List {
        /// For this request.
        ticket: Ticket,
        /// Which; its path is given.
        query: FolderQuery,
        /// Shortcut: where the last dialog was.
        recent: Option<PathBuf>,
    },
    /// Read or sum a file for a page.
    File {
        /// For this request.
        ticket: Ticket,
        /// What.
        wish: FileWish,
        /// What it may name.
        grants: Vec<Grant>,
    },
    /// Try a port of a server.
    Connect {
        /// For this request.
        ticket: Ticket,
        /// Which.
        wish: TestPorts,
    },
    /// Make a folder and list it.
    Create {
        /// For this request.
        ticket: Ticket,
        /// Which.
        folder: NewFolder,
    },
}

impl Job {
    /// The request it is for.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        match self {
            Self::Plan { ticket, .. }
            | Self::Inspect { ticket, .. }
            | Self::List { ticket, .. }
            | Self::File { ticket, .. }
            | Self::Connect { ticket, .. }
            | Self::Create { ticket, .. } => *ticket,
            // Nobody waits for it.
            Self::Keys(_) => 0,
        }
    }
}

/// A file the user chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// As the user named it.
    pub path: String,
    /// What the site may do with it.
    pub grant: Grant,
    /// Bytes; 0 for folders and new names.
    pub size: u64,
    /// Milliseconds since the Unix epoch; 0 for new names.
    pub modified_ms: u64,
}

/// How a job ended.
#[derive(Debug)]
pub enum JobResult {
    /// Of [`Job::Plan`].
    Planned {
        /// For this request.
        ticket: Ticket,
        /// What the page asked.
        request: Box<StartRequest>,
        /// The result.
        result: Result<Work, PlanError>,
    },
    /// Of [`Job::Inspect`]; what could not be looked at is missing.
    Inspected {
        /// For this request.
        ticket: Ticket,
        /// The rest.
        chosen: Vec<Chosen>,
    },
    /// Of [`Job::File`] and [`Job::Connect`].
    Answer {
        /// For this request.
        ticket: Ticket,
        /// For the page.
        answer: PageAnswer,
    },
    /// Of [`Job::Keys`].
    Keys(Result<Keys, SecretError>),
    /// It took too long, or failed in a way that should not be.
    Lost {
        /// For this request.
        ticket: Ticket,
    },
    /// Of [`Job::List`] and [`Job::Create`].
    Listed {
        /// For this request.
        ticket: Ticket,
        /// The listing, or one of the envelope's codes with words.
        result: Result<FolderListing, (&'static str, String)>,
    },
}
