//! Counters for whoever watches the server, in the text form that Prometheus reads. No names, no addresses.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of the histogram of answer times, ms.
const BOUNDS: [u64; 6] = [5, 10, 50, 200, 1_000, 5_000];

/// What is counted since the start.
#[derive(Debug)]
pub struct Metrics {
    started: Instant,
    logins: [AtomicU64; 4],
    answers: [AtomicU64; 4],
    times: [AtomicU64; BOUNDS.len() + 1],
    spent_ms: AtomicU64,
    sessions: AtomicI64,
    ended: [AtomicU64; 2],
    bytes: [AtomicU64; 2],
}

/// How a login ended.
#[derive(Clone, Copy, Debug)]
pub enum Login {
    /// Let in.
    Accepted,
    /// Wrong proof.
    Refused,
    /// Not looked at: too many failures from there.
    Banned,
    /// Not looked at: too many at once.
    Busy,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            logins: Default::default(),
            answers: Default::default(),
            times: Default::default(),
            spent_ms: AtomicU64::default(),
            sessions: AtomicI64::default(),
            ended: Default::default(),
            bytes: Default::default(),
        }
    }
}

fn add<const N: usize>(counters: &[AtomicU64; N], which: usize, amount: u64) {
    if let Some(counter) = counters.get(which) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

impl Metrics {
    /// A login ended so.
    pub fn login(&self, how: Login) {
        add(&self.logins, how as usize, 1);
    }

    /// An HTTP request was answered.
    pub fn answered(&self, status: u16, took: Duration) {
        add(&self.answers, usize::from((status / 100).clamp(2, 5)) - 2, 1);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        add(&self.times, BOUNDS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS.len()), 1);
        self.spent_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// A data session began.
    pub fn session_began(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// A data session ended.
    pub fn session_ended(&self, upload: bool, complete: bool, bytes: u64) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
        add(&self.ended, usize::from(!complete), 1);
        add(&self.bytes, usize::from(!upload), bytes);
    }

    /// Everything, as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "# TYPE godwit_uptime_seconds gauge\ngodwit_uptime_seconds {}",
            self.started.elapsed().as_secs()
        );
        let mut family = |name: &str, label: &str, values: &[(&str, &AtomicU64)]| {
            let _ = writeln!(text, "# TYPE {name} counter");
            for (value, counter) in values {
                let _ = writeln!(text, "{name}{{{label}=\"{value}\"}} {}", get(counter));
            }
        };
        let [accepted, refused, banned, busy] = &self.logins;
        family(
            "godwit_logins_total",
            "result",
            &[("accepted", accepted), ("refused", refused), ("banned", banned), ("busy", busy)],
        );
        let [good, elsewhere, client, server] = &self.answers;
        family(
            "godwit_http_answers_total",
            "class",
            &[("2xx", good), ("3xx", elsewhere), ("4xx", client), ("5xx", server)],
        );
        let [complete, failed] = &self.ended;
        family("godwit_sessions_ended_total", "result", &[("complete", complete), ("failed", failed)]);
        let [received, sent] = &self.bytes;
        family("godwit_session_bytes_total", "direction", &[("received", received), ("sent", sent)]);
        let sessions = self.sessions.load(Ordering::Relaxed);
        let _ = writeln!(text, "# TYPE godwit_sessions gauge\ngodwit_sessions {sessions}");
        let _ = writeln!(text, "# TYPE godwit_http_answer_ms histogram");
        let mut sum = 0;
        let bounds = BOUNDS.iter().map(u64::to_string).chain(["+Inf".to_owned()]);
        for (bound, counter) in bounds.zip(&self.times) {
            sum += get(counter);
            let _ = writeln!(text, "godwit_http_answer_ms_bucket{{le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(text, "godwit_http_answer_ms_sum {}\ngodwit_http_answer_ms_count {sum}", get(&self.spent_ms));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_appear_under_their_names() {
        let metrics = Metrics::default();
        metrics.login(Login::Refused);
        metrics.answered(404, Duration::from_millis(7));
        metrics.answered(200, Duration::from_secs(60));
        metrics.session_began();
        metrics.session_began();
        metrics.session_ended(true, true, 100);
        let text = metrics.text();
        for line in [
            "godwit_logins_total{result=\"refused\"} 1",
            "godwit_http_answers_total{class=\"4xx\"} 1",
            "godwit_http_answer_ms_bucket{le=\"5\"} 0",
            "godwit_http_answer_ms_bucket{le=\"10\"} 1",
            "godwit_http_answer_ms_bucket{le=\"+Inf\"} 2",
            "godwit_sessions 1",
            "godwit_session_bytes_total{direction=\"received\"} 100",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
