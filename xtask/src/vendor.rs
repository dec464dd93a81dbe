//! Libraries that the extension ships: fetched by npm as `extension/package-lock.json` says (names, versions and checksums), and
//! copied into the package unchanged, with their licences.

use crate::{Outcome, files, place, setup};
use std::path::Path;

/// The files of each library, below `node_modules/` and below `vendor/`.
const FILES: [(&str, &str); 3] = [
    // Not minified: whoever reviews the extension can read it.
    ("uplot/dist/uPlot.esm.js", "uplot/uPlot.esm.js"),
    ("uplot/dist/uPlot.min.css", "uplot/uPlot.min.css"),
    ("uplot/LICENSE", "uplot/LICENSE"),
];

/// Fetches what is not there yet.
pub(crate) fn fetch() -> Outcome {
    setup::node_packages(&place::root().join("extension"))
}

/// Copies them below `folder`.
pub(crate) fn copy(folder: &Path) -> Outcome {
    let source = place::root().join("extension/node_modules");
    for (from, to) in FILES {
        let text = files::read(&source.join(from))?;
        files::write(&folder.join(to), text.as_bytes())?;
    }
    Ok(())
}
