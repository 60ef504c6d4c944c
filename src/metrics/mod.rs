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

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;

use crate::ring::SystemClock;
use crate::telemetry::Board;
use server::{Answer, Status};

pub use health::Trouble;

/// Where `/metrics` and `/healthz` will be. Ports below 1024 need a right, so that it is opened before rights
/// are given up.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens at `address` (port 0: any that is free); who connects waits for [`Listener::serve`].
    ///
    /// # Errors
    /// One line on why it cannot listen there, with the remedy.
    pub fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        TcpListener::bind(address).map(Self).with_context(|| {
            format!(
                "--metrics {address}: cannot listen there; name an address of this machine and a port that \
                 is free (below 1024 needs CAP_NET_BIND_SERVICE)"
            )
        })
    }

    /// Answers from now on, on threads of its own; returns where.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub fn serve(self, board: Arc<Board>) -> io::Result<SocketAddr> {
        server::serve(self.0, move |path| answer(&board, path))
    }
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
