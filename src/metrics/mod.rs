//! What Prometheus scrapes (`--metrics`), and `/healthz`.
//!
//! | file | one idea |
//! |---|---|
//! | `listener` | what each path answers |
//! | `server` | a small HTTP server with bounds |
//! | `families` | metrics of the text format, and their list for documents |
//! | `gateway` | the gateway's metrics, each with its name, its unit and its help |
//! | `health` | why the gateway does not serve its clients right now |
//!
//! All of it runs on threads of its own and only copies what the loop published.
#![forbid(unsafe_code)]

mod families;
mod gateway;
mod health;
mod listener;
mod server;

pub use families::Described;
pub use health::Trouble;
pub use listener::Listener;

/// Every metric, in the order of a scrape.
#[must_use]
pub fn list() -> Vec<Described> {
    gateway::list().unwrap_or_default()
}
