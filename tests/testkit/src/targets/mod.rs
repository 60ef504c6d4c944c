//! The fuzz targets: each takes any octets, and panics if what must hold does not. `fuzz/` runs them guided by
//! coverage, `tests/fuzz` for a short while on a stable compiler. The target `script` is [`crate::script`].

pub mod auth;
pub mod config;
pub mod control;
pub mod filter;
pub mod frame;
pub mod seeds;
