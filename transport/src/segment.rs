//! Cutting what the receiver wants into segments. Pure.

use crate::hash::unit_len;
use godwit_protocol::wire::{MAX_SEGMENT_UNITS, UNIT};
use std::collections::VecDeque;

/// Content bytes a segment is filled up to. One unit: small segments let the receiver finish and forget early, keep what
/// quinn retains for retransmission small, and still cost next to nothing each.
pub(crate) const SEGMENT_TARGET: u64 = UNIT;
/// Most separate spans a receiver may have waiting. Its own entries never need so many.
const MAX_QUEUED_SPANS: usize = 1 << 20;

/// Where files lie in the virtual space.
pub(crate) trait Geometry {
    /// Start and size of the file that holds the byte `at`, if it is still served.
    fn file_at(&self, at: u64) -> Option<(u64, u64)>;
    /// Start of the next file after `at` that is still served.
    fn next_start(&self, at: u64) -> Option<u64>;
}

/// One unit, or one small file, of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Start of its file in the virtual space.
    pub(crate) file: u64,
    /// Size of its file.
    pub(crate) size: u64,
    /// Number of the unit in the file.
    pub(crate) unit: u64,
}

impl Piece {
    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        unit_len(self.size, self.unit)
    }

    /// Start in the virtual space.
    pub(crate) fn start(&self) -> u64 {
        self.file + self.unit * UNIT
    }
}

/// Why a want cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WantError {
    /// Empty, reversed, or beyond what was announced.
    #[error("a wanted span is empty or lies beyond the manifest")]
    Bounds,
    /// Does not begin and end on the border of a unit or file.
    #[error("a wanted span does not lie on borders of units")]
    Misaligned,
    /// Too many at once.
    #[error("too many spans are wanted at once")]
    TooMany,
}

/// The queue of spans that are wanted and not yet served.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    spans: VecDeque<(u64, u64)>,
}

impl Wanted {
    /// Adds a span; `announced` is the end of the virtual space so far.
    pub(crate) fn push(&mut self, (start, end): (u64, u64), announced: u64) -> Result<(), WantError> {
        if start >= end || end > announced {
            return Err(WantError::Bounds);
        }
        if self.spans.len() >= MAX_QUEUED_SPANS {
            return Err(WantError::TooMany);
        }
        match self.spans.back_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => self.spans.push_back((start, end)),
        }
        Ok(())
    }

    /// The next segment: pieces that follow one another without a gap. Files no longer served are passed over.
    pub(crate) fn next(&mut self, files: &impl Geometry) -> Result<Vec<Piece>, WantError> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut filled = 0;
        while let Some(&(at, end)) = self.spans.front() {
            let Some((file, size)) = files.file_at(at) else {
                if !pieces.is_empty() {
                    break;
                }
                match files.next_start(at).filter(|next| *next < end && *next > at) {
                    Some(next) => self.advance(next),
                    None => self.advance(end),
                }
                continue;
            };
            if pieces.last().is_some_and(|last| last.start() + last.len() != at) {
                break;
            }
            let within = at - file;
            let piece = Piece { file, size, unit: within / UNIT };
            if within % UNIT != 0 || at + piece.len() > end {
                return Err(WantError::Misaligned);
            }
            if !pieces.is_empty() && (filled + piece.len() > SEGMENT_TARGET || pieces.len() >= MAX_SEGMENT_UNITS) {
                break;
            }
            filled += piece.len();
            pieces.push(piece);
            self.advance(at + piece.len());
        }
        Ok(pieces)
    }

    fn advance(&mut self, to: u64) {
        if let Some(front) = self.spans.front_mut() {
            front.0 = to;
            if front.0 >= front.1 {
                self.spans.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    struct Files(BTreeMap<u64, u64>);

    impl Geometry for Files {
        fn file_at(&self, at: u64) -> Option<(u64, u64)> {
            self.0.range(..=at).next_back().map(|(s, n)| (*s, *n)).filter(|(s, n)| at < s + n)
        }
        fn next_start(&self, at: u64) -> Option<u64> {
            self.0.range(at + 1..).next().map(|(s, _)| *s)
        }
    }

    proptest! {
        #[test]
        fn every_wanted_byte_of_a_served_file_is_served_once(
            sizes in prop::collection::vec((prop_oneof![1u64..5_000, 1u64..4 * UNIT], any::<bool>(), any::<bool>()), 1..40),
        ) {
            let (mut files, mut at) = (BTreeMap::new(), 0);
            let mut spans = Vec::new();
            let mut expected = Vec::new();
            for (size, served, wanted) in sizes {
                if served {
                    files.insert(at, size);
                }
                if wanted {
                    spans.push((at, at + size));
                    if served {
                        expected.extend((0..size.div_ceil(UNIT)).map(|unit| Piece { file: at, size, unit }));
                    }
                }
                at += size;
            }
            let mut wanted = Wanted::default();
            for span in spans {
                wanted.push(span, at).unwrap();
            }
            let files = Files(files);
            let mut got = Vec::new();
            loop {
                let segment = wanted.next(&files).unwrap();
                if segment.is_empty() {
                    break;
                }
                prop_assert!(segment.len() <= MAX_SEGMENT_UNITS);
                prop_assert!(segment.iter().map(Piece::len).sum::<u64>() <= SEGMENT_TARGET);
                prop_assert!(segment.windows(2).all(|w| w[0].start() + w[0].len() == w[1].start()));
                got.extend(segment);
            }
            prop_assert_eq!(got, expected);
            prop_assert!(wanted.spans.is_empty());
        }
    }

    #[test]
    fn wants_off_the_borders_or_beyond_the_manifest_are_refused() {
        let files = Files([(0, 3 * UNIT)].into());
        for (span, error) in [
            ((1, UNIT), WantError::Misaligned),
            ((0, UNIT - 1), WantError::Misaligned),
            ((5, 5), WantError::Bounds),
            ((0, 4 * UNIT), WantError::Bounds),
            ((u64::MAX, 1), WantError::Bounds),
        ] {
            let mut wanted = Wanted::default();
            let result = wanted.push(span, 3 * UNIT).and_then(|()| wanted.next(&files).map(drop));
            assert_eq!(result, Err(error), "{span:?}");
        }
    }
}
