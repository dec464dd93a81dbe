//! Remembers for a while that a password was right: clients of the API prove themselves with every request, and a hash
//! computation for each would cost more than the request.
//!
//! Only successes are remembered, under a keyed hash that changes with every start; a changed password is another entry.
//! Pure: time is a parameter.

use crate::password::Hash;
use godwit_protocol::Secret;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a success counts.
const LIFE: Duration = Duration::from_secs(300);
/// Most remembered; beyond it all are forgotten, which costs each one computation.
const MAX: usize = 4096;

/// The successes of the recent past.
pub struct Verified {
    key: [u8; 32],
    until: HashMap<[u8; 32], Instant>,
}

impl Verified {
    /// Fails only if the system gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { key, until: HashMap::new() })
    }

    /// Whether `password` was right for `hash` a short while ago.
    #[must_use]
    pub fn knows(&self, hash: &Hash, password: &Secret, now: Instant) -> bool {
        self.until.get(&self.entry(hash, password)).is_some_and(|until| now < *until)
    }

    /// A small number that is the same for the same question: who asks it while another's answer is being computed waits for
    /// that answer instead of computing it once more.
    #[must_use]
    pub fn queue(&self, hash: &Hash, password: &Secret, queues: usize) -> usize {
        let [first, second, ..] = self.entry(hash, password);
        usize::from(u16::from_le_bytes([first, second])) % queues.max(1)
    }

    /// It was right just now.
    pub fn add(&mut self, hash: &Hash, password: &Secret, now: Instant) {
        if self.until.len() >= MAX {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= MAX {
            self.until.clear();
        }
        self.until.insert(self.entry(hash, password), now + LIFE);
    }

    fn entry(&self, hash: &Hash, password: &Secret) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let phc = hash.as_str().as_bytes();
        hasher.update(&(phc.len() as u64).to_le_bytes()).update(phc).update(password.expose().as_bytes());
        *hasher.finalize().as_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_success_counts_for_this_password_and_hash_and_not_for_ever() {
        let (first, second) = (Hash::of(&Secret::new("a")).unwrap(), Hash::of(&Secret::new("b")).unwrap());
        let (mut verified, now) = (Verified::new().unwrap(), Instant::now());
        let right = Secret::new("a");
        assert!(!verified.knows(&first, &right, now));
        verified.add(&first, &right, now);
        assert!(verified.knows(&first, &right, now + LIFE / 2));
        assert!(!verified.knows(&first, &right, now + LIFE));
        assert!(!verified.knows(&first, &Secret::new("b"), now));
        assert!(!verified.knows(&second, &right, now), "a changed password is asked again");
    }
}
