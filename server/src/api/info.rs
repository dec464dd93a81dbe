//! `GET /info`: what this server is. Anybody may ask; it tells nothing about users, folders or the machine.

use super::Api;
use crate::access::TRANSFER_USER;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::SystemTime;
use time::format_description::well_known::Rfc3339;

pub(super) async fn node_info(State(api): State<Arc<Api>>) -> Json<Value> {
    let now = time::OffsetDateTime::from(SystemTime::now()).truncate_to_second();
    let fingerprint = api.fingerprint();
    let id = node_id(&fingerprint);
    // Of everybody: what one user or key must do beyond that is told with its set-ups.
    let required = api.access.directory().settings().content_protection.is_required();
    Json(json!({
        "application": "node",
        "version": env!("CARGO_PKG_VERSION"),
        "current_time": now.format(&Rfc3339).unwrap_or_default(),
        "node_id": id,
        "cluster_id": id,
        "transfer_user": TRANSFER_USER,
        "docroot": "file:///",
        "acls": [],
        "access_key_configuration_capabilities": {"transfer": [], "server": []},
        "capabilities": [
            {"name": "sync", "value": false},
            {"name": "symbolic_links", "value": false},
            {"name": "move_file", "value": true},
            {"name": "move_directory", "value": true},
            {"name": "ssh_fingerprint", "value": fingerprint},
        ],
        "settings": [
            {"name": "content_protection_required", "value": required},
            {"name": "content_protection_strong_pass_required", "value": false},
            {"name": "ssh_fingerprint", "value": fingerprint},
            {"name": "wss_enabled", "value": false},
        ],
    }))
}

/// A UUID (version 8: our own making) from the fingerprint: as stable as the certificate, and no further secret.
fn node_id(fingerprint: &str) -> String {
    let hex: Vec<char> =
        fingerprint.trim_start_matches("SHA256:").chars().filter(char::is_ascii_hexdigit).take(30).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().iter().collect::<String>();
    format!("{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_id_has_the_form_of_a_uuid() {
        let id = node_id(&format!("SHA256:{}", "0123456789abcdef".repeat(4)));
        assert_eq!(id, "01234567-89ab-8cde-8f01-23456789abcd");
    }
}
