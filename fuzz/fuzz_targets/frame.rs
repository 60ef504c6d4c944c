//! See `tests/testkit/src/targets/frame.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::targets::frame::run(octets));
