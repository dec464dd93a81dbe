//! How things are written for people.

use godwit_protocol::RateKbps;
use std::time::Duration;

/// A text from a server or a disk, fit for a terminal: no control characters, no hidden direction changes, bounded.
pub(crate) fn shown(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().take(2000).map(|c| if hostile(c) { '\u{fffd}' } else { c }).collect()
}

/// Bytes in binary units: `1.5 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be written as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).unwrap_or(&"PiB"))
}

/// A rate in Mbit/s, decimal: `812.4 Mbit/s`.
pub(crate) fn rate(kbps: u64) -> String {
    format!("{:.1} Mbit/s", kbps as f64 / 1000.0)
}

/// The mean rate of `count` bytes in `time`.
pub(crate) fn mean_rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    rate(RateKbps::from_bytes_per_second((count as f64 / seconds) as u64).0)
}

/// `0:42`, `1:02:03`.
pub(crate) fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `1 file`, `1,200 files`.
pub(crate) fn files(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { "file" } else { "files" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 1023, 1024, 1536, 1024 * 1024 - 1, 1 << 30].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB"]
        );
        assert_eq!(
            [0, 1, 999, 1200, 1_234_567].map(files),
            ["0 files", "1 file", "999 files", "1,200 files", "1,234,567 files"]
        );
        assert_eq!([5, 65, 3723].map(clock), ["0:05", "1:05", "1:02:03"]);
        assert_eq!(mean_rate(125_000_000, Duration::from_secs(1)), "1000.0 Mbit/s");
    }

    #[test]
    fn a_servers_text_cannot_drive_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
    }
}
