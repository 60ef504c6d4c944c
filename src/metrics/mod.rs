//! What Prometheus scrapes.

pub mod server;
