//! The fuzz targets without a fuzzer: every seed of the corpus, then mutations of them from a fixed random sequence, about
//! two seconds for each target. `GODWIT_FUZZ_SECONDS` makes it longer, `GODWIT_FUZZ_SEED` another sequence.
#![allow(clippy::unwrap_used)]

use godwit_protocol::fuzz;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Pieces of text with a meaning to one of the parsers.
const DICTIONARY: &[&str] = &[
    "..",
    "/",
    "//",
    "/../",
    ".",
    "\\",
    "\0",
    "\n",
    "~",
    "*",
    "*.",
    "null",
    "true",
    "false",
    "\"\"",
    "{}",
    "[]",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\u202e",
    "\u{202e}",
    "\u{feff}",
    "e\u{301}",
    "-1",
    "0",
    "1e999",
    "1.5",
    "18446744073709551616",
    "99999999999",
    "65536",
    "\"yes\"",
    "\"token\":\"SECRET-2\",",
    "\"remote_password\":\"SECRET-3\",",
    "\"direction\":\"receive\",",
    "\"direction\":\"send\",",
    "\"source\":",
    "\"destination\":",
    "\"source_root\":\"/..\",",
    "\"destination_root\":\"a\",",
    "\"paths\":[",
    "\"tags\":{},",
    "https://",
    "http://",
    "localhost",
    "[::1]",
    ":443",
    "xn--a",
    "\"id\":1,",
    "\"t\":\"entries\",",
    "\"t\":\"want\",",
    "\"t\":\"again\",",
    "\"t\":\"check\",",
    "\"t\":\"join\",",
    "\"type\":\"start\",",
    "\"type\":\"stats\",",
    "18446744073709551615",
    "SECRET-4",
    "\"type\":\"part\",",
    "\"origin\":\"null\",",
    "\u{1f600}",
    "\u{0}\u{0}\u{10}\u{0}",
    "\u{1}\u{0}\u{0}\u{0}",
];
/// Inputs do not grow beyond this.
const MAX_INPUT: usize = 16 * 1024;

/// xorshift64*: small, seeded, good enough to choose mutations.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// Below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

fn mutate(random: &mut Random, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let end = at + random.below(input.len() - at + 1).min(64);
        match random.below(8) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => {
                input[at] = *random.pick(&[0, 0x0a, 0x22, 0x2e, 0x2f, 0x5c, 0x7f, 0x80, 0xc0, 0xff])
            }
            2 => drop(input.drain(at..end)),
            3 => {
                let copy = input[at..end].to_vec();
                let target = random.below(input.len() + 1);
                input.splice(target..target, copy);
            }
            4 | 5 => drop(input.splice(at..at, random.pick(DICTIONARY).bytes())),
            6 => drop(input.splice(at..end, random.pick(DICTIONARY).bytes())),
            _ => {
                let other = random.pick(seeds);
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
        input.truncate(MAX_INPUT);
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn smoke(target: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(seeds.len() >= 5, "the corpus of {target} is missing");
    let check = |input: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
            panic!("{target}: input {:?} = {input:?}", String::from_utf8_lossy(input));
        }
    };
    seeds.iter().for_each(|seed| check(seed));

    let seed = number("GODWIT_FUZZ_SEED", 0x0006_0d17).max(1);
    let end = Instant::now() + Duration::from_secs(number("GODWIT_FUZZ_SECONDS", 2));
    let mut random = Random(seed);
    let mut tried = 0_u64;
    while Instant::now() < end {
        let mut input = random.pick(&seeds).clone();
        mutate(&mut random, &mut input, &seeds);
        check(&input);
        tried += 1;
    }
    println!("{target}: {tried} mutations, GODWIT_FUZZ_SEED={seed}");
    assert!(tried > 100);
}

#[test]
fn no_byte_stream_upsets_the_frame_codec() {
    smoke("frame", fuzz::frame);
}

#[test]
fn no_payload_upsets_the_message_parser() {
    smoke("message", fuzz::message);
}

#[test]
fn no_spec_leads_out_of_its_folders_or_shows_a_secret() {
    smoke("spec", fuzz::spec);
}

#[test]
fn no_text_becomes_a_path_origin_or_host_that_it_must_not_be() {
    smoke("relpath", fuzz::rel_path);
}

#[test]
fn no_control_frame_names_what_lies_elsewhere_or_changes_its_meaning() {
    smoke("control", fuzz::control);
}

#[test]
fn no_head_of_a_data_stream_is_out_of_bounds() {
    smoke("head", fuzz::head);
}

#[test]
fn no_line_between_agent_and_worker_changes_its_meaning() {
    smoke("worker", fuzz::worker);
}
