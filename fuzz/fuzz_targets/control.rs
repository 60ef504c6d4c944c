//! See `tests/fuzz/control.rs`.
#![no_main]

#[path = "../../tests/fuzz/control.rs"]
mod control;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| control::run(octets));
