//! The program that browsers start; see [`godwit_native_host::host`].

use std::io::Write;

fn main() {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let code = match godwit_native_host::host::run(&arguments) {
        Ok(ending) => ending as i32,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "godwit-host: {error}"));
            1
        }
    };
    // Not by returning: the other direction's thread may be inside a blocking write.
    std::process::exit(code);
}
