//! Frames on both sides, with time passing between them, through the core.
#![no_main]
#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../tests/policy/frames.rs"]
mod frames;
#[path = "../../tests/policy/gateway.rs"]
mod gateway;
#[path = "../../tests/policy/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| script::run(octets));
