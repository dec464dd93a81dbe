//! Who logs in and with what: from the environment, else asked for on the terminal without showing what is typed.

use godwit_protocol::worker::{Credential, Failure};
use godwit_protocol::{ErrorCode, Secret};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, Read, Write};

/// Longest password read from a terminal, bytes.
const MAX_PASSWORD: usize = 4096;

/// Login name and proof for `user` at `host`.
pub(crate) fn credentials(user: Option<&str>, host: &str) -> Result<(String, Credential), Failure> {
    let secret = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).map(Secret::new);
    if let Some(token) = secret("GODWIT_TOKEN") {
        return Ok((user.unwrap_or_default().to_owned(), Credential::Token { token }));
    }
    let user = match user {
        Some(user) => user.to_owned(),
        // As scp: who does not say otherwise is the same person there.
        None => ["USER", "LOGNAME"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
            .ok_or_else(|| Failure::new(ErrorCode::Authentication, "say who you are: write USER@HOST:PATH"))?,
    };
    if let Some(password) = secret("GODWIT_PASSWORD") {
        return Ok((user, Credential::Password { password }));
    }
    match ask(&format!("Password of {user} at {host}: ")) {
        Ok(Some(password)) => Ok((user, Credential::Password { password })),
        Ok(None) => Err(Failure::new(ErrorCode::UserCancel, "no password was given")),
        Err(error) => {
            tracing::debug!(%error, "no terminal to ask on");
            let how = "there is no terminal to ask for a password on: set GODWIT_PASSWORD or GODWIT_TOKEN";
            Err(Failure::new(ErrorCode::Authentication, how))
        }
    }
}

/// The passphrase for encryption at rest; a new one is asked for twice.
pub(crate) fn passphrase(new: bool) -> Result<Secret, Failure> {
    if let Some(given) = std::env::var("GODWIT_PASSPHRASE").ok().filter(|v| !v.is_empty()) {
        return Ok(Secret::new(given));
    }
    let ask = |question: &str| match ask(question) {
        Ok(Some(answer)) if !answer.is_empty() => Ok(answer),
        Ok(_) => Err(Failure::new(ErrorCode::UserCancel, "no passphrase was given")),
        Err(error) => {
            tracing::debug!(%error, "no terminal to ask on");
            let how = "there is no terminal to ask for a passphrase on: set GODWIT_PASSPHRASE";
            Err(Failure::new(ErrorCode::FileEncryption, how))
        }
    };
    let first = ask("Passphrase: ")?;
    // Nobody could open what was encrypted with a mistyped one.
    if new && ask("The same once more: ")?.expose() != first.expose() {
        return Err(Failure::new(ErrorCode::Usage, "the two passphrases are not the same: give the command again"));
    }
    Ok(first)
}

/// Is there a terminal to ask on?
pub(crate) fn has_terminal() -> bool {
    File::options().read(true).write(true).open("/dev/tty").is_ok()
}

/// Asks on the terminal itself, wherever input and output are redirected to; `None` if the user gives up.
fn ask(question: &str) -> io::Result<Option<Secret>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let _silence = Silence::on(&terminal)?;
    (&terminal).write_all(question.as_bytes())?;
    let password = read_line(&mut io::BufReader::with_capacity(64, &terminal).bytes());
    (&terminal).write_all(b"\r\n")?;
    password
}

/// Reads keys up to Return. Keys that would be signals arrive as bytes: the echo must be on again before we end.
fn read_line(keys: &mut impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<Secret>> {
    const CANCEL: u8 = 0x03;
    const END: u8 = 0x04;
    const ERASE_LINE: u8 = 0x15;
    let mut line = Vec::new();
    let mut given = false;
    for key in keys {
        match key? {
            b'\r' | b'\n' => {
                given = true;
                break;
            }
            CANCEL | END => break,
            ERASE_LINE => line.clear(),
            // Backspace takes a whole character, however many bytes it has.
            0x08 | 0x7f => while line.pop().is_some_and(|byte: u8| byte & 0xc0 == 0x80) {},
            byte if line.len() < MAX_PASSWORD => line.push(byte),
            _ => {}
        }
    }
    let secret = given.then(|| Secret::new(String::from_utf8_lossy(&line).into_owned()));
    zeroize::Zeroize::zeroize(&mut line);
    Ok(secret)
}

/// Turns the terminal's echo off while it lives.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn on(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        read_line(&mut keys.iter().map(|key| Ok(*key))).unwrap().map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn the_prompt_knows_the_keys_people_press() {
        assert_eq!(typed(b"secret\r").as_deref(), Some("secret"));
        assert_eq!(typed(b"wrong\x15right\n").as_deref(), Some("right"));
        assert_eq!(typed("caf\u{e9}\u{7f}e\n".as_bytes()).as_deref(), Some("cafe"));
        assert_eq!(typed(b"\x7f\x7fa\n").as_deref(), Some("a"));
        for cancelled in [&b"half\x03"[..], b"half\x04", b"half"] {
            assert_eq!(typed(cancelled), None);
        }
    }
}
