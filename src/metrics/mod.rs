//! What Prometheus scrapes (`--metrics`), and `/healthz`.
//!
//! | file | one idea |
//! |---|---|
//! | `server` | a small HTTP server with bounds |
//! | `families` | metrics of the text format, one call each |
//! | `gateway` | the gateway's metrics, each with its name, its unit and its help |
//! | `health` | why the gateway does not serve its clients right now |
//!
//! All of it runs on threads of its own and only copies what the loop published.
#![forbid(unsafe_code)]

mod families;
mod gateway;
mod health;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;

use crate::ring::SystemClock;
use crate::telemetry::Board;
use server::{Answer, Status};

pub use health::Trouble;

/// Serves `/metrics` and `/healthz` at `address` from now on; returns where.
///
/// # Errors
/// One line on why it cannot listen there, with the remedy.
pub fn start(address: SocketAddr, board: Arc<Board>) -> anyhow::Result<SocketAddr> {
    server::serve(address, move |path| answer(&board, path)).with_context(|| {
        format!("--metrics {address}: cannot listen there; name an address of this machine and a port that is free")
    })
}

fn answer(board: &Board, path: &str) -> Answer {
    if !matches!(path, "/metrics" | "/healthz" | "/") {
        return Answer::text(Status::NotFound, "see /metrics and /healthz\n");
    }
    if path == "/" {
        return Answer::text(Status::Ok, "ptpproxy: see /metrics and /healthz\n");
    }
    let snapshot = board.snapshot();
    let now = SystemClock.now();
    let troubles = health::troubles(snapshot.as_ref(), now);
    if path == "/healthz" {
        return match troubles.as_slice() {
            [] => Answer::text(Status::Ok, "ok\n"),
            troubles => {
                let lines: String = troubles.iter().map(|why| format!("{why}\n")).collect();
                Answer::text(Status::Unavailable, lines)
            }
        };
    }
    let Some(snapshot) = &snapshot else {
        return Answer::text(Status::Unavailable, "nothing was published yet\n");
    };
    match gateway::text(board.info(), snapshot, troubles.is_empty(), now) {
        Ok(body) => Answer {
            status: Status::Ok,
            content_type: "text/plain; version=0.0.4; charset=utf-8",
            body,
        },
        Err(error) => Answer::text(Status::Unavailable, format!("{error}\n")),
    }
}
