//! See `tests/testkit/src/targets/config.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::targets::config::run(octets));
