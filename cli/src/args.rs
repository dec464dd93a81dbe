//! The command line.

use crate::location::Location;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use godwit_protocol::RateKbps;
use godwit_protocol::spec::{OverwritePolicy, RatePolicy, ResumePolicy};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Godwit moves files at line speed.
#[derive(Debug, Parser)]
#[command(name = "godwit", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Cp(CpArgs),
    Status(StatusArgs),
    Doctor(DoctorArgs),
    /// Control the agent that runs the browser's transfers
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Settings of this user
    #[command(subcommand)]
    Settings(SettingsCommand),
    Register(RegisterArgs),
    Unlock(UnlockArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AgentCommand {
    /// Start the agent if it does not run; a link of the form fasp://… does this
    Start(StartArgs),
    /// End the agent; running transfers stop where they are and go on when it is started again
    Stop,
    /// Let the installed program take the running one's place, with its transfers (after an update)
    Restart,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// What the desktop hands over with a link; not looked at
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    pub(crate) ignored: Vec<std::ffi::OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    Import(ImportArgs),
}

/// Take over settings of Connect, Drive or Cargo
///
/// Looks for their configuration files, shows what they say beside what holds here, and asks. What you have chosen here stays,
/// unless you say --replace; passwords and accounts are never taken over. What is not known is named.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// This file [default: those that are where the products keep them]
    #[arg(value_name = "FILE", conflicts_with_all = ["from", "root"])]
    pub(crate) file: Option<PathBuf>,
    /// Only of this product
    #[arg(long, value_name = "PRODUCT")]
    pub(crate) from: Option<Product>,
    /// Look for what is not in your home folder below this one instead of /
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Only show what would be taken over
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// Also in place of what you have chosen here
    #[arg(long)]
    pub(crate) replace: bool,
    /// As one JSON object; with --dry-run or --yes
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Product {
    Connect,
    Drive,
    Cargo,
}

/// Copy files and folders to or from a server
///
/// One side is a place on a server: [USER@]HOST:PATH, an IPv6 address in brackets. A local path with a colon is written
/// with a slash before it (./a:b). PATH is seen from the user's folder on the server.
///
/// DEST is a folder if it ends in "/", if there are several sources, or if a folder of that name exists; otherwise it
/// is the copy's new name. With "/" at the end, or with several sources, the folder is made if it is missing.
///
/// The password is read from GODWIT_PASSWORD, else asked for; a token from GODWIT_TOKEN. An interrupted copy continues
/// where it stopped when the same command is given again (but a folder on its way to a new name has that name by then
/// and would land inside: for what may take long, give DEST with "/" at the end). The exit code is 0 only if every file
/// arrived and was verified, else the number of the error.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CpArgs {
    /// What to copy: files and folders, all local or all on one server
    #[arg(required = true, value_name = "SRC")]
    pub(crate) sources: Vec<Location>,
    /// Where to
    #[arg(value_name = "DEST")]
    pub(crate) destination: Location,
    /// UDP port of the server
    #[arg(long, value_name = "PORT", default_value_t = 33001)]
    pub(crate) data_port: u16,
    /// The server's certificate must have this fingerprint [default: it must be known to the system]
    #[arg(long, value_name = "SHA256:…", value_parser = fingerprint)]
    pub(crate) fingerprint: Option<String>,
    /// Target rate: kbit/s, or a number with k, m or g, such as 200m [default: the server's]
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<RateKbps>,
    /// Never slower than this, except by the server's cap
    #[arg(long, value_name = "RATE")]
    pub(crate) min_rate: Option<RateKbps>,
    /// How to share the line with others
    #[arg(long, default_value = "fair", value_parser = word::<RatePolicy>(&["fixed", "high", "fair", "low"]))]
    pub(crate) policy: RatePolicy,
    /// When a partial file is continued: never, if size and time of the source are the same, or if its content is
    #[arg(long, value_name = "HOW", default_value = "sparse_checksum", value_parser =
        word::<ResumePolicy>(&["none", "attributes", "sparse_checksum", "full_checksum"]))]
    pub(crate) resume: ResumePolicy,
    /// When an existing file is replaced
    #[arg(long, value_name = "WHEN", default_value = "diff", value_parser =
        word::<OverwritePolicy>(&["always", "none", "diff", "older", "diff+older"]))]
    pub(crate) overwrite: OverwritePolicy,
    /// Connections that share the work, each with its own socket; the server may allow fewer
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(godwit_protocol::wire::MAX_CONNECTIONS)))]
    pub(crate) sessions: u32,
    /// Before a file is replaced, keep the old one under the name stem.yyyy.mm.dd.hh.mm.ss.index.ext
    #[arg(long)]
    pub(crate) save_before_overwrite: bool,
    /// Suffix of files on their way, with the dot
    #[arg(long, value_name = ".SUFFIX", default_value = ".partial", value_parser = suffix)]
    pub(crate) partial_suffix: String,
    /// Suffix of the journals beside them, with the dot
    #[arg(long, value_name = ".SUFFIX", default_value = ".aspera-ckpt", value_parser = suffix)]
    pub(crate) checkpoint_suffix: String,
    /// Keep the files' times
    #[arg(long)]
    pub(crate) preserve_times: bool,
    /// Encrypt what is sent with a passphrase, in the age format: NAME becomes NAME.age. The passphrase is read from
    /// GODWIT_PASSPHRASE, else asked for
    #[arg(long, conflicts_with = "decrypt")]
    pub(crate) encrypt: bool,
    /// Decrypt what was received: NAME.age becomes NAME. With a wrong passphrase the files stay encrypted
    #[arg(long)]
    pub(crate) decrypt: bool,
    /// Print what happens as JSON lines instead of a progress bar
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not wait for the local disk before a received file gets its name: faster, but a power cut may lose files that were
    /// reported as complete
    #[arg(long)]
    pub(crate) no_fsync: bool,
}

/// Decrypt files that were stored encrypted
///
/// Files in the age format that were encrypted with a passphrase: NAME.age becomes NAME beside it, and NAME.age goes when that is
/// complete. A file that is there already is never replaced: the other is called "NAME (decrypted)". Of folders, all files in
/// them whose names end in ".age". The passphrase is read from GODWIT_PASSPHRASE, else asked for. The exit code is 0 only if every file
/// was decrypted.
#[derive(Debug, clap::Args)]
pub(crate) struct UnlockArgs {
    /// Files and folders
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Keep the encrypted files too
    #[arg(long)]
    pub(crate) keep: bool,
    /// Ask and answer in windows of the desktop, or in a terminal of its own where the desktop has no zenity
    #[arg(long)]
    pub(crate) window: bool,
}

/// Show the agent and its transfers
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Find out what keeps Godwit from working here
///
/// Looks at browsers, host manifests, policies, the installation, the agent, folders, disk and clock. The exit code is 0 if
/// nothing is left that does not work.
#[derive(Debug, clap::Args)]
pub(crate) struct DoctorArgs {
    /// Mend what can be mended without losing anything
    #[arg(long)]
    pub(crate) fix: bool,
    /// Also see whether this server can be reached, by UDP and by TCP
    #[arg(long, value_name = "HOST")]
    pub(crate) server: Option<String>,
    /// Its UDP port
    #[arg(long, value_name = "PORT", default_value_t = 33001)]
    pub(crate) data_port: u16,
    /// The TCP port at which it answers web pages' port tests
    #[arg(long, value_name = "PORT", default_value_t = 33001)]
    pub(crate) tcp_port: u16,
    /// As one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Tell a browser where the host program is
///
/// Writes the native-messaging manifest for one profile or kiosk; the installer does it for ordinary users.
#[derive(Debug, clap::Args)]
pub(crate) struct RegisterArgs {
    /// Which browser
    #[arg(long)]
    pub(crate) browser: Browser,
    /// Chromium: its user-data folder. Firefox: the home folder of the user it runs as
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The host program [default: godwit-host beside this program]
    #[arg(long, value_name = "PATH")]
    pub(crate) host: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
}

/// The words of a protocol type, as its JSON has them: there is one list of names, not two.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value::<T>(word.into()))
}

fn fingerprint(text: &str) -> Result<String, String> {
    godwit_transport::identity::parse_fingerprint(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// What becomes part of a name must not make another path of it.
fn suffix(text: &str) -> Result<String, String> {
    let fits = text.len() > 1 && text.len() <= 32 && text.starts_with('.') && !text.contains('/');
    match fits && format!("x{text}").parse::<godwit_protocol::RelPath>().is_ok() {
        true => Ok(text.to_owned()),
        false => Err("a dot and 1 to 31 further bytes that may stand in a name".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn cp(arguments: &[&str]) -> Result<CpArgs, clap::Error> {
        let all = ["godwit", "cp"].iter().chain(arguments);
        Args::try_parse_from(all).map(|args| match args.command {
            Command::Cp(cp) => cp,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_page_api() {
        let args = cp(&["a", "host:b"]).unwrap();
        assert_eq!(
            (args.policy, args.resume, args.overwrite, args.data_port),
            (RatePolicy::Fair, ResumePolicy::SparseChecksum, OverwritePolicy::Diff, 33001)
        );
        assert!(args.rate.is_none() && !args.preserve_times && !args.json && !args.no_fsync);
        assert_eq!((args.sessions, args.save_before_overwrite), (1, false));
        let options = godwit_protocol::worker::TransferOptions::default();
        assert_eq!((args.partial_suffix, args.checkpoint_suffix), (options.partial_suffix, options.checkpoint_suffix));
    }

    #[test]
    fn options_are_read() {
        let args = cp(&[
            "--rate",
            "200m",
            "--min-rate",
            "1.5m",
            "--policy",
            "fixed",
            "--resume",
            "full_checksum",
            "--overwrite",
            "diff+older",
            "--data-port",
            "4000",
            "--preserve-times",
            "--json",
            "--no-fsync",
            "--sessions",
            "3",
            "--save-before-overwrite",
            "--partial-suffix",
            ".part",
            "a",
            "b",
            "ann@[::1]:c",
        ])
        .unwrap();
        assert_eq!((args.rate, args.min_rate), (Some(RateKbps(200_000)), Some(RateKbps(1_500))));
        assert_eq!(
            (args.policy, args.resume, args.overwrite),
            (RatePolicy::Fixed, ResumePolicy::FullChecksum, OverwritePolicy::DiffOlder)
        );
        assert_eq!((args.sources.len(), args.data_port, args.sessions), (2, 4000, 3));
        assert!(args.save_before_overwrite && args.partial_suffix == ".part");
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for bad in [
            ["--rate", "fast"],
            ["--policy", "greedy"],
            ["--fingerprint", "SHA256:12"],
            ["--overwrite", "maybe"],
            ["--data-port", "70000"],
            ["--sessions", "0"],
            ["--sessions", "17"],
            ["--partial-suffix", "../x"],
            ["--checkpoint-suffix", "x"],
        ] {
            let error = cp(&[bad[0], bad[1], "a", "h:b"]).unwrap_err().to_string();
            assert!(error.contains(bad[0]), "{error}");
        }
        assert!(cp(&["only-one"]).is_err());
    }
}
