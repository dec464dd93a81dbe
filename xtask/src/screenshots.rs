//! `cargo xtask screenshots`: a picture of every window and state, light and dark, English and German, from the real
//! programs. Chromium shows all of them; Firefox (one language without a language pack, light only) is looked at too.

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

/// What docs/walkthrough.md shows.
const FOR_READERS: [&str; 6] =
    ["consent", "picker", "popup-transfers", "activity-details", "monitor-running", "preferences-bandwidth"];

pub(crate) fn run(options: &Options) -> Outcome {
    setup::run(setup::Needs { browsers: true, ..Default::default() })?;
    build::run(&build::Options::default())?;
    let folder = place::target().join("screenshots");
    files::remove_folder(&folder)?;
    for (browser, language) in [(Browser::Chromium, "en"), (Browser::Chromium, "de"), (Browser::Firefox, "en")] {
        if options.chromium_only && browser == Browser::Firefox {
            continue;
        }
        let mut node = run::command("node");
        node.args(["--test", "--test-concurrency=1"])
            .args(
                [
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
                ]
                .map(|name| format!("tests/browser/tests/{name}.test.mjs")),
            )
            .env("GODWIT_BROWSERS", browser.name())
            .env("GODWIT_LANGUAGE", language)
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
