//! Passwords: Argon2id hashes as PHC strings, made and checked with bounded cost.
//!
//! Knows nothing of users: it hashes, and it checks a password against a hash.

use argon2::password_hash::{Output, PasswordHash, PasswordHasher, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use godwit_protocol::Secret;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, oneshot};

/// Memory of one hash computation that a configured hash may ask for, KiB.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Passes that a configured hash may ask for.
const MAX_PASSES: u32 = 12;
/// Lanes that a configured hash may ask for.
const MAX_LANES: u32 = 8;
/// Longest password accepted, bytes. Longer ones are refused unhashed, the same for every user.
pub const MAX_PASSWORD: usize = 1024;
/// Most hash computations at once, however many processors there are: bounds memory under a flood of logins.
const MOST_AT_ONCE: usize = 4;
/// The most memory that a computation leaves for the next one, KiB; what a hash needs beyond that is given back at once.
const KEPT_KIB: usize = 64 * 1024;
/// By how much everybody else goes first, as in nice(1): who guesses passwords takes processor time that nobody wants.
const NICE: i32 = 10;

/// Why a hash or password cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Not a PHC string of Argon2id.
    #[error("not an Argon2id hash in PHC form ('$argon2id$v=19$…'): make one with 'godwit-server hash-password'")]
    Form,
    /// The parameters would take too much memory or time.
    #[error("the hash asks for more than {MAX_MEMORY_KIB} KiB, {MAX_PASSES} passes or {MAX_LANES} lanes")]
    TooCostly,
    /// Empty or too long.
    #[error("a password has 1 to {MAX_PASSWORD} bytes")]
    Length,
    /// The library or the system failed.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

/// A checked PHC string.
#[derive(Clone, Debug)]
pub struct Hash {
    phc: String,
    cost: (u32, u32, u32),
}

impl Hash {
    /// Checks form and cost.
    pub fn parse(phc: &str) -> Result<Self, PasswordError> {
        let parsed = PasswordHash::new(phc).map_err(|_| PasswordError::Form)?;
        let complete = parsed.hash.is_some() && parsed.salt.is_some();
        if parsed.algorithm != Algorithm::Argon2id.ident() || !complete {
            return Err(PasswordError::Form);
        }
        let params = Params::try_from(&parsed).map_err(|_| PasswordError::Form)?;
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
            return Err(PasswordError::TooCostly);
        }
        Ok(Self { phc: phc.to_owned(), cost: (params.m_cost(), params.t_cost(), params.p_cost()) })
    }

    /// Hashes a password with the library's recommended cost (19 MiB, 2 passes).
    pub fn of(password: &Secret) -> Result<Self, PasswordError> {
        Self::with_params(password, Params::default())
    }

    /// A hash that no password fits, as costly to check as `self`: it stands in for users that do not exist.
    pub fn decoy(&self) -> Result<Self, PasswordError> {
        let (memory, passes, lanes) = self.cost;
        let params = Params::new(memory, passes, lanes, None).map_err(|e| PasswordError::Failed(e.to_string()))?;
        let mut random = [0u8; 32];
        getrandom::fill(&mut random).map_err(|e| PasswordError::Failed(e.to_string()))?;
        let text: String = random.iter().map(|b| format!("{b:02x}")).collect();
        Self::with_params(&Secret::new(text), params)
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.phc
    }

    /// Memory times passes: compares what two hashes cost to check.
    #[must_use]
    pub fn work(&self) -> u64 {
        u64::from(self.cost.0) * u64::from(self.cost.1)
    }

    fn with_params(password: &Secret, params: Params) -> Result<Self, PasswordError> {
        if password.is_empty() || password.expose().len() > MAX_PASSWORD {
            return Err(PasswordError::Length);
        }
        let mut salt = [0u8; 16];
        getrandom::fill(&mut salt).map_err(|e| PasswordError::Failed(e.to_string()))?;
        let failed = |e: argon2::password_hash::Error| PasswordError::Failed(e.to_string());
        let salt = SaltString::encode_b64(&salt).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let phc = argon2.hash_password(password.expose().as_bytes(), &salt).map_err(failed)?.to_string();
        Self::parse(&phc)
    }

    /// Takes the time of one hash computation; compares in constant time. `memory` may hold anything, and is made larger if the
    /// hash needs more.
    fn fits(&self, password: &Secret, memory: &mut Vec<Block>) -> bool {
        self.compute(password, memory).unwrap_or(false)
    }

    fn compute(&self, password: &Secret, memory: &mut Vec<Block>) -> Result<bool, argon2::password_hash::Error> {
        let parsed = PasswordHash::new(&self.phc)?;
        let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else { return Ok(false) };
        let version = parsed.version.map_or(Ok(Version::default()), Version::try_from)?;
        let params = Params::try_from(&parsed)?;
        let blocks = params.block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::default());
        }
        let mut bytes = [0; Salt::MAX_LENGTH];
        let salt = salt.decode_b64(&mut bytes)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
        let computed = Output::init_with(expected.len(), |out| {
            Ok(argon2.hash_password_into_with_memory(password.expose().as_bytes(), salt, out, memory)?)
        })?;
        Ok(computed == expected)
    }
}

/// Checks passwords on threads of their own, a few at a time.
#[derive(Clone, Debug)]
pub struct Checker {
    turns: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
    /// What ended computations have left, at most one for each turn. Memory that is taken and given back by ever new threads
    /// stays in the allocator's many places: a flood of wrong passwords once cost half a gigabyte.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl Default for Checker {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        // Half of them stay free whatever happens.
        let turns = Semaphore::new((processors / 2).clamp(1, MOST_AT_ONCE));
        Self { turns: Arc::new(turns), computed: Arc::default(), memory: Arc::default() }
    }
}

impl Checker {
    /// Computations so far.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// True if `password` fits `hash`.
    pub async fn check(&self, hash: Hash, password: Secret) -> bool {
        if password.expose().len() > MAX_PASSWORD {
            return false;
        }
        let Ok(permit) = self.turns.clone().acquire_owned().await else { return false };
        self.computed.fetch_add(1, Ordering::Relaxed);
        let (sender, result) = oneshot::channel();
        let spare = self.memory.clone();
        // A thread's place in the queue for processors can be lowered but not raised again: none that others use.
        let spawned = std::thread::Builder::new().name("password".into()).spawn(move || {
            if let Err(error) = rustix::process::nice(NICE) {
                tracing::debug!(%error, "a password is checked as if it were as urgent as the rest");
            }
            let lock = || spare.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = lock().pop().unwrap_or_default();
            let fits = hash.fits(&password, &mut memory);
            if memory.len() <= KEPT_KIB {
                lock().push(memory);
            }
            // The permit lives as long as the computation, even if the one who asked has gone.
            drop(permit);
            let _ = sender.send(fits);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread to check a password");
        }
        result.await.unwrap_or(false)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let hash = Hash::of(&Secret::new("correct horse")).unwrap();
        let memory = &mut Vec::new();
        assert!(hash.fits(&Secret::new("correct horse"), memory));
        assert!(!hash.fits(&Secret::new("correct horsf"), memory));
        assert!(!hash.decoy().unwrap().fits(&Secret::new("correct horse"), memory));
        assert!(hash.fits(&Secret::new("correct horse"), memory), "what the memory held does not matter");
        let small = Hash::with_params(&Secret::new("x"), Params::new(64, 3, 2, None).unwrap()).unwrap();
        assert!(small.fits(&Secret::new("x"), memory), "nor that there is too much of it");
        use argon2::password_hash::PasswordVerifier as _;
        let parsed = PasswordHash::new(small.as_str()).unwrap();
        assert!(Argon2::default().verify_password(b"x", &parsed).is_ok(), "as the library judges");
        assert_eq!(hash.decoy().unwrap().cost, hash.cost);
    }

    #[test]
    fn a_hash_of_another_kind_or_of_unbounded_cost_is_refused() {
        let costly = "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                      RdescudvJCsgt3ub+b4dWRWJTmaaJObG";
        assert!(matches!(Hash::parse(costly), Err(PasswordError::TooCostly)));
        let argon2i = "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG";
        for bad in ["", "secret", "$2b$12$abcdefghijklmnopqrstuu", argon2i, "$argon2id$v=19$m=19456,t=2,p=1"] {
            assert!(matches!(Hash::parse(bad), Err(PasswordError::Form)), "{bad}");
        }
        assert!(matches!(Hash::of(&Secret::new("")), Err(PasswordError::Length)));
    }
}
