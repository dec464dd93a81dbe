//! `godwit-manuals DIR`: manual pages and completions of the command lines, from the very definitions that parse them. Run by
//! `cargo xtask build`; it is not shipped.
//!
//! `DIR/client` and `DIR/server` are laid out as `/usr/share` is: `man/man1`, `bash-completion/completions`,
//! `zsh/site-functions`, `fish/vendor_completions.d`.
//!
//! **Must not know:** what the programs do.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use std::path::{Path, PathBuf};
use std::{fs, io};

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("say where to: godwit-manuals DIR"));
    };
    let client = folder.join("client");
    write(&client, godwit_cli::command())?;
    write(&client, godwit_installer::args::Cli::command())?;
    write(&folder.join("server"), godwit_server::args::Args::command())
}

/// Everything of one program.
fn write(share: &Path, mut command: Command) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let shells = [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Zsh, format!("zsh/site-functions/_{name}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
    ];
    for (shell, path) in shells {
        let path = share.join(path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut text = Vec::new();
        generate(shell, &mut command, &name, &mut text);
        fs::write(path, text)?;
    }
    let pages = share.join("man/man1");
    fs::create_dir_all(&pages)?;
    // `help` tells of the pages that are written here anyway.
    clap_mangen::generate_to(command.disable_help_subcommand(true), pages)
}
