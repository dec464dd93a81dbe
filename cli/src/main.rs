//! The program `godwit`; everything it does is in the library beside it.

fn main() -> std::process::ExitCode {
    godwit_cli::run()
}
