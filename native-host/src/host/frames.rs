//! Whole frames from a blocking descriptor, with a limit on how long a begun frame may take.

use crate::framing::FRAME_TIMEOUT;
use godwit_protocol::frame::{FrameError, PREFIX, decode_prefix};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Buffers above this are given back after the frame: large frames are rare, hosts are many.
const KEEP: usize = 64 * 1024;

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StreamError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame was begun and not finished within {} seconds", FRAME_TIMEOUT.as_secs())]
    Slow,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads frames, prefix included, from `source`.
pub(super) struct FrameReader<R> {
    source: R,
    buffer: Vec<u8>,
    timeout: Duration,
}

impl<R: Read + AsFd> FrameReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), timeout: FRAME_TIMEOUT }
    }

    /// The next frame with its prefix; `None` at a clean end.
    pub(super) fn next_frame(&mut self) -> Result<Option<&[u8]>, StreamError> {
        if self.buffer.capacity() > KEEP {
            self.buffer = Vec::new();
        }
        self.buffer.clear();
        self.buffer.resize(1, 0);
        loop {
            match self.source.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        let deadline = Instant::now() + self.timeout;
        self.fill(1, PREFIX, deadline)?;
        let mut prefix = [0; PREFIX];
        prefix.copy_from_slice(&self.buffer);
        let length = decode_prefix(prefix)?;
        self.fill(PREFIX, PREFIX + length, deadline)?;
        Ok(Some(&self.buffer))
    }

    fn fill(&mut self, mut from: usize, to: usize, deadline: Instant) -> Result<(), StreamError> {
        self.buffer.resize(to, 0);
        while from < to {
            self.wait(deadline)?;
            match self.source.read(&mut self.buffer[from..to]) {
                Ok(0) => return Err(FrameError::Truncated.into()),
                Ok(n) => from += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn wait(&self, deadline: Instant) -> Result<(), StreamError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StreamError::Slow);
        }
        let limit = Timespec::try_from(left).map_err(|_| StreamError::Slow)?;
        match poll(&mut [PollFd::new(&self.source, PollFlags::IN)], Some(&limit)) {
            Ok(0) => Err(StreamError::Slow),
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn frames_are_whole_however_they_arrive() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let mut reader = FrameReader::new(b);
        let frame = godwit_protocol::frame::encode(b"{}").unwrap();
        let bytes = [frame.clone(), frame.clone()].concat();
        let writer = std::thread::spawn(move || {
            for byte in bytes {
                a.write_all(&[byte]).unwrap();
            }
        });
        assert_eq!(reader.next_frame().unwrap().unwrap(), frame);
        assert_eq!(reader.next_frame().unwrap().unwrap(), frame);
        assert!(reader.next_frame().unwrap().is_none());
        writer.join().unwrap();
    }

    #[test]
    fn bad_frames_have_their_own_errors() {
        let result = |bytes: &[u8]| {
            let (mut a, b) = UnixStream::pair().unwrap();
            a.write_all(bytes).unwrap();
            drop(a);
            FrameReader::new(b).next_frame().map(|_| ()).unwrap_err()
        };
        assert!(matches!(result(&[0; 4]), StreamError::Frame(FrameError::Empty)));
        assert!(matches!(result(&[0xff; 4]), StreamError::Frame(FrameError::TooLarge(_))));
        assert!(matches!(result(&[5, 0, 0, 0, 1]), StreamError::Frame(FrameError::Truncated)));
        assert!(matches!(result(&[5, 0]), StreamError::Frame(FrameError::Truncated)));
    }

    #[test]
    fn a_frame_that_never_ends_is_given_up() {
        let (mut a, b) = UnixStream::pair().unwrap();
        a.write_all(&[5, 0, 0, 0, 1]).unwrap();
        let mut reader = FrameReader::new(b);
        reader.timeout = Duration::from_millis(30);
        assert!(matches!(reader.next_frame(), Err(StreamError::Slow)));
    }
}
