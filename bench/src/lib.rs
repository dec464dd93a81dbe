//! What the benchmarks share with other rooms' tests: a wide-area line on one machine.
//!
//! The benchmarks themselves are the program `godwit-bench`; the line is also a program of its own, `godwit-wan`.

pub mod wan;
