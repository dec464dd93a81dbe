//! How many connections there may be, in all and from one address. Whoever holds a [`Place`] counts; dropping it frees
//! the place, whatever way the task ended.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Addresses that one person commands at will count as one: the /64 of IPv6, the single address of IPv4.
#[must_use]
pub fn network(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            octets
        }
    }
}

/// A counter with two limits. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct PerAddress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: usize,
    each: usize,
    held: Mutex<HashMap<[u8; 16], usize>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place {
    inner: Arc<Inner>,
    network: [u8; 16],
}

impl PerAddress {
    /// At most `total` places, at most `each` of them for one address (see [`network`]).
    #[must_use]
    pub fn new(total: usize, each: usize) -> Self {
        Self(Arc::new(Inner { total, each, held: Mutex::default() }))
    }

    /// A place for `address`, if there is one.
    #[must_use]
    pub fn enter(&self, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut held = self.0.held();
        let all: usize = held.values().sum();
        let own = held.get(&network).copied().unwrap_or(0);
        if all >= self.0.total || own >= self.0.each {
            return None;
        }
        held.insert(network, own + 1);
        Some(Place { inner: self.0.clone(), network })
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, HashMap<[u8; 16], usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.inner.held();
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_for_one_and_for_all_and_come_back() {
        let places = PerAddress::new(3, 2);
        let (a, b) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let first = places.enter(a).unwrap();
        let _second = places.enter("::ffff:192.0.2.1".parse().unwrap()).unwrap();
        assert!(places.enter(a).is_none(), "one address has two");
        let _third = places.enter(b).unwrap();
        assert!(places.enter(b).is_none(), "all have three");
        drop(first);
        assert!(places.enter(b).is_some());
    }
}
