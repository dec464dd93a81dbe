//! The desktop's key ring (Secret Service over D-Bus: GNOME Keyring, KWallet, KeePassXC and others).
//!
//! It keeps keys alone; what is sealed stays in the database. The whole conversation has a time limit, because a key ring may
//! wait for a person who is not there. It is unlocked only when the user wants that: no window asks for its password only
//! because the agent starts.

use super::{Key, KeyStore, SecretError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secret_service::{EncryptionType, SecretService};
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use zeroize::Zeroizing;

/// What the key ring's own window calls it.
const LABEL: &str = "Godwit: key for stored passwords";
/// One kind of item for all agents of a user: a moved home folder finds its keys again.
const ATTRIBUTES: [(&str, &str); 2] = [("application", "godwit"), ("purpose", "data-key")];
/// More keys than this are somebody's mistake.
const MAX_KEYS: usize = 32;
/// Forgotten at the end of the session: no place for a key.
const SHORT_LIVED: &str = "/session";

/// A person who was asked for the key ring's password has so much time.
pub const UNLOCK_LIMIT: Duration = Duration::from_secs(120);

/// The key ring of the session that the agent was started in.
#[derive(Clone, Copy, Debug)]
pub struct DesktopKeyStore {
    /// For one conversation. Without a session bus it fails at once.
    pub limit: Duration,
}

impl DesktopKeyStore {
    /// Has the desktop ask the user for the key ring's password, if it is locked.
    pub fn unlock(&self) -> Result<(), SecretError> {
        within(UNLOCK_LIMIT.max(self.limit), async {
            let service = connect().await?;
            let collection = service.get_default_collection().await.map_err(text)?;
            if collection.is_locked().await.map_err(text)? {
                collection.unlock().await.map_err(text)?;
            }
            // Older keys may lie in a collection that is not the default one any more.
            let found = service.search_items(HashMap::from(ATTRIBUTES)).await.map_err(text)?;
            let locked: Vec<_> = found.locked.iter().collect();
            if locked.is_empty() { Ok(()) } else { service.unlock_all(&locked).await.map_err(text) }
        })
    }
}

impl KeyStore for DesktopKeyStore {
    fn keys(&self) -> Result<Vec<Key>, SecretError> {
        within(self.limit, async {
            let service = connect().await?;
            ready(&service).await?;
            stored(&service).await
        })
    }

    fn keep(&self, key: &Key) -> Result<(), SecretError> {
        within(self.limit, async {
            let service = connect().await?;
            ready(&service).await?;
            let collection = service.get_default_collection().await.map_err(text)?;
            let written = Zeroizing::new(STANDARD.encode(key.as_slice()));
            let attributes = HashMap::from(ATTRIBUTES);
            collection.create_item(LABEL, attributes, written.as_bytes(), false, "text/plain").await.map_err(text)?;
            // What cannot be read again would lose everything that is sealed with it.
            let kept = stored(&service).await?.contains(key);
            if kept { Ok(()) } else { Err("it did not keep the key".into()) }
        })
    }
}

/// Runs a conversation on a thread of its own, because the caller may be inside a runtime.
fn within<T: Send>(limit: Duration, talk: impl Future<Output = Result<T, String>> + Send) -> Result<T, SecretError> {
    let failed = |why: &str| SecretError::KeyRing(format!("the desktop's key ring cannot be used ({why})"));
    let talk = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
        let result = runtime.block_on(async { tokio::time::timeout(limit, talk).await });
        // A bus that hangs must not hold up the end of what waits for it.
        runtime.shutdown_background();
        result.unwrap_or_else(|_| Err("it does not answer".into()))
    };
    let result = std::thread::scope(|scope| scope.spawn(talk).join());
    result.unwrap_or_else(|_| Err("its library failed".into())).map_err(|why| failed(&why))
}

async fn connect() -> Result<SecretService<'static>, String> {
    SecretService::connect(EncryptionType::Dh).await.map_err(text)
}

/// An error if it is locked, or not a place that lasts.
async fn ready(service: &SecretService<'_>) -> Result<(), String> {
    let collection = service.get_default_collection().await.map_err(text)?;
    if collection.collection_path.as_str().ends_with(SHORT_LIVED) {
        return Err("it forgets everything at the end of the session".into());
    }
    if collection.is_locked().await.map_err(text)? { Err("it is locked".into()) } else { Ok(()) }
}

/// All keys, the oldest first.
async fn stored(service: &SecretService<'_>) -> Result<Vec<Key>, String> {
    let found = service.search_items(HashMap::from(ATTRIBUTES)).await.map_err(text)?;
    if !found.locked.is_empty() {
        return Err("it is locked".into());
    }
    let mut keys = Vec::new();
    for item in found.unlocked.iter().take(MAX_KEYS) {
        let made = item.get_created().await.map_err(text)?;
        let secret = Zeroizing::new(item.get_secret().await.map_err(text)?);
        match parse(&secret) {
            Some(key) => keys.push((made, key)),
            None => tracing::warn!("an item of the key ring has another form; it is left alone"),
        }
    }
    keys.sort_by(|a, b| (a.0, a.1.as_slice()).cmp(&(b.0, b.1.as_slice())));
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

fn parse(stored: &[u8]) -> Option<Key> {
    let bytes = Zeroizing::new(STANDARD.decode(stored).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

fn text(error: secret_service::Error) -> String {
    match error {
        secret_service::Error::Unavailable => "there is none".into(),
        secret_service::Error::Prompt => "it was not unlocked".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::KEY;
    use super::*;

    #[test]
    fn a_key_of_another_form_is_none() {
        assert!(parse(b"not base64!").is_none());
        assert!(parse(STANDARD.encode([1; KEY - 1]).as_bytes()).is_none());
        assert_eq!(parse(STANDARD.encode([7; KEY]).as_bytes()).map(|k| *k), Some([7; KEY]));
    }
}
