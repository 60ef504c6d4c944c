//! `cargo lab`.

fn main() {}
