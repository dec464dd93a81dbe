//! From what a page wrote to a [`TransferSpec`].

use super::fields::{Fields, MAX_TEXT, check_text, wrong};
use super::{Authentication, Direction, MAX_PATHS, Rare, SpecError, SpecPath, TransferSpec, normalise_host, public};
use serde_json::{Map, Value};

/// Port of the predecessor's servers, TCP and UDP alike.
const DEFAULT_PORT: u16 = 33_001;
/// Longest cookie, bytes.
pub(super) const MAX_COOKIE: usize = 16 * 1024;
/// Most sessions a page may ask for.
const MAX_SESSIONS: u64 = 64;

pub(super) const RATE_POLICIES: &str = "fixed, high, fair, low";
const RESUME_POLICIES: &str = "none, attributes, sparse_checksum, full_checksum";
const OVERWRITE_POLICIES: &str = "always, never, none, diff, older, diff+older";

pub(super) fn parse(value: &Value) -> Result<TransferSpec, SpecError> {
    let object = value.as_object().ok_or_else(|| wrong("transfer_spec", "must be an object"))?;
    let f = Fields(object);
    let direction: Direction =
        f.word(&["direction"], "send, receive")?.ok_or_else(|| wrong("direction", "must be send or receive"))?;
    let host = f.text(&["remote_host"], MAX_TEXT)?.ok_or_else(|| wrong("remote_host", "is missing"))?;
    let remote_host =
        normalise_host(&host).ok_or_else(|| wrong("remote_host", "must be a host name or an IP address"))?;
    let remote_password = f.secret(&["remote_password"])?;
    let token = f.secret(&["token"])?;
    // A page that gives a token and no password means the token, whatever the documented default says: the predecessor
    // would ask the user for a password that nobody has.
    let implied =
        if token.is_some() && remote_password.is_none() { Authentication::Token } else { Authentication::Password };
    let spec = TransferSpec {
        direction,
        remote_host,
        remote_user: f.plain(&["remote_user"], 255)?.unwrap_or_default(),
        remote_password,
        authentication: f.word(&["authentication"], "password, token")?.unwrap_or(implied),
        token,
        paths: paths(f.get(&["paths"]).map(|(_, v)| v))?,
        source_root: f.text(&["source_root"], MAX_TEXT)?.unwrap_or_default(),
        destination_root: f.text(&["destination_root"], MAX_TEXT)?.unwrap_or_default(),
        create_dir: f.flag(&["create_dir"])?,
        ssh_port: f.port(&["ssh_port"])?.unwrap_or(DEFAULT_PORT),
        fasp_port: f.port(&["fasp_port"])?.unwrap_or(DEFAULT_PORT),
        rate_policy: f.word(&["rate_policy"], RATE_POLICIES)?.unwrap_or_default(),
        target_rate_kbps: f.limit(&["target_rate_kbps"])?,
        min_rate_kbps: f.rate(&["min_rate_kbps"])?,
        target_rate_cap_kbps: f.limit(&["target_rate_cap_kbps"])?,
        // A lock holds if either name says so.
        lock_rate_policy: f.flag(&["lock_rate_policy"])?,
        lock_target_rate: f.flag(&["lock_target_rate"])? | f.flag(&["lock_target_rate_kbps"])?,
        lock_min_rate: f.flag(&["lock_min_rate"])? | f.flag(&["lock_min_rate_kbps"])?,
        resume: f.word(&["resume", "resume_policy"], RESUME_POLICIES)?.unwrap_or_default(),
        overwrite: f.word(&["overwrite_policy", "overwrite"], OVERWRITE_POLICIES)?.unwrap_or_default(),
        save_before_overwrite: f.flag(&["save-before-overwrite", "save_before_overwrite"])?,
        preserve_times: f.flag(&["preserve_times"])?,
        fingerprint: fingerprint(&f)?,
        title: f.text(&["title"], MAX_TEXT)?.map(|t| public::displayable(&t)).filter(|t| !t.is_empty()),
        cookie: f.text(&["cookie"], MAX_COOKIE)?,
        content_protection: f.word(&["content_protection"], "encrypt, decrypt")?,
        content_protection_passphrase: f.secret(&["content_protection_passphrase", "content_protection_password"])?,
        cipher: f.plain(&["cipher"], 64)?,
        http_fallback: f.flag(&["http_fallback"])?,
        http_fallback_port: f.port_or_none(&["http_fallback_port"])?,
        multi_session: f.number(&["multi_session"])?.map(|n| n.min(MAX_SESSIONS) as u16),
        multi_session_threshold: f.number(&["multi_session_threshold"])?,
        rare: rare(&f)?,
        public: public::strip(object),
    };
    if f.get(&["tags"]).is_some_and(|(_, tags)| !tags.is_object()) {
        return Err(wrong("tags", "must be an object"));
    }
    // Whatever does not depend on the request's settings is checked now, so that nobody can forget it.
    spec.effective_sources()?;
    match spec.direction {
        Direction::Send => drop(spec.remote_destination()?),
        Direction::Receive => drop(spec.local_destination(false).or_else(|_| spec.local_destination(true))?),
    }
    spec.effective_destinations()?;
    Ok(spec)
}

/// `paths`: sources, and either every or no element with a destination.
fn paths(value: Option<&Value>) -> Result<Vec<SpecPath>, SpecError> {
    let list = value.ok_or_else(|| wrong("paths", "is missing"))?;
    let list = list.as_array().ok_or_else(|| wrong("paths", "must be a list"))?;
    if list.is_empty() {
        return Err(wrong("paths", "must name at least one source"));
    }
    if list.len() > MAX_PATHS {
        return Err(wrong("paths", format!("must not have more than {MAX_PATHS} entries")));
    }
    let paths: Vec<SpecPath> = list.iter().enumerate().map(|(i, item)| path(i, item)).collect::<Result<_, _>>()?;
    let with_destination = paths.iter().filter(|p| p.destination.is_some()).count();
    if with_destination != 0 && with_destination != paths.len() {
        return Err(wrong("paths", "either all or none of them must have a destination"));
    }
    Ok(paths)
}

fn path(index: usize, item: &Value) -> Result<SpecPath, SpecError> {
    let object: &Map<String, Value> =
        item.as_object().ok_or_else(|| wrong(format!("paths[{index}]"), "must be an object with a source"))?;
    let text = |key: &str| {
        let Some((_, value)) = Fields(object).get(&[key]) else { return Ok(None) };
        check_text(&format!("paths[{index}].{key}"), value, MAX_TEXT).map(|text| Some(text.to_owned()))
    };
    let source = text("source")?.ok_or_else(|| wrong(format!("paths[{index}].source"), "is missing"))?;
    Ok(SpecPath { source, destination: text("destination")? })
}

/// `sshfp`: printable ASCII, so that it can be shown and compared.
pub(crate) fn fingerprint(f: &Fields<'_>) -> Result<Option<String>, SpecError> {
    let text = f.plain(&["sshfp"], 256)?;
    match text {
        Some(text) if !text.is_ascii() => Err(wrong("sshfp", "must be a fingerprint in ASCII characters")),
        other => Ok(other),
    }
}

fn rare(f: &Fields<'_>) -> Result<Rare, SpecError> {
    Ok(Rare {
        obfuscate_file_names: f.flag(&["obfuscate_file_names"])?,
        dgram_size: f.number(&["dgram_size"])?,
        read_size: f.number(&["read_size"])?,
        write_size: f.number(&["write_size"])?,
        cipher_allowed: f.plain(&["cipher_allowed"], 64)?,
        rate_policy_allowed: f.plain(&["rate_policy_allowed", "policy_allowed"], 64)?,
        min_rate_cap_kbps: f.limit(&["min_rate_cap_kbps"])?,
        download_name: f.plain(&["download_name"], 1024)?,
        zip_required: f.flag(&["zip_required"])?,
        exclude_patterns: f.texts(&["exclude_patterns"])?,
        include_patterns: f.texts(&["include_patterns"])?,
        symlink_policy: f.word(&["symlink_policy"], "follow, copy, copy+force, skip")?,
        skip_dir_traversal_dupes: f.flag(&["skip_dir_traversal_dupes"])?,
        apply_local_docroot: f.flag(&["apply_local_docroot"])?,
        wss_enabled: f.flag(&["wss_enabled"])?,
        wss_port: f.port_or_none(&["wss_port"])?,
        use_ipv6: f.flag(&["use_ipv6"])?,
        preserve_file_owner_uid: f.flag(&["preserve_file_owner_uid"])?,
        preserve_file_owner_gid: f.flag(&["preserve_file_owner_gid"])?,
        remove_after_transfer: f.flag(&["remove_after_transfer"])?,
        remove_empty_directories: f.flag(&["remove_empty_directories"])?,
        remove_empty_source_directory: f.flag(&["remove_empty_source_directory"])?,
        remove_skipped: f.flag(&["remove_skipped"])?,
    })
}
