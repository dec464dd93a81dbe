//! What the windows say, in the desktop's language: English or German.

use super::Why;

/// All words.
pub(super) struct Words {
    /// Titles of the question, of the work, and of what became of it.
    pub(super) title: &'static str,
    pub(super) title_busy: &'static str,
    pub(super) title_done: &'static str,
    pub(super) title_failed: &'static str,
    /// Before the file's name.
    pub(super) passphrase_for: &'static str,
    pub(super) wrong: &'static str,
    pub(super) unlock: &'static str,
    pub(super) busy: &'static str,
    /// Before the names.
    pub(super) unlocked: &'static str,
    /// Of one file, and of several.
    pub(super) kept: [&'static str; 2],
    pub(super) removed: [&'static str; 2],
    /// Before the names.
    pub(super) locked: &'static str,
    pub(super) and_more: &'static str,
    /// Before a terminal closes.
    pub(super) press_return: &'static str,
    not_encrypted: &'static str,
    too_much_work: &'static str,
    damaged: &'static str,
    full: &'static str,
    forbidden: &'static str,
    stopped: &'static str,
}

const ENGLISH: Words = Words {
    title: "Unlock with Godwit",
    title_busy: "Unlocking \u{2013} Godwit",
    title_done: "Unlocked \u{2013} Godwit",
    title_failed: "Still encrypted \u{2013} Godwit",
    passphrase_for: "Passphrase for",
    wrong: "The passphrase is wrong.",
    unlock: "Unlock",
    busy: "Unlocking",
    unlocked: "Unlocked:",
    kept: ["The encrypted file is kept, beside it.", "The encrypted files are kept, beside them."],
    removed: ["The encrypted file was removed.", "The encrypted files were removed."],
    locked: "Still encrypted:",
    and_more: "and more",
    press_return: "Press Return.",
    not_encrypted: "not encrypted with a passphrase in the age format",
    too_much_work: "it asks for so much work that it is refused",
    damaged: "the encrypted file is damaged or not complete",
    full: "there is no room left on this disk",
    forbidden: "you may not read it, or not write to its folder: copy it to a folder of yours first",
    stopped: "stopped",
};

const GERMAN: Words = Words {
    title: "Mit Godwit entsperren",
    title_busy: "Wird entsperrt \u{2013} Godwit",
    title_done: "Entsperrt \u{2013} Godwit",
    title_failed: "Noch verschlüsselt \u{2013} Godwit",
    passphrase_for: "Passphrase für",
    wrong: "Die Passphrase ist falsch.",
    unlock: "Entsperren",
    busy: "Wird entsperrt:",
    unlocked: "Entsperrt:",
    kept: [
        "Die verschlüsselte Datei bleibt daneben erhalten.",
        "Die verschlüsselten Dateien bleiben daneben erhalten.",
    ],
    removed: ["Die verschlüsselte Datei wurde entfernt.", "Die verschlüsselten Dateien wurden entfernt."],
    locked: "Noch verschlüsselt:",
    and_more: "und weitere",
    press_return: "Eingabetaste drücken.",
    not_encrypted: "nicht mit einer Passphrase im age-Format verschlüsselt",
    too_much_work: "sie verlangt so viel Rechenarbeit, dass es verweigert wird",
    damaged: "die verschlüsselte Datei ist beschädigt oder nicht vollständig",
    full: "auf diesem Datenträger ist kein Platz mehr",
    forbidden: "sie darf nicht gelesen oder ihr Ordner nicht beschrieben werden: erst in einen eigenen Ordner kopieren",
    stopped: "angehalten",
};

impl Words {
    /// In the language that these variables name, the first that is set: as every program of the desktop chooses.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> &'static Self {
        let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
        let language = ["LC_ALL", "LC_MESSAGES", "LANG"].iter().find_map(set).unwrap_or_default();
        if language == "de" || language.starts_with("de_") || language.starts_with("de.") { &GERMAN } else { &ENGLISH }
    }

    pub(super) fn why(&self, why: &Why) -> String {
        match why {
            Why::WrongPassphrase => self.wrong,
            Why::NotEncrypted => self.not_encrypted,
            Why::TooMuchWork => self.too_much_work,
            Why::Damaged => self.damaged,
            Why::Full => self.full,
            Why::Forbidden => self.forbidden,
            Why::Stopped => self.stopped,
            Why::Other(words) => words,
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_first_that_the_variables_name() {
        let title = |all: &[(&str, &str)]| {
            let value = |name: &str| all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            Words::of(value).title
        };
        assert_eq!(title(&[("LANG", "de_AT.UTF-8")]), GERMAN.title);
        assert_eq!(title(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")]), ENGLISH.title);
        assert_eq!(title(&[("LC_ALL", ""), ("LC_MESSAGES", "de")]), GERMAN.title);
        assert_eq!(title(&[("LANG", "den_CA")]), ENGLISH.title);
        assert_eq!(title(&[]), ENGLISH.title);
    }
}
