//! Moves packets from one TUN device to the other as their [`Link`] decides: one thread per direction.
//!
//! While packets flow it looks at the devices once per [`TICK`] instead of once per packet: a wake-up costs more than a
//! packet, and sender and receiver need the processors. Times are off by up to one tick, which is small against any delay
//! worth emulating; the bottleneck's clock is arithmetic and not off at all.

use super::link::{Fate, Link};
use super::schedule::Nanos;
use super::stats::Counts;
use super::tun::Tun;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a busy direction looks.
const TICK: Duration = Duration::from_micros(200);
/// How often an idle direction looks whether it shall stop.
const IDLE: Duration = Duration::from_millis(50);
/// Packets taken in before those that are due are handed over.
const BATCH: usize = 256;

struct Packet {
    due: Nanos,
    length: usize,
    bytes: Box<[u8]>,
}

/// Carries until `stop`, then returns the counts.
pub fn carry(from: &Tun, to: &Tun, mut link: Link, mtu: usize, start: Instant, stop: &AtomicBool) -> Counts {
    let mut counts = Counts::default();
    let mut under_way: VecDeque<Packet> = VecDeque::new();
    let mut spare: Vec<Box<[u8]>> = Vec::new();
    let clock = || Nanos::try_from(start.elapsed().as_nanos()).unwrap_or(Nanos::MAX);
    while !stop.load(Ordering::Relaxed) {
        let mut taken = 0;
        let now = clock();
        while taken < BATCH {
            let mut bytes = spare.pop().unwrap_or_else(|| vec![0; mtu].into_boxed_slice());
            let Ok(length) = from.receive(&mut bytes) else {
                spare.push(bytes);
                break;
            };
            taken += 1;
            let fate = link.arrive(now, length as u64);
            counts.met(now, &bytes[..length], fate);
            match fate {
                Fate::Arrives { due, .. } => under_way.push_back(Packet { due, length, bytes }),
                Fate::Lost { .. } | Fate::Dropped | Fate::Black => spare.push(bytes),
            }
        }
        let now = clock();
        while under_way.front().is_some_and(|packet| packet.due <= now) {
            let Some(packet) = under_way.pop_front() else { break };
            counts.late(now - packet.due);
            // A device that does not take a packet loses it, as a network card would.
            let _ = to.send(&packet.bytes[..packet.length]);
            spare.push(packet.bytes);
        }
        if taken == BATCH {
            continue;
        }
        if taken > 0 {
            std::thread::sleep(TICK);
            continue;
        }
        let pause = under_way
            .front()
            .map_or(IDLE, |packet| Duration::from_nanos(packet.due.saturating_sub(clock())).clamp(TICK, IDLE));
        let pause = Timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&pause));
    }
    counts
}
