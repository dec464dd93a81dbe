//! `cargo xtask screenshots`: a picture of every window and state, light and dark, English and German, from the real
//! programs in both browsers.

use crate::place::{self, Browser};
use crate::{Outcome, build, files, run, setup};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave Firefox out
    #[arg(long)]
    chromium_only: bool,
    /// Take the pictures of docs/walkthrough.md over into the repository
    #[arg(long)]
    docs: bool,
}

/// Browser, its language, and what Firefox is asked to be; Chromium shows both in one round.
const ROUNDS: [(Browser, &str, &str); 5] = [
    (Browser::Chromium, "en", "light"),
    (Browser::Chromium, "de", "light"),
    (Browser::Firefox, "en", "light"),
    (Browser::Firefox, "en", "dark"),
    (Browser::Firefox, "de", "light"),
];

/// The tests that look at the extension's windows.
const WINDOWS: [&str; 10] = [
    "consent",
    "windows",
    "popup",
    "preferences",
    "monitor",
    "credentials",
    "passphrase",
    "detection",
    "activity",
    "drop",
];

/// Those that look at the server's pages, which bring their German along.
const SERVERS: [&str; 4] = ["web", "web-diagnostics", "web-encrypted", "guide"];

/// What docs/walkthrough.md shows.
const FOR_READERS: [&str; 6] =
    ["consent", "picker", "popup-transfers", "activity-details", "monitor-running", "preferences-bandwidth"];

pub(crate) fn run(options: &Options) -> Outcome {
    setup::run(setup::Needs { browsers: true, ..Default::default() })?;
    build::run(&build::Options::default())?;
    let folder = place::target().join("screenshots");
    files::remove_folder(&folder)?;
    for (browser, language, scheme) in ROUNDS {
        if options.chromium_only && browser == Browser::Firefox {
            continue;
        }
        let of_servers = if language == "en" { &SERVERS[..] } else { &[] };
        let mut node = run::command("node");
        node.args(["--test", "--test-concurrency=1"])
            .args(WINDOWS.iter().chain(of_servers).map(|name| format!("tests/browser/tests/{name}.test.mjs")))
            .env("GODWIT_BROWSERS", browser.name())
            .env("GODWIT_LANGUAGE", language)
            .env("GODWIT_SCHEME", scheme)
            .env("GODWIT_SCREENSHOTS", &folder);
        run::check(&mut node)?;
    }
    println!("pictures in {}", folder.display());
    if options.docs {
        for name in FOR_READERS {
            files::copy(
                &folder.join(format!("{name}-chromium-en-light.png")),
                &place::root().join("docs/pictures").join(format!("{name}.png")),
            )?;
        }
    }
    Ok(())
}
