//! See `tests/fuzz/config.rs`.
#![no_main]

#[path = "../../tests/fuzz/config.rs"]
mod config;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| config::run(octets));
