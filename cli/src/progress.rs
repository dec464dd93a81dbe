//! What a copy shows while it runs: a bar on a terminal, JSON lines for programs, else only failures.

use crate::text;
use godwit_protocol::RateKbps;
use godwit_protocol::wire::RateLocks;
use godwit_protocol::worker::{Failure, FileOutcome, FileReport, RateSettings, Report, Stats};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// Failed files told one by one; the rest are counted.
const MAX_TOLD: u64 = 20;

/// Where reports go.
pub(crate) struct Display {
    json: bool,
    bar: Option<ProgressBar>,
    limits: Limits,
    failed: u64,
    /// The first failed file, kept back: if it stays the only one, the last line tells it.
    first: Option<FileReport>,
}

impl Display {
    /// JSON lines if wanted; a bar only if somebody looks at one.
    pub(crate) fn new(json: bool, wished: Option<RateKbps>) -> Self {
        let bar = (!json && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{percent:>3}% [{bar:24}] {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.set_message("connecting");
            bar
        });
        Self { json, bar, limits: Limits { wished }, failed: 0, first: None }
    }

    /// Shows one report.
    pub(crate) fn show(&mut self, report: &Report) {
        if self.json {
            // A reader that has gone does not end the copy.
            if let Ok(line) = serde_json::to_string(report) {
                let mut out = io::stdout().lock();
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
            return;
        }
        match report {
            Report::Session { granted, locks, .. } => {
                if let Some(line) = self.limits.answer(*granted, *locks) {
                    self.say(&line);
                }
            }
            Report::Stats(stats) => {
                if let Some(bar) = &self.bar {
                    bar.set_length(stats.bytes_expected.max(stats.bytes_written));
                    bar.set_position(stats.bytes_written);
                    bar.set_message(line(stats, self.limits.of(stats)));
                }
            }
            Report::File(file) if file.outcome == FileOutcome::Failed => self.failed(file),
            Report::Unlocked(unlocked) => {
                let opened = unlocked.opened;
                self.say(&format!("{opened} {} decrypted", if opened == 1 { "file" } else { "files" }));
                if let Some(why) = &unlocked.why {
                    let why = crate::text::shown(why);
                    self.say(&format!("still encrypted: {} ({why}); godwit unlock decrypts them later", unlocked.kept));
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, file: &FileReport) {
        self.failed += 1;
        if self.failed == 1 {
            self.first = Some(file.clone());
            return;
        }
        if let Some(first) = self.first.take() {
            self.tell(&first);
        }
        if self.failed <= MAX_TOLD {
            self.tell(file);
        }
    }

    fn tell(&self, file: &FileReport) {
        let reason = file.error.as_ref().map_or("", |error| error.message.as_str());
        self.say(&format!("{}: {}", text::shown(&file.path), text::shown(reason)));
    }

    /// A line above the bar, on standard error.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bar away and tells what was kept back, unless `last` says it.
    pub(crate) fn end(&mut self, last: Option<&Failure>) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(first) = self.first.take() {
            let told = |failure: &Failure| first.error.as_ref().is_some_and(|e| failure.message.contains(&e.message));
            if !last.is_some_and(told) {
                self.tell(&first);
            }
        }
        if self.failed > MAX_TOLD {
            eprintln!("… and {} more", text::files(self.failed - MAX_TOLD));
        }
    }
}

/// What holds the rate, for the user's eyes.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// `--rate`.
    wished: Option<RateKbps>,
}

impl Limits {
    /// What to say when the server grants less than was asked for.
    fn answer(&self, granted: RateSettings, locks: RateLocks) -> Option<String> {
        let least = [granted.target, granted.cap].into_iter().flatten().min()?;
        let wished = self.wished?;
        let why = if locks.target { "sets this to" } else { "limits this to" };
        (least < wished).then(|| format!("The server {why} {}.", text::rate(least.0)))
    }

    /// Who holds the rate where it is, if it is near a limit.
    fn of(&self, stats: &Stats) -> Option<&'static str> {
        let limit = stats.limit_kbps;
        // Headers are not content: a full line shows a little less than its limit.
        if limit == 0 || stats.rate_kbps < limit / 10 * 9 {
            return None;
        }
        match self.wished {
            Some(wished) if wished.0 <= limit => Some("held by --rate"),
            _ => Some("held by the server's limit"),
        }
    }
}

fn line(stats: &Stats, holds: Option<&str>) -> String {
    let more = if stats.scan_complete { "" } else { "+" };
    let mut parts = vec![
        format!("{} of {}{more}", text::bytes(stats.bytes_written), text::bytes(stats.bytes_expected)),
        text::rate(stats.rate_kbps),
    ];
    parts.extend(holds.map(|holds| format!("({holds})")));
    let left = stats.bytes_expected.saturating_sub(stats.bytes_written);
    if stats.scan_complete && left > 0 && stats.rate_kbps > 0 {
        parts.push(format!("{} left", text::clock(left / (stats.rate_kbps * 125).max(1))));
    }
    if stats.files_expected != 1 {
        parts.push(format!("{} of {}{more}", stats.files_completed, text::files(stats.files_expected)));
    }
    parts.join("  ")
}

/// The last line of a copy that succeeded.
pub(crate) fn summary(stats: &Stats, time: Duration) -> String {
    let mut line = format!(
        "{}, {} in {:.1} s ({}), verified",
        text::files(stats.files_completed),
        text::bytes(stats.bytes_written),
        time.as_secs_f64(),
        text::mean_rate(stats.bytes_transferred, time)
    );
    if stats.files_skipped > 0 {
        line.push_str(&format!("; {} of them there already", text::files(stats.files_skipped)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_beside_the_bar_tells_rate_amount_time_and_files() {
        let stats = Stats {
            bytes_expected: 3 << 30,
            bytes_written: 1 << 30,
            rate_kbps: 800_000,
            files_expected: 1200,
            files_completed: 7,
            scan_complete: true,
            ..Stats::default()
        };
        assert_eq!(line(&stats, None), "1.0 GiB of 3.0 GiB  800.0 Mbit/s  0:21 left  7 of 1,200 files");
        let scanning = Stats { scan_complete: false, rate_kbps: 0, ..stats };
        assert_eq!(line(&scanning, None), "1.0 GiB of 3.0 GiB+  0.0 Mbit/s  7 of 1,200 files+");
    }

    #[test]
    fn what_holds_the_rate_is_named() {
        let limits = |wished| Limits { wished };
        let stats = |rate_kbps, limit_kbps| Stats { rate_kbps, limit_kbps, ..Stats::default() };
        assert_eq!(limits(None).of(&stats(96_000, 100_000)), Some("held by the server's limit"));
        assert_eq!(limits(Some(RateKbps(100_000))).of(&stats(96_000, 100_000)), Some("held by --rate"));
        assert_eq!(limits(Some(RateKbps(200_000))).of(&stats(96_000, 100_000)), Some("held by the server's limit"));
        assert_eq!(limits(None).of(&stats(50_000, 100_000)), None, "something else holds it");
        assert_eq!(limits(None).of(&stats(50_000, 0)), None);
        assert!(line(&stats(96_000, 100_000), Some("held by --rate")).contains("96.0 Mbit/s  (held by --rate)"));
    }

    #[test]
    fn a_server_that_grants_less_than_was_asked_for_is_quoted() {
        let granted =
            RateSettings { target: Some(RateKbps(50_000)), cap: Some(RateKbps(50_000)), ..Default::default() };
        let answer = |wished, locks| Limits { wished }.answer(granted, locks);
        let locked = RateLocks { target: true, ..RateLocks::default() };
        let wished = Some(RateKbps(200_000));
        assert_eq!(answer(wished, RateLocks::default()).as_deref(), Some("The server limits this to 50.0 Mbit/s."));
        assert_eq!(answer(wished, locked).as_deref(), Some("The server sets this to 50.0 Mbit/s."));
        assert_eq!(answer(Some(RateKbps(40_000)), locked), None);
        assert_eq!(answer(None, locked), None, "nobody asked");
    }

    #[test]
    fn the_summary_counts_what_was_moved_and_what_was_there() {
        let stats = Stats {
            bytes_written: 125_000_000,
            bytes_transferred: 125_000_000,
            files_completed: 3,
            files_skipped: 1,
            ..Stats::default()
        };
        assert_eq!(
            summary(&stats, Duration::from_secs(2)),
            "3 files, 119.2 MiB in 2.0 s (500.0 Mbit/s), verified; 1 file of them there already"
        );
    }
}
