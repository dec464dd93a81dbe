//! What the core is told, and what it wants done.

use super::files::FileWish;
use super::{RunId, WorkerEvent};
use crate::agent::Program;
use crate::dialog::{DialogRequest, Outcome};
use crate::drops::Found;
use crate::grants::Grant;
use crate::picker::Refusal;
use crate::secrets::{KeyPlaces, Keys, SecretError};
use crate::spool::Slot;
use crate::store::snapshot::Record;
use crate::transfers::{PlanError, Work};
use godwit_protocol::bodies::TestPorts;
use godwit_protocol::diagnose::PortTest;
use godwit_protocol::envelope::{Hello, Message, Request};
use godwit_protocol::page::{Dropped, PageAnswer};
use godwit_protocol::start::StartRequest;
use godwit_protocol::ui::{FolderListing, FolderQuery, NewFolder};
use godwit_protocol::worker::{Command, Start, Unlock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// A dialog of the desktop has ended by itself.
    DialogDone {
        /// The prompt it asked.
        prompt_id: String,
        /// How.
        outcome: Outcome,
    },
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
    /// Start a worker that decrypts files.
    Unlock {
        /// Its name.
        run: RunId,
        /// Its orders.
        unlock: Box<Unlock>,
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
    /// Show a dialog of the desktop.
    Dialog {
        /// For this prompt.
        prompt_id: String,
        /// What it asks.
        request: DialogRequest,
        /// Variables of the screen.
        environment: BTreeMap<String, String>,
    },
    /// Close the dialog of this prompt.
    CloseDialog(String),
    /// Keep a copy of the database, away from here: it is large.
    Snapshot(Vec<Record>),
    /// Open or close the local HTTP door.
    LocalHttp(bool),
    /// Log from this level on.
    LogLevel(String),
    /// End the process when all workers have ended.
    Exit {
        /// And let the installed program go on.
        again: bool,
    },
}

/// Work on the disk.
#[derive(Debug, PartialEq)]
pub enum Job {
    /// Look for the key ring again.
    Keys(KeyPlaces),
    /// Have the user unlock it.
    UnlockKeys {
        /// For this request.
        ticket: Ticket,
        /// Where keys may be.
        places: KeyPlaces,
    },
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
    /// Find what was dropped on a page.
    Find {
        /// For this request.
        ticket: Ticket,
        /// As the browser describes it.
        dropped: Vec<Dropped>,
        /// Folders to look in first.
        near: Vec<PathBuf>,
        /// Folders to look below.
        roots: Vec<PathBuf>,
        /// Not here: our own copies are no files of the user's.
        except: PathBuf,
    },
    /// Write a part of a copy of dropped content.
    Spool {
        /// For this request.
        ticket: Ticket,
        /// Where.
        slot: Slot,
        /// What.
        bytes: Vec<u8>,
    },
    /// Remove copies of dropped content.
    Unspool(Vec<PathBuf>),
    /// Remove what earlier agents copied.
    ClearSpool {
        /// The folder of all copies.
        root: PathBuf,
        /// Names of those that stay.
        keep: Vec<String>,
        /// Younger ones are not theirs.
        before: SystemTime,
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
    /// See whether another program is installed in this one's place, and whether it works.
    TryProgram {
        /// For this request.
        ticket: Ticket,
        /// This one.
        program: Program,
        /// Even if it is the same.
        always: bool,
    },
    /// Look for a transfer in the log.
    Log {
        /// For this request.
        ticket: Ticket,
        /// The log.
        file: PathBuf,
        /// What a line must contain.
        word: String,
    },
    /// Try a TCP port for the user.
    TryTcp {
        /// For this request.
        ticket: Ticket,
        /// In canonical form.
        host: String,
        /// Which.
        port: u16,
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
            | Self::Find { ticket, .. }
            | Self::Spool { ticket, .. }
            | Self::List { ticket, .. }
            | Self::File { ticket, .. }
            | Self::Connect { ticket, .. }
            | Self::TryProgram { ticket, .. }
            | Self::UnlockKeys { ticket, .. }
            | Self::TryTcp { ticket, .. }
            | Self::Log { ticket, .. }
            | Self::Create { ticket, .. } => *ticket,
            // Nobody waits for it.
            Self::Keys(_) | Self::Unspool(_) | Self::ClearSpool { .. } => 0,
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
    /// Of [`Job::Find`].
    Found {
        /// For this request.
        ticket: Ticket,
        /// The result.
        found: Found,
    },
    /// Of [`Job::Spool`].
    Spooled {
        /// For this request.
        ticket: Ticket,
        /// Bytes written; or why not, in words for the user.
        result: Result<u64, String>,
    },
    /// Of jobs that nobody waits for.
    Done,
    /// Of [`Job::File`] and [`Job::Connect`].
    Answer {
        /// For this request.
        ticket: Ticket,
        /// For the page.
        answer: PageAnswer,
    },
    /// Of [`Job::Log`].
    LogRead {
        /// For this request.
        ticket: Ticket,
        /// Oldest first.
        lines: Vec<String>,
    },
    /// Of [`Job::TryTcp`].
    TcpTried {
        /// For this request.
        ticket: Ticket,
        /// What was found out.
        result: PortTest,
    },
    /// Of [`Job::Keys`].
    Keys(Result<Keys, SecretError>),
    /// Of [`Job::UnlockKeys`].
    UnlockedKeys {
        /// For this request.
        ticket: Ticket,
        /// The keys as they are now.
        result: Result<Keys, SecretError>,
    },
    /// Of [`Job::TryProgram`].
    TriedProgram {
        /// For this request.
        ticket: Ticket,
        /// The version of what is installed, or why it does not work; `None`: it is the same.
        result: Option<Result<String, String>>,
    },
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
        result: Result<FolderListing, Refusal>,
    },
}
