//! What each path answers.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;

use super::gateway::{self, Scrape};
use super::health::{self, Trouble};
use super::server::{self, Answer, HttpStatus};
use crate::ring::SystemClock;
use crate::telemetry::Board;

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

    /// Goes on listening where another process did.
    #[must_use]
    pub const fn take_over(listener: TcpListener) -> Self {
        Self(listener)
    }

    /// Another handle of the same socket.
    ///
    /// # Errors
    /// The system's.
    pub fn again(&self) -> io::Result<TcpListener> {
        self.0.try_clone()
    }

    /// Answers from now on, on threads of its own; returns where.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub fn serve(self, board: Arc<Board>) -> io::Result<SocketAddr> {
        server::serve(self.0, move |path| answer(&board, path))
    }
}

/// What there is.
const PATHS: &str = "see /metrics, /healthz, /readyz and /livez";

/// 200, or 503 and why. One of two gateways says its role as well.
fn verdict(troubles: &[Trouble<'_>], role: Option<&str>) -> Answer {
    let role = role.map_or_else(String::new, |role| format!("{role}\n"));
    if troubles.is_empty() {
        return Answer::text(HttpStatus::Ok, format!("ok\n{role}"));
    }
    let lines: String = troubles.iter().map(|why| format!("{why}\n")).collect();
    Answer::text(HttpStatus::Unavailable, lines + &role)
}

fn answer(board: &Arc<Board>, path: &str) -> Answer {
    match path {
        "/metrics" | "/healthz" | "/readyz" | "/livez" => {}
        "/" => return Answer::text(HttpStatus::Ok, format!("ptpproxy: {PATHS}\n")),
        _ => return Answer::text(HttpStatus::NotFound, format!("{PATHS}\n")),
    }
    let snapshot = board.snapshot();
    let now = SystemClock.now();
    if path == "/livez" {
        return verdict(health::dead(snapshot.as_ref(), now).as_slice(), None);
    }
    let troubles = health::troubles(snapshot.as_ref(), now);
    if matches!(path, "/healthz" | "/readyz") {
        let role = snapshot.as_ref().and_then(|now| health::role(&now.state));
        return verdict(&troubles, role.as_deref());
    }
    let healthy = troubles.is_empty();
    let Some(snapshot) = snapshot else {
        return Answer::text(HttpStatus::Unavailable, "nothing was published yet\n");
    };
    let scrape = Scrape {
        board: Arc::clone(board),
        snapshot,
        healthy,
        now,
    };
    match gateway::text(scrape) {
        Ok(body) => Answer {
            status: HttpStatus::Ok,
            content_type: gateway::CONTENT_TYPE,
            body,
        },
        Err(error) => Answer::text(HttpStatus::Unavailable, format!("{error}\n")),
    }
}
