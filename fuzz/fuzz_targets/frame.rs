//! See `tests/fuzz/frame.rs`.
#![no_main]

#[path = "../../tests/fuzz/frame.rs"]
mod frame;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| frame::run(octets));
