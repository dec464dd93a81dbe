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

    /// To be called at the end of the stream: an error if it ended inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        if self.is_inside_frame() { Err(FrameError::Truncated) } else { Ok(()) }
    }

    /// True if a frame has begun and not ended (used for time-outs and at the end of the stream).
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        self.buffer.len() > self.start
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::envelope::Message;
    use crate::json::JsonError;

    fn decoder(bytes: &[u8]) -> Decoder {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        decoder
    }

    /// One request frame's payload with `params`.
    fn request(params: &str) -> Vec<u8> {
        format!(r#"{{"type":"request","id":1,"kind":"ui.status","params":{params}}}"#).into_bytes()
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_told_from_one_that_ends_between() {
        assert_eq!(decoder(b"").finish(), Ok(()));
        for cut in 1..PREFIX + 5 {
            let frame = encode(b"12345").unwrap();
            let mut decoder = decoder(&frame[..cut]);
            assert_eq!(decoder.next_frame(), Ok(None), "{cut}");
            assert_eq!(decoder.finish(), Err(FrameError::Truncated), "{cut}");
        }
        let mut whole = decoder(&encode(b"12345").unwrap());
        assert_eq!(whole.next_frame().unwrap().unwrap(), b"12345");
        assert_eq!(whole.finish(), Ok(()));
    }

    #[test]
    fn a_frame_without_bytes_is_refused() {
        assert_eq!(decoder(&[0; PREFIX]).next_frame(), Err(FrameError::Empty));
        assert_eq!(encode(b""), Err(FrameError::Empty));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_from_the_prefix_alone() {
        for length in [MAX_FRAME as u32 + 1, 0x7fff_ffff, u32::MAX] {
            let mut decoder = decoder(&length.to_ne_bytes());
            let error = Err(FrameError::TooLarge(u64::from(length)));
            assert_eq!(decoder.next_frame(), error);
            // It stays refused: nothing after it can be trusted to begin at a frame.
            decoder.push(&encode(b"{}").unwrap());
            assert_eq!(decoder.next_frame(), error);
        }
        let mut largest = decoder(&(MAX_FRAME as u32).to_ne_bytes());
        assert_eq!(largest.next_frame(), Ok(None));
        largest.push(&vec![b' '; MAX_FRAME]);
        assert_eq!(largest.next_frame().unwrap().unwrap().len(), MAX_FRAME);
    }

    #[test]
    fn nothing_larger_than_a_browser_takes_is_ever_sent() {
        assert!(encode(&vec![b'x'; MAX_FRAME]).is_ok());
        assert_eq!(encode(&vec![b'x'; MAX_FRAME + 1]), Err(FrameError::TooLarge(MAX_FRAME as u64 + 1)));
    }

    #[test]
    fn a_prefix_in_the_wrong_byte_order_is_refused_at_once() {
        // Multiples of 4096 would swap to something within the limit and stall instead, until the reader's time-out.
        for length in [2_u32, 60, 300, 5_000, 40_000] {
            let mut decoder = decoder(&length.swap_bytes().to_ne_bytes());
            assert_eq!(decoder.next_frame(), Err(FrameError::TooLarge(u64::from(length.swap_bytes()))));
        }
    }

    #[test]
    fn text_that_is_no_unicode_is_refused_with_its_reason() {
        for bytes in [&b"{\"type\":\"\xff\"}"[..], b"\xed\xa0\x80", b"\xc0\x80"] {
            assert!(matches!(Message::parse(bytes), Err(JsonError::Utf8)));
        }
        for params in [r#""\ud800""#, "\"\0\""] {
            assert!(matches!(Message::parse(&request(params)), Err(JsonError::Shape(_))), "{params:?}");
        }
        let mut with_mark = vec![0xef, 0xbb, 0xbf];
        with_mark.extend(request("{}"));
        assert!(matches!(Message::parse(&with_mark), Err(JsonError::Shape(_))));
    }

    #[test]
    fn hostile_json_is_refused_with_its_reason() {
        assert!(matches!(Message::parse(&request(&"[".repeat(100_000))), Err(JsonError::Depth)));
        assert!(matches!(Message::parse(&request(r#"{"a":1,"a":2}"#)), Err(JsonError::DuplicateKey(_))));
        let twice = br#"{"type":"request","id":1,"id":2,"kind":"x"}"#;
        assert!(matches!(Message::parse(twice), Err(JsonError::DuplicateKey(_))));
        assert!(matches!(Message::parse(&request("1e999")), Err(JsonError::Shape(_))));
        let keys: Vec<String> = (0..100_000).map(|i| format!("\"{i:x}\":0")).collect();
        assert!(Message::parse(&request(&format!("{{{}}}", keys.join(",")))).is_ok());
        // An ordinary key to us: there is no prototype here.
        assert!(Message::parse(&request(r#"{"__proto__":{"admin":true}}"#)).is_ok());
    }

    #[test]
    fn unknown_types_wrong_types_and_extra_fields_are_refused_and_the_next_frame_is_read() {
        let bad = [
            r#"{"type":"surprise","id":1}"#,
            r#"{"type":"request","id":"1","kind":"x"}"#,
            r#"{"type":"request","id":-1,"kind":"x"}"#,
            r#"{"type":"request","id":1,"kind":7}"#,
            r#"{"type":"request","id":1}"#,
            r#"{"type":"request","id":1,"kind":"x","extra":true}"#,
            r#"{"type":"request","id":1,"kind":"page","origin":"null"}"#,
            r#"{"type":"request","id":1,"kind":"page","origin":"http://example.com"}"#,
            r#"["request",1,"x",null,null,{}]"#,
            r#""request""#,
            "7",
            "null",
        ];
        let mut decoder = Decoder::default();
        for text in bad {
            decoder.push(&encode(text.as_bytes()).unwrap());
        }
        decoder.push(&encode(&request("{}")).unwrap());
        for text in bad {
            let payload = decoder.next_frame().unwrap().unwrap();
            assert!(matches!(Message::parse(&payload), Err(JsonError::Shape(_))), "{text}");
        }
        assert!(Message::parse(&decoder.next_frame().unwrap().unwrap()).is_ok());
    }
}
