//! The log: lines to standard error, which whoever started the server keeps, turns over and bounds.
//!
//! What strangers do is in it (a line for each request), so it must cost no more than is bearable, and never hold up the
//! service. Lines are written by a thread of their own: a reader that stands still or a disk that is full loses lines and
//! nothing else. There are at most so many lines in a second, warnings counted by themselves, so that no flood of requests
//! hides them; what is left out is counted and told.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Longest line, bytes; the rest is cut off.
const MAX_LINE: usize = 4 * 1024;
/// Lines that wait for a slow reader: 16 MiB at most.
const WAITING: usize = 4_096;
/// Lines in a second: warnings and errors, and all others.
const WARNINGS: u32 = 500;
const OTHERS: u32 = 2_000;
const SECOND: Duration = Duration::from_secs(1);

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

struct Shared {
    lines: SyncSender<Message>,
    spent: Mutex<Spent>,
    left_out: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// Everything before it was written.
    Flushed(SyncSender<()>),
}

/// What the present second has cost.
struct Spent {
    since: Instant,
    warnings: u32,
    others: u32,
}

impl Spent {
    fn allows(&mut self, warning: bool, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = Self { since: now, warnings: 0, others: 0 };
        }
        let (count, most) = if warning { (&mut self.warnings, WARNINGS) } else { (&mut self.others, OTHERS) };
        *count = count.saturating_add(1);
        *count <= most
    }
}

impl Log {
    /// Writes to standard error from now on.
    #[must_use]
    pub fn to_stderr() -> Self {
        Self::to(io::stderr())
    }

    fn to(out: impl Write + Send + 'static) -> Self {
        let (lines, incoming) = sync_channel(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let counter = left_out.clone();
        std::thread::spawn(move || write(out, &incoming, &counter));
        let spent = Mutex::new(Spent { since: Instant::now(), warnings: 0, others: 0 });
        Self(Arc::new(Shared { lines, spent, left_out }))
    }

    /// Waits until what was said before is written, at most `limit`.
    pub fn flush(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let (done, flushed) = sync_channel(1);
        let mut message = Message::Flushed(done);
        while let Err(TrySendError::Full(back)) = self.0.lines.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = flushed.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }

    fn line(&self, line: &[u8], warning: bool) {
        let mut line = line.to_vec();
        if line.len() > MAX_LINE {
            line.truncate(MAX_LINE);
            line.extend_from_slice(b"...\n");
        }
        let allowed = self.0.spent.lock().unwrap_or_else(PoisonError::into_inner).allows(warning, Instant::now());
        if !allowed || self.0.lines.try_send(Message::Line(line)).is_err() {
            self.0.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A line that cannot be written is lost: there is nobody left to tell.
fn write(mut out: impl Write, incoming: &Receiver<Message>, left_out: &AtomicU64) {
    while let Ok(message) = incoming.recv() {
        match message {
            Message::Line(line) => {
                let lost = left_out.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(out, "{lost} lines of the log were left out: there were more than can be written");
                }
                let _ = out.write_all(&line);
            }
            Message::Flushed(done) => drop(done.try_send(())),
        }
    }
}

/// One line on its way.
pub struct Entry<'a> {
    log: &'a Log,
    warning: bool,
}

impl Write for Entry<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.log.line(line, self.warning);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Entry<'a>;

    fn make_writer(&'a self) -> Entry<'a> {
        Entry { log: self, warning: true }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Entry<'a> {
        Entry { log: self, warning: *meta.level() <= Level::WARN }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_warnings_have_their_own() {
        let begin = Instant::now();
        let mut spent = Spent { since: begin, warnings: 0, others: 0 };
        assert_eq!((0..10_000).filter(|_| spent.allows(false, begin)).count(), OTHERS as usize);
        assert!(spent.allows(true, begin), "a flood of requests hides no warning");
        assert!(spent.allows(false, begin + SECOND), "the next second has its own");
    }

    #[test]
    fn long_lines_are_cut_and_what_is_left_out_is_told() {
        let (sender, written) = std::sync::mpsc::channel::<Vec<u8>>();
        struct Out(std::sync::mpsc::Sender<Vec<u8>>);
        impl Write for Out {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Log::to(Out(sender));
        log.line(&[b'x'; 10_000], false);
        log.0.left_out.fetch_add(3, Ordering::Relaxed);
        log.line(b"last\n", true);
        log.flush(Duration::from_secs(60));
        let all: Vec<u8> = written.try_iter().flatten().collect();
        let text = String::from_utf8(all).unwrap();
        assert!(text.len() < 5_000 && text.contains("3 lines of the log were left out") && text.ends_with("last\n"));
    }
}
