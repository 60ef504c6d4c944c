//! See `tests/testkit/src/targets/filter.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::targets::filter::run(octets));
