//! Why something in the settings cannot be used: a word with arguments, and the same in English.

use godwit_protocol::ui::Notice;

/// Why a value does not fit, without saying which and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// Without `setting-`.
    word: &'static str,
    args: Vec<String>,
    text: String,
}

impl Reason {
    /// A reason without arguments.
    pub(super) fn new(word: &'static str, text: &str) -> Self {
        Self { word, args: Vec::new(), text: text.into() }
    }

    /// Below `least` or above `most`.
    pub(super) fn range(value: u64, least: u64, most: u64) -> Self {
        let args = [least, most, value].map(|n| n.to_string()).to_vec();
        Self { word: "range", args, text: format!("it must be {least} to {most}, not {value}") }
    }

    /// As a notice about the setting `name` in the file `place`; an empty place is left out.
    pub(super) fn about(self, place: &str, name: &str) -> Notice {
        let text = if place.is_empty() { String::new() } else { format!("{place}: ") };
        let args = [place.to_owned(), name.to_owned()].into_iter().chain(self.args);
        Notice::new(&format!("setting-{}", self.word), args, format!("{text}{name}: {}", self.text))
    }
}
