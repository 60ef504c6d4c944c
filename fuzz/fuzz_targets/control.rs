//! See `tests/testkit/src/targets/control.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::targets::control::run(octets));
