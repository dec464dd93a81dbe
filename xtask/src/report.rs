//! Steps, how long they took, what passed and failed; and the closing line.

use crate::Outcome;
use std::time::{Duration, Instant};

/// Passed and failed checks of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// What held.
    pub(crate) passed: u64,
    /// What did not.
    pub(crate) failed: u64,
}

impl Count {
    /// One check.
    pub(crate) fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

struct Step {
    name: String,
    count: Count,
    time: Duration,
    note: String,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Carries out a step. One that cannot be carried out counts as one failure. True if nothing failed.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Outcome<Count>) -> bool {
        println!("\n=== {name}");
        let start = Instant::now();
        let (count, note) = match work() {
            Ok(count) => (count, String::new()),
            Err(failure) => {
                eprintln!("{name}: {failure}");
                (Count::one(false), failure.to_string())
            }
        };
        let time = start.elapsed();
        println!("--- {name}: {} in {}", verdict(count), shown(time));
        self.steps.push(Step { name: name.into(), count, time, note });
        count.failed == 0
    }

    /// Prints the table and the closing line; true if nothing failed.
    pub(crate) fn close(&self) -> bool {
        println!("\n{:<38} {:>7} {:>7} {:>9}", "step", "passed", "failed", "time");
        let mut total = Count::default();
        for step in &self.steps {
            total.add(step.count);
            let Count { passed, failed } = step.count;
            println!("{:<38} {passed:>7} {failed:>7} {:>9}", step.name, shown(step.time));
            if let Some(line) = step.note.lines().next() {
                println!("    {line}");
            }
        }
        let time = self.steps.iter().map(|step| step.time).sum();
        println!("{:<38} {:>7} {:>7} {:>9}\n", "all", total.passed, total.failed, shown(time));
        println!("{}", closing_line(total));
        total.failed == 0
    }
}

fn closing_line(total: Count) -> String {
    format!("{} passed, {} failed", total.passed, total.failed)
}

fn verdict(count: Count) -> String {
    if count.failed == 0 { format!("{} passed", count.passed) } else { format!("{} FAILED", count.failed) }
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
    }
}

/// What a line of libtest's output adds: `test result: ok. 3 passed; 0 failed; …`.
pub(crate) fn libtest(line: &str) -> Count {
    if !line.starts_with("test result: ") {
        return Count::default();
    }
    let number = |word: &str| {
        let mut words = line.split_whitespace().peekable();
        while let Some(value) = words.next() {
            if words.peek().is_some_and(|next| next.trim_end_matches(';') == word) {
                return value.parse().unwrap_or(0);
            }
        }
        0
    };
    Count { passed: number("passed"), failed: number("failed") }
}

/// What a line of node's test reporter adds: `# pass 3`, or with the spec reporter `ℹ pass 3`.
pub(crate) fn node(line: &str) -> Count {
    let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
        return Count::default();
    };
    let mut words = rest.split_whitespace();
    let (word, number) = (words.next(), words.next().and_then(|value| value.parse().ok()).unwrap_or(0));
    match word {
        Some("pass") => Count { passed: number, failed: 0 },
        // A test that was cut off by a time limit or its file's end did not keep its promise.
        Some("fail" | "cancelled") => Count { passed: 0, failed: number },
        _ => Count::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_cargo_test_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        assert_eq!(libtest(line), Count { passed: 12, failed: 3 });
        assert_eq!(libtest("test a::b ... ok"), Count::default());
    }

    #[test]
    fn results_of_node_are_counted_and_cut_off_tests_are_failures() {
        assert_eq!(node("ℹ pass 7"), Count { passed: 7, failed: 0 });
        assert_eq!(node("# fail 2"), Count { passed: 0, failed: 2 });
        assert_eq!(node("ℹ cancelled 1"), Count { passed: 0, failed: 1 });
        assert_eq!(node("ℹ duration_ms 1234"), Count::default());
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(closing_line(Count { passed: 5, failed: 0 }), "5 passed, 0 failed");
    }
}
