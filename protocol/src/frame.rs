//! The frame codec of native messaging: a 4-byte length in native byte order, then that many bytes of JSON.

use byteorder::{ByteOrder, NativeEndian};

/// Largest payload accepted or sent, bytes. Both browsers break the port above 1 MiB toward the browser; the same
/// limit holds the other way, so that no peer can make us allocate more.
pub const MAX_FRAME: usize = 1024 * 1024;

/// Bytes of the length prefix.
pub const PREFIX: usize = 4;

/// Why a frame was refused. The stream cannot be used afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The prefix announces more than [`MAX_FRAME`] bytes.
    #[error("a frame of {0} bytes is larger than the limit of {MAX_FRAME} bytes")]
    TooLarge(u64),
    /// The prefix announces no bytes: never a message.
    #[error("a frame is empty")]
    Empty,
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
}

/// Puts the prefix before `payload`.
pub fn encode(payload: &[u8]) -> Result<Vec<u8>, FrameError> {
    if payload.is_empty() {
        return Err(FrameError::Empty);
    }
    if payload.len() > MAX_FRAME {
        return Err(FrameError::TooLarge(payload.len() as u64));
    }
    let mut bytes = vec![0; PREFIX + payload.len()];
    NativeEndian::write_u32(&mut bytes[..PREFIX], payload.len() as u32);
    bytes[PREFIX..].copy_from_slice(payload);
    Ok(bytes)
}

/// Reads a prefix: the length of the payload that follows.
pub fn decode_prefix(prefix: [u8; PREFIX]) -> Result<usize, FrameError> {
    match NativeEndian::read_u32(&prefix) as usize {
        0 => Err(FrameError::Empty),
        n if n > MAX_FRAME => Err(FrameError::TooLarge(n as u64)),
        n => Ok(n),
    }
}

/// Cuts a byte stream into frames. Bytes come in as they arrive, in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    /// Adds bytes from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame's payload, if it has arrived.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let rest = &self.buffer[self.start..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let length = decode_prefix(*prefix)?;
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.start += PREFIX + length;
        Ok(Some(payload))
    }

    /// True if a frame has begun and not ended (used for time-outs and at the end of the stream).
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.buffer.len() > self.start
    }
}
