//! `godwit cp`: runs a session in this process and tells how it went.

use crate::args::CpArgs;
use crate::login;
use crate::plan::{Attempt, Plan};
use crate::progress::{Display, summary};
use crate::text;
use godwit_protocol::ErrorCode;
use godwit_protocol::spec::{ContentProtection, Direction};
use godwit_protocol::worker::{
    Command, Credential, ENCRYPTED_ONLY, Failure, Protection, RateSettings, Report, ServerAddress, ServerIdentity,
    Start, Stats, TransferOptions,
};
use std::process::ExitCode;
use std::time::Instant;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Reports under way between the session and the display.
const REPORTS: usize = 256;

/// Runs the command; the exit code is the error's number.
pub(crate) fn run(args: &CpArgs) -> ExitCode {
    let mut display = Display::new(args.json, args.rate);
    let begin = Instant::now();
    let result = copy(args, &mut display);
    match &result {
        Ok(stats) => display.show(&Report::Done(stats.clone())),
        Err(failure) => display.show(&Report::Error(failure.clone())),
    }
    display.end(result.as_ref().err());
    match result {
        Ok(stats) => {
            if !args.json {
                println!("{}", summary(&stats, begin.elapsed()));
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("godwit: {}", advice(&failure, args));
            // 0 would mean success, whatever went wrong in choosing the number.
            ExitCode::from(u8::try_from(failure.code.number()).unwrap_or(u8::MAX).max(1))
        }
    }
}

/// The failure and the next step, in one line.
fn advice(failure: &Failure, args: &CpArgs) -> String {
    let message = text::shown(&failure.message);
    let step = match failure.code {
        ErrorCode::Insecure => match (&failure.fingerprint, &args.fingerprint) {
            (Some(shown), None) => {
                let shown = text::shown(shown);
                return format!(
                    "The server's certificate is not known to this system; its fingerprint is {shown}. If the \
                     server's administrator confirms that, add --fingerprint {shown}"
                );
            }
            (Some(shown), Some(_)) if !message.contains(shown.as_str()) => {
                format!(" It presented {}.", text::shown(shown))
            }
            _ => String::new(),
        },
        ErrorCode::ControlFailed | ErrorCode::ControlTimeout | ErrorCode::DataConnection | ErrorCode::DataTimeout => {
            " Then give the same command again.".into()
        }
        ErrorCode::UserCancel => " Give the same command again to continue where it stopped.".into(),
        code if code.is_retryable() => " Give the same command again to continue where it stopped.".into(),
        ErrorCode::Authentication => {
            " Check the user name, and GODWIT_PASSWORD or GODWIT_TOKEN if they are set.".into()
        }
        _ if message.contains(ENCRYPTED_ONLY) && !args.encrypt => {
            " Add --encrypt; GODWIT_PASSPHRASE has the passphrase, or it is asked for.".into()
        }
        _ => String::new(),
    };
    format!("{message}{step}")
}

fn internal(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(ErrorCode::Internal, error.to_string())
}

fn copy(args: &CpArgs, display: &mut Display) -> Result<Stats, Failure> {
    let plan = Plan::new(&args.sources, &args.destination)?;
    let (user, credential) = login::credentials(plan.user.as_deref(), &plan.host)?;
    let protection = protection(args, &plan)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| internal(&e))?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|e| internal(&e))?;
        let mut result = Err(internal(&"nothing to do"));
        for (number, attempt) in plan.attempts.iter().enumerate() {
            let start = start(args, &plan, attempt, &user, &credential, protection.clone());
            let (outcome, accepted) = session(start, display, &mut signals).await;
            let no_folder = matches!(&outcome, Err(failure)
                if matches!(failure.code, ErrorCode::NoSuchFile | ErrorCode::NotDirectory));
            result = outcome;
            // Only a refusal of the request itself means that the target is no folder.
            if !no_folder || accepted || number + 1 == plan.attempts.len() {
                break;
            }
        }
        result
    });
    // Disk operations of an aborted session are not waited for.
    runtime.shutdown_background();
    result
}

/// What is wanted of encryption at rest; the same command continues what it began.
fn protection(args: &CpArgs, plan: &Plan) -> Result<Option<Protection>, Failure> {
    let (mode, fits) = match (args.encrypt, args.decrypt) {
        (true, _) => (ContentProtection::Encrypt, plan.direction == Direction::Send),
        (_, true) => (ContentProtection::Decrypt, plan.direction == Direction::Receive),
        _ => return Ok(None),
    };
    if !fits {
        return Err(Failure::new(ErrorCode::Usage, "--encrypt is for what is sent, --decrypt for what is received"));
    }
    let passphrase = login::passphrase(args.encrypt)?;
    let scope = format!("cp {}@{} {:?}", plan.user.as_deref().unwrap_or_default(), plan.host, args.destination);
    Ok(Some(Protection { mode, passphrase, scope }))
}

fn start(
    args: &CpArgs,
    plan: &Plan,
    attempt: &Attempt,
    user: &str,
    credential: &Credential,
    protection: Option<Protection>,
) -> Start {
    Start {
        transfer_id: uuid::Uuid::new_v4().to_string(),
        attempt: 1,
        direction: plan.direction,
        server: ServerAddress {
            host: plan.host.clone(),
            data_port: args.data_port,
            tcp_port: args.data_port,
            user: user.to_owned(),
            credential: credential.clone(),
            identity: ServerIdentity { fingerprint: args.fingerprint.clone(), pin: None },
        },
        paths: attempt.paths.clone(),
        destination_root: attempt.destination_root.clone(),
        create_dir: attempt.create_dir,
        options: TransferOptions {
            resume: args.resume,
            overwrite: args.overwrite,
            save_before_overwrite: args.save_before_overwrite,
            preserve_times: args.preserve_times,
            partial_suffix: args.partial_suffix.clone(),
            checkpoint_suffix: args.checkpoint_suffix.clone(),
            fsync: !args.no_fsync,
            ..TransferOptions::default()
        },
        rate: RateSettings { policy: args.policy, target: args.rate, minimum: args.min_rate, cap: None },
        sessions: args.sessions,
        cookie: String::new(),
        root_id: None,
        protection,
    }
}

/// Runs one session; also tells whether the server accepted the request.
async fn session(start: Start, display: &mut Display, signals: &mut Signals) -> (Result<Stats, Failure>, bool) {
    let (reports, mut incoming) = mpsc::channel(REPORTS);
    let (commands, orders) = mpsc::channel(4);
    let task = tokio::spawn(async move { godwit_transport::client::run(&start, reports, orders).await });
    let (mut accepted, mut stopping) = (false, false);
    loop {
        tokio::select! {
            report = incoming.recv() => match report {
                Some(report) => {
                    accepted |= matches!(report, Report::Session { .. });
                    display.show(&report);
                }
                // The session has let go of its end: it is over.
                None => break,
            },
            () = signals.next() => {
                if stopping {
                    task.abort();
                    let failure = Failure::new(ErrorCode::UserCancel, "");
                    return (Err(failure), true);
                }
                stopping = true;
                display.say("Stopping… (once more: at once)");
                // A full or closed channel: the session is about to end anyway.
                let _ = commands.try_send(Command::Stop);
            }
        }
    }
    let result = task.await.unwrap_or_else(|error| Err(internal(&error)));
    (result, accepted)
}

/// The ways in which a user or a system says stop.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
