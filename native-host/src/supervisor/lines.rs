//! Lines of bounded length.

use std::io;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Reads lines without their ends; one that is longer than the limit is an error, and skipped.
pub(super) struct LineReader<R> {
    source: BufReader<R>,
    limit: usize,
    line: Vec<u8>,
    skipping: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(source: R, limit: usize) -> Self {
        Self { source: BufReader::new(source), limit, line: Vec::new(), skipping: false }
    }

    /// The next line; `None` at the end. A last line without an end is a line. May be dropped while it waits and called
    /// again: nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let bytes = self.source.fill_buf().await?;
            if bytes.is_empty() {
                let rest = std::mem::take(&mut self.line);
                return Ok(if rest.is_empty() || self.skipping { None } else { Some(rest) });
            }
            let end = bytes.iter().position(|b| *b == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            if !self.skipping {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.source.consume(used);
            if self.line.len() > self.limit {
                self.line = Vec::new();
                self.skipping = end.is_none();
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a line is longer than {}", self.limit),
                ));
            }
            if end.is_some() && !std::mem::take(&mut self.skipping) {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_a_too_long_one_is_refused_without_hurting_the_next() {
        let text = format!("one\n\n{}\nlast", "x".repeat(9_000));
        let mut lines = LineReader::new(text.as_bytes(), 100);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one");
        assert_eq!(lines.next().await.unwrap().unwrap(), b"");
        assert!(lines.next().await.is_err());
        assert_eq!(lines.next().await.unwrap().unwrap(), b"last");
        assert!(lines.next().await.unwrap().is_none());
    }
}
