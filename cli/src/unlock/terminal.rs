//! On a terminal: one question, one line for each file.

use super::{Refused, Watch, each, exit_code, one};
use crate::args::UnlockArgs;
use crate::{login, text};
use godwit_protection::Opener;
use godwit_protocol::worker::Failure;
use std::process::ExitCode;

pub(super) fn run(args: &UnlockArgs) -> ExitCode {
    let passphrase = match login::passphrase(false) {
        Ok(passphrase) => passphrase,
        Err(failure) => return refused(&failure),
    };
    let opener = Opener::new(&passphrase);
    let mut first = None;
    for file in each(&args.files) {
        match one(&file, &opener, args.keep, &Watch::default()) {
            Ok(made) => println!("{}", text::shown(&made.display().to_string())),
            Err(Refused { failure, .. }) => {
                let code = refused(&failure);
                first.get_or_insert(code);
            }
        }
    }
    first.unwrap_or(ExitCode::SUCCESS)
}

fn refused(failure: &Failure) -> ExitCode {
    eprintln!("godwit: {}", text::shown(&failure.message));
    exit_code(failure)
}
