//! What the line did: counts, waiting times, bytes by flow and by tenth of a second.

use super::link::Fate;
use super::schedule::Nanos;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Times are counted in bins of this width.
const BIN: Nanos = 50_000;
/// Longer times share the last bin; the highest is kept exactly.
const BINS: usize = 100_000;
/// Bytes are counted in spans of this length.
const SPAN: Nanos = 100_000_000;
/// More flows than these are counted together.
const FLOWS: usize = 256;

/// Times of packets, for quantiles.
#[derive(Debug)]
pub struct Times {
    bins: Vec<u32>,
    count: u64,
    highest: Nanos,
}

impl Default for Times {
    fn default() -> Self {
        Self { bins: vec![0; BINS], count: 0, highest: 0 }
    }
}

impl Times {
    /// One more.
    pub fn add(&mut self, time: Nanos) {
        let bin = usize::try_from(time / BIN).unwrap_or(BINS).min(BINS - 1);
        self.bins[bin] += 1;
        self.count += 1;
        self.highest = self.highest.max(time);
    }

    /// The time below which that part of all lies, to half a bin.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Nanos {
        let wanted = (self.count as f64 * part) as u64;
        let mut seen = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            seen += u64::from(*count);
            if seen > wanted {
                return (bin as Nanos * BIN + BIN / 2).min(self.highest);
            }
        }
        self.highest
    }

    fn json(&self) -> Value {
        let ms = |time: Nanos| (time as f64 / 1e4).round() / 100.0;
        json!({"median": ms(self.quantile(0.5)), "p95": ms(self.quantile(0.95)), "max": ms(self.highest)})
    }
}

/// Protocol number, port at the sender, port at the receiver; ports are 0 where the protocol has none.
pub type Flow = (u8, u16, u16);

/// The flow of an IPv4 packet.
#[must_use]
pub fn flow(packet: &[u8]) -> Flow {
    let (Some(first), Some(protocol)) = (packet.first(), packet.get(9)) else { return (0, 0, 0) };
    if first >> 4 != 4 || !matches!(protocol, 6 | 17) {
        return (*protocol, 0, 0);
    }
    let at = usize::from(first & 15) * 4;
    let port = |at: usize| packet.get(at..at + 2).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
    (*protocol, port(at), port(at + 2))
}

/// The counts of one direction.
#[derive(Debug, Default)]
pub struct Counts {
    packets: u64,
    bytes: u64,
    lost: u64,
    dropped: u64,
    black: u64,
    offered_bytes: u64,
    waited: Times,
    late: Times,
    /// Bytes that arrived, by flow and span.
    flows: BTreeMap<Flow, Vec<u64>>,
}

impl Counts {
    /// A packet met its fate.
    pub fn met(&mut self, now: Nanos, packet: &[u8], fate: Fate) {
        let bytes = packet.len() as u64;
        self.offered_bytes += bytes;
        match fate {
            Fate::Arrives { waited, .. } => {
                self.packets += 1;
                self.bytes += bytes;
                self.waited.add(waited);
                self.by_flow(now + waited, flow(packet), bytes);
            }
            Fate::Lost { waited } => {
                self.lost += 1;
                self.waited.add(waited);
            }
            Fate::Dropped => self.dropped += 1,
            Fate::Black => self.black += 1,
        }
    }

    /// A packet was handed over that long after it was due.
    pub fn late(&mut self, by: Nanos) {
        self.late.add(by);
    }

    fn by_flow(&mut self, at: Nanos, mut flow: Flow, bytes: u64) {
        if self.flows.len() >= FLOWS && !self.flows.contains_key(&flow) {
            flow = (0, 0, 0);
        }
        let spans = self.flows.entry(flow).or_default();
        let span = usize::try_from(at / SPAN).unwrap_or(0);
        if spans.len() <= span {
            spans.resize(span + 1, 0);
        }
        spans[span] += bytes;
    }

    /// As it is written to the file of `--stats`.
    #[must_use]
    pub fn json(&self) -> Value {
        let flows: Vec<Value> = self
            .flows
            .iter()
            .map(|((protocol, from, to), spans)| {
                json!({"protocol": protocol, "from": from, "to": to, "bytes": spans.iter().sum::<u64>(), "bytes_per_100ms": spans})
            })
            .collect();
        json!({
            "packets": self.packets, "bytes": self.bytes, "offered_bytes": self.offered_bytes, "lost": self.lost,
            "dropped": self.dropped, "black": self.black, "queue_ms": self.waited.json(), "late_ms": self.late.json(),
            "flows": flows,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    #[test]
    fn quantiles_are_found_to_half_a_bin() {
        let mut times = Times::default();
        (1..=100).for_each(|ms| times.add(ms * MS));
        assert!(times.quantile(0.5).abs_diff(51 * MS) <= BIN);
        assert!(times.quantile(0.95).abs_diff(96 * MS) <= BIN);
        assert_eq!(times.quantile(1.0), 100 * MS);
        assert_eq!(Times::default().quantile(0.5), 0);
    }

    #[test]
    fn bytes_are_counted_by_flow_and_tenth_of_a_second() {
        let mut packet = vec![0u8; 100];
        (packet[0], packet[9]) = (0x45, 17);
        packet[20..24].copy_from_slice(&[0x01, 0x00, 0x02, 0x00]);
        let mut counts = Counts::default();
        counts.met(50 * MS, &packet, Fate::Arrives { due: 0, waited: 0 });
        counts.met(50 * MS, &packet, Fate::Arrives { due: 0, waited: 100 * MS });
        counts.met(50 * MS, &packet, Fate::Lost { waited: 0 });
        counts.met(50 * MS, &packet, Fate::Dropped);
        let json = counts.json();
        assert_eq!(json["flows"][0]["bytes_per_100ms"], json!([100, 100]));
        assert_eq!((&json["flows"][0]["from"], &json["flows"][0]["to"]), (&json!(256), &json!(512)));
        assert_eq!((&json["lost"], &json["dropped"], &json["offered_bytes"]), (&json!(1), &json!(1), &json!(400)));
    }

    #[test]
    fn a_torn_packet_has_no_flow_and_harms_nothing() {
        assert_eq!(flow(&[]), (0, 0, 0));
        assert_eq!(flow(&[0x45; 12]), (0x45, 0, 0));
        assert_eq!(flow(&[0x4f, 0, 0, 0, 0, 0, 0, 0, 0, 6]), (6, 0, 0));
    }
}
