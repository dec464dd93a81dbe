//! What a predecessor's values mean here. Pure.
//!
//! Only values under names that we know are taken; which of these the vendor's guides have and which are assumed stands in
//! docs/use.md. What has no counterpart, no unit, or no sense is named, so that the person can do it by hand. Nothing secret is
//! ever shown: not its value, and not a part of it.

use super::entries::Entry;
use serde_json::Value;
use std::collections::BTreeMap;

/// One of our settings as the file would have it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wish {
    /// `queue.active`
    pub(super) name: &'static str,
    pub(super) value: Value,
    /// The place in the file.
    pub(super) from: String,
}

/// Something that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) place: String,
    /// As the file has it; `None`: it is not to be shown.
    pub(super) value: Option<String>,
    pub(super) why: &'static str,
}

const UNKNOWN: &str = "not known";
const NOTHING_LIKE_IT: &str = "Godwit has no such setting";
const ACCOUNT: &str = "accounts are not taken over; Godwit asks for the login when a server wants one";
const SECRET: &str = "secrets are not taken over; Godwit asks for them when they are needed";
const NO_UNIT: &str = "its unit is not certain; set the limit in Preferences";
const NOT_IN_RANGE: &str = "it is out of range here";
const SEVERAL: &str = "there are several; choose one in Preferences";
const NOT_ABSOLUTE: &str = "it is no absolute path";

/// What becomes of a value.
enum Sense {
    /// A whole number within these bounds.
    Number(&'static str, u64, u64),
    /// `.suffix`
    Suffix(&'static str),
    /// A folder; only if all such values are the same.
    Folder,
    LogLevel,
    Replacement,
    Not(&'static str),
}

/// What the wishes of one file are, and what is left.
pub(super) fn understand(entries: &[Entry]) -> (Vec<Wish>, Vec<Left>) {
    let (mut wishes, mut left) = (BTreeMap::new(), Vec::new());
    let folders: std::collections::BTreeSet<&str> =
        entries.iter().filter(|e| matches!(sense(&e.place), Sense::Folder)).map(|e| e.value.as_str()).collect();
    for entry in entries {
        let made = match sense(&entry.place) {
            Sense::Not(why) => Err(why),
            Sense::Number(name, least, most) => number(&entry.value, least, most).map(|value| (name, value)),
            Sense::Suffix(name) => suffix(&entry.value).map(|value| (name, value)),
            Sense::Folder if folders.len() > 1 => Err(SEVERAL),
            Sense::Folder if !entry.value.starts_with('/') => Err(NOT_ABSOLUTE),
            Sense::Folder => Ok(("downloads.folder", entry.value.clone().into())),
            Sense::LogLevel => level(&entry.value).map(|value| ("log.level", value)),
            Sense::Replacement => replacement(&entry.value).map(|value| ("files.illegal_replacement", value)),
        };
        match made {
            Ok((name, value)) => {
                let wish = Wish { name, value, from: entry.place.clone() };
                let first = wishes.entry(name).or_insert_with(|| wish.clone());
                if first.value != wish.value {
                    left.push(Left { place: wish.from, value: Some(entry.value.clone()), why: SEVERAL });
                }
            }
            Err(why) => {
                let value = (!is_secret(&entry.place) && why != ACCOUNT).then(|| entry.value.clone());
                left.push(Left { place: entry.place.clone(), value, why });
            }
        }
    }
    (wishes.into_values().collect(), left)
}

/// By the place in the file. `conf`: Cargo, XML of version 1 (as its guide has it) and JSON of versions 3 and 4 (assumed). `CONF`: the
/// `aspera.conf` of Connect and Drive (the way to the names below is assumed).
fn sense(place: &str) -> Sense {
    if is_secret(place) {
        return Sense::Not(SECRET);
    }
    match place {
        "conf/general/concurrent_transfers" => Sense::Number("queue.active", 1, 100),
        "conf/transfers/retry_attempts" => Sense::Number("retry.attempts", 1, 1_000),
        "conf/transfers/retry_interval" => Sense::Number("retry.interval_seconds", 1, 86_400),
        "conf/transfers/log_level" => Sense::LogLevel,
        "conf/accounts/account/download_folder" | "conf/accounts/packages/download_dir" => Sense::Folder,
        "conf/bandwidth/download_limit" => Sense::Not(NO_UNIT),
        "conf/general/check_interval"
        | "conf/general/max_transfers"
        | "conf/general/db_dir"
        | "conf/transfers/separate_folders"
        | "conf/network/http_proxy"
        | "conf/network/fasp_proxy" => Sense::Not(NOTHING_LIKE_IT),
        _ if place.starts_with("conf/accounts/") => Sense::Not(ACCOUNT),
        "CONF/default/file_system/partial_file_suffix" => Sense::Suffix("files.partial_suffix"),
        "CONF/default/file_system/resume_suffix" => Sense::Suffix("files.checkpoint_suffix"),
        "CONF/default/file_system/replace_illegal_chars" => Sense::Replacement,
        _ if place.starts_with("CONF/default/transfer/") => Sense::Not(NOTHING_LIKE_IT),
        _ => Sense::Not(UNKNOWN),
    }
}

/// Rather one too many than one too few.
fn is_secret(place: &str) -> bool {
    let name = place.to_ascii_lowercase();
    ["pass", "secret", "token", "key", "license", "credential"].iter().any(|word| name.contains(word))
}

fn number(text: &str, least: u64, most: u64) -> Result<Value, &'static str> {
    match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number.into()),
        _ => Err(NOT_IN_RANGE),
    }
}

/// As Godwit's own settings want it.
fn suffix(text: &str) -> Result<Value, &'static str> {
    let rest = text.strip_prefix('.').unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let fits = (1..=31).contains(&rest.len()) && rest.bytes().all(plain) && !rest.ends_with('.');
    if fits { Ok(text.into()) } else { Err(NOT_IN_RANGE) }
}

fn replacement(text: &str) -> Result<Value, &'static str> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) if godwit_protocol::path::is_replacement(c) => Ok(text.into()),
        _ => Err(NOT_IN_RANGE),
    }
}

fn level(text: &str) -> Result<Value, &'static str> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "info" | "debug" | "trace" => Ok(text.into()),
        _ => Err(NOT_IN_RANGE),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::entries::parse;
    use super::*;
    use serde_json::json;

    type Taken = Vec<(&'static str, Value)>;

    fn of(text: &str) -> (Taken, Vec<(String, &'static str)>) {
        let (wishes, left) = understand(&parse(text.as_bytes()).unwrap());
        let wishes = wishes.into_iter().map(|wish| (wish.name, wish.value)).collect();
        (wishes, left.into_iter().map(|left| (left.place, left.why)).collect())
    }

    #[test]
    fn cargos_xml_is_understood_as_far_as_it_is_documented() {
        let text = "<conf version='1'><accounts><account><user>ann</user><password>geheim</password><host>h.example</host>\
            <download_folder>/d</download_folder></account></accounts><general><check_interval>15</check_interval>\
            <concurrent_transfers>5</concurrent_transfers><max_transfers/></general><transfers><retry_attempts>7</retry_attempts>\
            <retry_interval>60</retry_interval><log_level>Debug</log_level></transfers>\
            <bandwidth><download_limit>1000</download_limit></bandwidth><new><thing>1</thing></new></conf>";
        let (wishes, left) = of(text);
        let expected: Taken = vec![
            ("downloads.folder", json!("/d")),
            ("log.level", json!("debug")),
            ("queue.active", json!(5)),
            ("retry.attempts", json!(7)),
            ("retry.interval_seconds", json!(60)),
        ];
        assert_eq!(wishes, expected);
        let named = |place: &str| left.iter().find(|(at, _)| at.ends_with(place)).map(|(_, why)| *why);
        assert_eq!((named("/password"), named("/user")), (Some(SECRET), Some(ACCOUNT)));
        assert_eq!((named("/check_interval"), named("/download_limit")), (Some(NOTHING_LIKE_IT), Some(NO_UNIT)));
        assert_eq!((named("new/thing"), named("/max_transfers")), (Some(UNKNOWN), None));
    }

    #[test]
    fn no_secret_and_no_account_is_shown() {
        let json = r#"{"conf": {"accounts": [{"user": "ann", "password_cleartext": "geheim", "client_secret": "geheim",
            "private_key": "geheim", "packages": {"download_dir": "/in", "passphrase_cleartext": "geheim"}}]}}"#;
        let (wishes, left) = understand(&parse(json.as_bytes()).unwrap());
        assert_eq!((wishes.len(), left.len()), (1, 5));
        assert!(left.iter().all(|left| left.value.is_none()), "{left:?}");
    }

    #[test]
    fn two_accounts_with_two_folders_leave_the_choice_to_the_person() {
        let account = |folder: &str| format!("<account><download_folder>{folder}</download_folder></account>");
        let conf = |accounts: &str| format!("<conf><accounts>{accounts}</accounts></conf>");
        assert_eq!(of(&conf(&(account("/a") + &account("/a")))).0, [("downloads.folder", json!("/a"))]);
        let (wishes, left) = of(&conf(&(account("/a") + &account("/b"))));
        assert_eq!((wishes.len(), left.len(), left[0].1), (0, 2, SEVERAL));
        assert_eq!(of(&conf(&account("C:\\x"))).1[0].1, NOT_ABSOLUTE);
    }

    #[test]
    fn aspera_conf_gives_the_suffixes_and_values_that_do_not_fit_are_left() {
        let conf = |inner: &str| {
            let text = format!("<CONF version='2'><default><file_system>{inner}</file_system></default></CONF>");
            let (wishes, left) = of(&text);
            (wishes, left.into_iter().map(|(_, why)| why).collect::<Vec<_>>())
        };
        let good = "<resume_suffix>.aspx</resume_suffix><partial_file_suffix>.part</partial_file_suffix>\
                    <replace_illegal_chars>-</replace_illegal_chars>";
        let names: Vec<_> = conf(good).0.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["files.checkpoint_suffix", "files.illegal_replacement", "files.partial_suffix"]);
        for bad in ["../x", "x", ".", ".a/b", ".\u{202e}x"] {
            let (wishes, left) = conf(&format!("<resume_suffix>{bad}</resume_suffix>"));
            assert_eq!((wishes.len(), left), (0, vec![NOT_IN_RANGE]), "{bad}");
        }
        assert_eq!(conf("<replace_illegal_chars>/</replace_illegal_chars>").1, [NOT_IN_RANGE]);
        for bad in ["0", "-1", "101", "1e3", "5 6", "99999999999999999999"] {
            let text = format!("<conf><general><concurrent_transfers>{bad}</concurrent_transfers></general></conf>");
            assert_eq!(of(&text).1[0].1, NOT_IN_RANGE);
        }
    }
}
