//! See `tests/testkit/src/targets/auth.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::targets::auth::run(octets));
