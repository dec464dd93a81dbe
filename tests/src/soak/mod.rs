//! The long matrices: the same functions run for seconds in the test command and for as long as one likes under
//! `cargo xtask soak`, which is the program `godwit-soak` of this crate.
//!
//! A matrix panics at what must not be, as a test does, and returns figures worth keeping. What is random comes from a
//! seed that is printed before it is used.

pub mod agent_kills;
pub mod black;
mod crowd;
pub mod disks;
pub mod hostile;
pub mod hosts;
pub mod kills;
pub mod server_kills;
pub mod server_load;
pub mod swaps;
pub mod upgrade;

use serde_json::{Value, json};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// A seed from the clock, for runs that name none.
#[must_use]
pub fn any_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64 | 1)
}

/// How one part of a matrix ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Matrix and part.
    pub name: String,
    /// What failed, if it did.
    pub failure: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// What was measured.
    pub figures: Value,
}

impl Outcome {
    /// Runs a part; a panic in it is its failure.
    pub fn of(name: &str, part: impl FnOnce() -> Value) -> Self {
        println!("… {name}");
        let begin = Instant::now();
        let (failure, figures) = match catch_unwind(AssertUnwindSafe(part)) {
            Ok(figures) => (None, figures),
            Err(panic) => (Some(words(panic.as_ref())), Value::Null),
        };
        let outcome = Self { name: name.to_owned(), failure, seconds: begin.elapsed().as_secs_f64(), figures };
        println!("{}", outcome.line());
        outcome
    }

    /// The summary line.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict = self.failure.as_ref().map_or("ok".to_owned(), |why| format!("FAILED: {why}"));
        format!("{}: {verdict} in {:.1} s {}", self.name, self.seconds, self.figures)
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// Writes the outcomes of a matrix beside those of the others.
pub fn write(folder: &Path, matrix: &str, seed: u64, outcomes: &[Outcome]) {
    let parts: Vec<Value> = outcomes
        .iter()
        .map(|o| {
            json!({"name": o.name, "passed": o.failure.is_none(), "failure": o.failure, "seconds": o.seconds, "figures": o.figures})
        })
        .collect();
    let whole = json!({"matrix": matrix, "seed": seed, "parts": parts});
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(format!("{matrix}.json"));
    std::fs::write(&path, serde_json::to_string_pretty(&whole).unwrap() + "\n").unwrap();
    println!("{}", path.display());
}
