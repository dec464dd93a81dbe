//! Frames over async byte streams: the protocol's codec with the time limit that a peer must keep.

use godwit_protocol::frame::{self, FrameError, PREFIX};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A frame that has begun must have ended within this time.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The rest of a frame did not come in time.
    #[error("a frame was begun and not finished within {} seconds", FRAME_TIMEOUT.as_secs())]
    Slow,
    /// The stream failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads one frame's payload; `None` at a clean end of the stream. Waits for the first byte without limit.
pub async fn read_frame<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Option<Vec<u8>>, ReadError> {
    read_frame_within(stream, FRAME_TIMEOUT).await
}

async fn read_frame_within<R: AsyncRead + Unpin>(
    stream: &mut R,
    limit: Duration,
) -> Result<Option<Vec<u8>>, ReadError> {
    let mut prefix = [0; PREFIX];
    if stream.read(&mut prefix[..1]).await? == 0 {
        return Ok(None);
    }
    let body = async {
        stream.read_exact(&mut prefix[1..]).await.map_err(ended)?;
        let mut payload = vec![0; frame::decode_prefix(prefix)?];
        stream.read_exact(&mut payload).await.map_err(ended)?;
        Ok(Some(payload))
    };
    tokio::time::timeout(limit, body).await.unwrap_or(Err(ReadError::Slow))
}

/// Writes one frame.
pub async fn write_frame<W: AsyncWrite + Unpin>(stream: &mut W, payload: &[u8]) -> io::Result<()> {
    let bytes = frame::encode(payload).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    stream.write_all(&bytes).await
}

fn ended(error: io::Error) -> ReadError {
    if error.kind() == io::ErrorKind::UnexpectedEof { FrameError::Truncated.into() } else { error.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn frames_come_out_as_they_went_in_and_a_cut_one_is_named() {
        let (mut a, mut b) = tokio::io::duplex(64);
        let writer = tokio::spawn(async move {
            write_frame(&mut a, b"one").await.unwrap();
            write_frame(&mut a, &[b'x'; 300]).await.unwrap();
            a.write_all(&[9, 0, 0, 0, b'c', b'u', b't']).await.unwrap();
        });
        assert_eq!(read_frame(&mut b).await.unwrap().unwrap(), b"one");
        assert_eq!(read_frame(&mut b).await.unwrap().unwrap(), vec![b'x'; 300]);
        assert!(matches!(read_frame(&mut b).await, Err(ReadError::Frame(FrameError::Truncated))));
        writer.await.unwrap();
        assert!(read_frame(&mut b).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_frame_that_never_ends_is_given_up() {
        let (mut a, mut b) = tokio::io::duplex(64);
        a.write_all(&[9, 0, 0, 0, b'x']).await.unwrap();
        let limit = Duration::from_millis(20);
        assert!(matches!(read_frame_within(&mut b, limit).await, Err(ReadError::Slow)));
    }
}
