//! A journal from a disk that lies: nothing is read from it that does not encode to bytes that are there.
#![no_main]

use godwit_transport::journal::{HEAD, Head, RECORD, encode_record, records};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // A fuzzer does not find checksums: the input is also taken as what was checked.
    if let Some((numbers, value)) = data.split_at_checked(8 + 32) {
        let unit = u64::from_le_bytes(numbers[..8].try_into().unwrap_or_default());
        let value_of = <[u8; 32]>::try_from(&numbers[8..]).unwrap_or_default();
        let mut written = encode_record(unit, &value_of).to_vec();
        written.extend(value);
        assert_eq!(records(&written).next(), Some((unit, value_of)));
    }
    if let Some(head) = Head::decode(data) {
        assert_eq!(head.encode()[..48], data[..48]);
    }
    let rest = data.get(HEAD..).unwrap_or_default();
    assert!(records(rest).count() <= rest.len() / RECORD);
    for (unit, value) in records(rest) {
        let bytes = encode_record(unit, &value);
        assert!(rest.chunks_exact(RECORD).any(|record| record == bytes));
    }
});
