//! Datagrams that arrive later: a thread that sends each when its time has come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Where a datagram goes: through a connected socket, or to an address.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub(super) socket: Arc<UdpSocket>,
    pub(super) to: Option<SocketAddr>,
}

impl Goal {
    /// Sends now. Whoever is not there answers with ICMP, seen as an error here: lost, as on a real network.
    pub(super) fn send(&self, bytes: &[u8]) {
        let _ = match self.to {
            Some(to) => self.socket.send_to(bytes, to),
            None => self.socket.send(bytes),
        };
    }
}

type Waiting = (Reverse<(Instant, u64)>, Parcel);

struct Parcel(Vec<u8>, Goal);

// The heap orders by time and number only; numbers are unique.
impl PartialEq for Parcel {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Parcel {}
impl PartialOrd for Parcel {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Parcel {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

#[derive(Default)]
struct Shared {
    heap: Mutex<(BinaryHeap<Waiting>, u64, bool)>,
    more: Condvar,
}

/// The queue and its thread; ends when dropped, with what waits.
pub(super) struct Late(Arc<Shared>);

impl std::fmt::Debug for Late {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Late")
    }
}

impl Late {
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || deliver(&theirs));
        Self(shared)
    }

    /// Sends at `when`.
    pub(super) fn send(&self, when: Instant, bytes: Vec<u8>, goal: Goal) {
        let mut heap = self.0.heap.lock().unwrap();
        heap.1 += 1;
        let number = heap.1;
        heap.0.push((Reverse((when, number)), Parcel(bytes, goal)));
        self.0.more.notify_one();
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.0.heap.lock().unwrap().2 = true;
        self.0.more.notify_one();
    }
}

fn deliver(shared: &Shared) {
    let mut heap = shared.heap.lock().unwrap();
    while !heap.2 {
        let now = Instant::now();
        match heap.0.peek().map(|(Reverse((when, _)), _)| *when) {
            None => heap = shared.more.wait(heap).unwrap(),
            Some(when) if when > now => heap = shared.more.wait_timeout(heap, when - now).unwrap().0,
            Some(_) => {
                if let Some((_, Parcel(bytes, goal))) = heap.0.pop() {
                    drop(heap);
                    goal.send(&bytes);
                    heap = shared.heap.lock().unwrap();
                }
            }
        }
    }
}
