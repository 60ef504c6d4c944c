//! See `tests/fuzz/filter.rs`.
#![no_main]
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../tests/fuzz/filter.rs"]
mod filter;
#[path = "../../tests/policy/frames.rs"]
mod frames;
#[path = "../../tests/policy/gateway.rs"]
mod gateway;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| filter::run(octets));
