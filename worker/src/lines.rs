//! Lines of bounded length.

use godwit_protocol::worker::MAX_LINE;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// Why a line cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// Longer than [`MAX_LINE`].
    #[error("a command is longer than {MAX_LINE} bytes")]
    TooLong,
    /// Not a command.
    #[error("a command is not valid (column {column})")]
    Json {
        /// Where.
        column: usize,
    },
    /// The input is broken.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The next line without its end; `None` at the end of the input. A last line without an end counts as torn and is
/// dropped: it may be half a command.
pub(crate) async fn read_line(input: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    let read = input.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => {
            line.pop();
            Ok(Some(line))
        }
        _ if read > MAX_LINE => Err(LineError::TooLong),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn lines_are_read_and_a_torn_one_is_dropped() {
        let mut input = &b"one\n\ntorn"[..];
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), b"one");
        assert_eq!(read_line(&mut input).await.unwrap().unwrap(), b"");
        assert!(read_line(&mut input).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_line_without_end_costs_bounded_memory() {
        let endless = vec![b'x'; MAX_LINE + 10];
        assert!(matches!(read_line(&mut &endless[..]).await, Err(LineError::TooLong)));
    }
}
