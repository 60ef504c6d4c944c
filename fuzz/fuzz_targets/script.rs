//! Frames on both sides, with time passing between them, through the core: see `tests/testkit/src/script.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| testkit::script::run(octets));
