//! Data streams: read unordered into one bounded buffer each, handed on when whole.

use crate::failure::{from_connection, protocol};
use crate::land::Landing;
use crate::lines::{Line, Lines};
use crate::meter::add;
use crate::pool::{Buffer, Pool};
use crate::rate::Pace;
use crate::state::Place;
use crate::windows::Budget;
use bytes::Bytes;
use godwit_protocol::ErrorCode;
use godwit_protocol::wire::{HASH, MAX_SEGMENT, MAX_SEGMENT_UNITS, SEGMENT_HEAD, SegmentHead, UNIT};
use godwit_protocol::worker::Failure;
use quinn::{ReadError, RecvStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};

/// Segments that are verified and written at once.
const WRITERS: usize = 8;
/// Data streams that a sender may give up in one session.
const MOST_RESETS: u32 = 1_024;
/// Longest data stream there can be.
const MOST: u64 = SEGMENT_HEAD as u64 + MAX_SEGMENT + (MAX_SEGMENT_UNITS * HASH) as u64;

/// Accepts data streams until the session ends; `throttle` says how fast content is taken.
pub(crate) async fn run(lines: Lines, landing: Arc<Landing>, throttle: Pace) -> Result<(), Failure> {
    let budget = Arc::new(Budget::new());
    let mut taking = JoinSet::new();
    let followed = budget.clone().follow(lines.clone(), landing.meter.clone());
    taking.spawn(async {
        followed.await;
        Ok(())
    });
    let intake = Arc::new(Intake {
        landing,
        throttle,
        resets: AtomicU32::new(0),
        budget,
        pool: Arc::default(),
        writers: Semaphore::new(WRITERS),
    });
    let mut came = lines.came();
    let mut taken = 0;
    loop {
        for line in lines.all().into_iter().skip(taken) {
            taken += 1;
            taking.spawn(intake.clone().line(line));
        }
        tokio::select! {
            _ = came.changed() => {}
            Some(ended) = taking.join_next() => outcome(ended)?,
        }
    }
}

/// What a task of ours ended with; a task that was stopped ended well.
fn outcome(ended: Result<Result<(), Failure>, JoinError>) -> Result<(), Failure> {
    match ended {
        Ok(result) => result,
        Err(e) if e.is_panic() => Err(Failure::new(ErrorCode::Internal, "a receiving task broke")),
        Err(_) => Ok(()),
    }
}

struct Intake {
    landing: Arc<Landing>,
    /// A stream of our own sender needs one unit of it.
    budget: Arc<Budget>,
    pool: Arc<Pool>,
    writers: Semaphore,
    throttle: Pace,
    /// Streams that were given up.
    resets: AtomicU32,
}

impl Intake {
    /// Accepts from one connection until it ends. The end of a further one is no failure.
    async fn line(self: Arc<Self>, line: Arc<Line>) -> Result<(), Failure> {
        let mut streams = JoinSet::new();
        let is_first = line.number == 0;
        let end = loop {
            tokio::select! {
                stream = line.connection.accept_uni() => match stream {
                    Ok(stream) => drop(streams.spawn(self.clone().stream(stream, is_first))),
                    Err(e) => break e,
                },
                Some(ended) = streams.join_next() => outcome(ended)?,
            }
        };
        if is_first {
            return Err(from_connection(&end));
        }
        // What came before the end is taken.
        while let Some(ended) = streams.join_next().await {
            outcome(ended)?;
        }
        line.is_drained();
        Ok(())
    }

    async fn stream(self: Arc<Self>, mut stream: RecvStream, is_first: bool) -> Result<(), Failure> {
        let closed = || Failure::new(ErrorCode::Internal, "the session is over");
        let mut permit = self.budget.units.acquire().await.map_err(|_| closed())?;
        let mut gather = Gather::default();
        loop {
            let chunk = match stream.read_chunk(usize::MAX, false).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(ReadError::ConnectionLost(e)) if is_first => return Err(from_connection(&e)),
                // The sender tells what went down with it.
                Err(ReadError::ConnectionLost(_)) => return Ok(()),
                // Given up by the sender; why, the control stream tells. Few are: opening and resetting costs the sender
                // nothing and us something.
                Err(_) if self.resets.fetch_add(1, Ordering::Relaxed) < MOST_RESETS => return Ok(()),
                Err(_) => return Err(protocol("too many data streams were given up")),
            };
            self.landing.meter.hear();
            add(&self.landing.meter.bytes_received, chunk.bytes.len() as u64);
            // What is not read is not credited, so the sender cannot send more.
            self.throttle.wait(chunk.bytes.len() as u64).await;
            if let Some(head) = gather.take(chunk.offset, chunk.bytes)? {
                let units = head.length.div_ceil(UNIT) as u32;
                if units > 1 {
                    // Give back before asking for more: nobody waits with something in hand.
                    drop(permit);
                    permit = self.budget.units.acquire_many(units).await.map_err(|_| closed())?;
                }
                let places = self.landing.table().layout(head);
                let places = places.ok_or_else(|| protocol("content that nobody asked for"))?;
                let body = self.pool.take(head.length as usize + places.len() * HASH);
                gather.start(head, places, body)?;
            }
        }
        let (places, body, content) = gather.finish()?;
        let turn = self.writers.acquire().await.map_err(|_| closed())?;
        let landing = self.landing.clone();
        let landed = tokio::task::spawn_blocking(move || {
            let (data, trailer) = body.split_at(content);
            landing.segment(places, data, trailer)
        });
        let landed = landed.await.map_err(|_| Failure::new(ErrorCode::Internal, "writing broke"))?;
        drop((turn, permit));
        landed
    }
}

/// A segment on its way in, from chunks in any order. quinn hands out every byte of a stream once.
#[derive(Default)]
struct Gather {
    /// What came before the head was whole.
    early: Vec<(u64, Bytes)>,
    came: u64,
    head: Option<(SegmentHead, Vec<Place>)>,
    body: Option<Buffer>,
}

impl Gather {
    /// Takes a chunk; returns the head when it has just become readable.
    fn take(&mut self, offset: u64, bytes: Bytes) -> Result<Option<SegmentHead>, Failure> {
        self.came += bytes.len() as u64;
        if self.head.is_some() {
            self.put(offset, &bytes)?;
            return Ok(None);
        }
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > MOST) {
            return Err(protocol("a data stream is too long"));
        }
        self.early.push((offset, bytes));
        let mut head = [0; SEGMENT_HEAD];
        let mut filled = 0;
        for (offset, bytes) in self.early.iter().filter(|(offset, _)| *offset < SEGMENT_HEAD as u64) {
            for (place, byte) in head.iter_mut().skip(*offset as usize).zip(bytes) {
                *place = *byte;
                filled += 1;
            }
        }
        if filled < SEGMENT_HEAD {
            return Ok(None);
        }
        SegmentHead::decode(&head).map(Some).ok_or_else(|| protocol("a segment has an impossible head"))
    }

    /// The head is known and what the segment holds.
    fn start(&mut self, head: SegmentHead, places: Vec<Place>, body: Buffer) -> Result<(), Failure> {
        self.body = Some(body);
        self.head = Some((head, places));
        for (offset, bytes) in std::mem::take(&mut self.early) {
            self.put(offset, &bytes)?;
        }
        Ok(())
    }

    fn put(&mut self, offset: u64, mut bytes: &[u8]) -> Result<(), Failure> {
        let before = (SEGMENT_HEAD as u64).saturating_sub(offset).min(bytes.len() as u64) as usize;
        bytes = bytes.get(before..).unwrap_or_default();
        let at = (offset + before as u64).saturating_sub(SEGMENT_HEAD as u64) as usize;
        let end = at.checked_add(bytes.len());
        match end.and_then(|end| self.body.as_mut()?.get_mut(at..end)) {
            Some(place) => place.copy_from_slice(bytes),
            None => return Err(protocol("a data stream is longer than its head says")),
        }
        Ok(())
    }

    /// The whole: what it holds, content with trailer, and the length of the content.
    fn finish(self) -> Result<(Vec<Place>, Buffer, usize), Failure> {
        match self.head.zip(self.body) {
            Some(((head, places), body)) if self.came == (SEGMENT_HEAD + body.len()) as u64 => {
                Ok((places, body, head.length as usize))
            }
            _ => Err(protocol("a data stream is shorter than its head says")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn buffer(len: usize) -> Buffer {
        Arc::new(Pool::default()).take(len)
    }

    proptest! {
        #[test]
        fn chunks_in_any_order_make_the_same_segment(
            cuts in prop::collection::btree_set(1usize..616, 0..12),
            seed in any::<u64>(),
        ) {
            let head = SegmentHead { offset: 9, length: 600 };
            let content: Vec<u8> = (0..600).map(|n| (n * 7) as u8).collect();
            let stream: Vec<u8> = head.encode().into_iter().chain(content.iter().copied()).collect();
            let mut borders: Vec<usize> = cuts.into_iter().collect();
            borders.insert(0, 0);
            borders.push(stream.len());
            let mut chunks: Vec<(u64, Bytes)> =
                borders.windows(2).map(|w| (w[0] as u64, Bytes::copy_from_slice(&stream[w[0]..w[1]]))).collect();
            chunks.sort_by_key(|(offset, _)| (offset + 1).wrapping_mul(seed | 1));
            let mut gather = Gather::default();
            for (offset, bytes) in chunks {
                if let Some(read) = gather.take(offset, bytes).unwrap() {
                    prop_assert_eq!(read, head);
                    gather.start(read, Vec::new(), buffer(600)).unwrap();
                }
            }
            let (_, body, length) = gather.finish().unwrap();
            prop_assert_eq!(length, 600);
            prop_assert_eq!(&*body, &*content);
        }
    }

    #[test]
    fn too_much_and_too_little_are_refused() {
        let head = SegmentHead { offset: 0, length: 4 };
        let start = || {
            let mut gather = Gather::default();
            assert_eq!(gather.take(0, Bytes::copy_from_slice(&head.encode())).unwrap(), Some(head));
            gather.start(head, Vec::new(), buffer(4)).unwrap();
            gather
        };
        assert!(start().finish().is_err());
        assert!(start().take(18, Bytes::from_static(b"abc")).is_err());
        assert!(Gather::default().take(MOST, Bytes::from_static(b"a")).is_err());
        assert!(Gather::default().take(0, Bytes::from_static(&[0xff; 16])).is_err());
        let mut whole = start();
        whole.take(16, Bytes::from_static(b"abcd")).unwrap();
        assert_eq!(&*whole.finish().unwrap().1, b"abcd");
    }
}
