//! Reads the board once a second: keeps what rates need, and logs what changed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::reply::{Status, Warning};
use super::status;
use super::warnings::{self, Troubles};
use crate::reason::Reason;
use crate::telemetry::{Board, Snapshot};
use crate::time::Instant;

/// Time between two looks.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Rates cover this many looks.
const WINDOW: usize = 10;
/// Each client is judged once in this many looks.
const CLIENTS_EVERY: u64 = 5;
/// A warning is logged when it was found in this many looks in a row, and its end after it was not in this many.
const APPEARS: u32 = 2;
const DISAPPEARS: u32 = 10;
/// The same is logged again after this many looks at the earliest.
const AGAIN: u64 = 60;
/// A client's requests whose fate must be known before they are judged.
const ENOUGH: u32 = 4;

/// What was seen lately.
pub(super) struct Watch {
    board: Arc<Board>,
    /// The oldest first.
    history: VecDeque<(Instant, Arc<Snapshot>)>,
    troubles: Troubles,
    clients: Vec<Judged>,
    reported: Vec<Reported>,
    looks: u64,
}

/// What a client's counts were when it was judged last, and whether it was served badly then.
#[derive(Clone, Copy, Default)]
struct Judged {
    tenancy: u32,
    answered: u32,
    unanswered: u32,
    bad: bool,
}

/// A warning that was seen, logged or not.
struct Reported {
    code: String,
    text: String,
    seen: u32,
    missed: u32,
    logged: Option<u64>,
    open: bool,
}

impl Watch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            board,
            history: VecDeque::with_capacity(WINDOW + 1),
            troubles: Troubles::default(),
            clients: Vec::new(),
            reported: Vec::new(),
            looks: 0,
        }
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// One look.
    pub(super) fn look(&mut self, now: Instant) {
        let Some(snapshot) = self.board.snapshot() else {
            return;
        };
        if self.looks.is_multiple_of(CLIENTS_EVERY) {
            self.judge_clients(&snapshot);
        }
        self.looks += 1;
        if self.history.len() > WINDOW {
            self.history.pop_front();
        }
        self.history.push_back((now, Arc::new(snapshot)));
        let warnings = self.warnings(now);
        for line in self.changes(&warnings) {
            match line {
                Change::Wrong(text) => warn!("{text}"),
                Change::Right(text) => info!("{text}"),
            }
        }
    }

    /// The state now, with rates over the last seconds.
    pub(super) fn status(&self, now: Instant) -> Option<Status> {
        let snapshot = self.board.snapshot()?;
        let (at, before) = match self.history.front() {
            Some((at, before)) => (*at, Arc::clone(before)),
            None => (now, Arc::new(snapshot.clone())),
        };
        let mut status = status::status(self.board.info(), &before, &snapshot, now.since(at), now);
        status.warnings = warnings::warnings(&before, &snapshot, &self.troubles, now);
        Some(status)
    }

    fn warnings(&self, now: Instant) -> Vec<Warning> {
        match (self.history.front(), self.history.back()) {
            (Some((_, before)), Some((_, last))) => {
                warnings::warnings(before, last, &self.troubles, now)
            }
            _ => Vec::new(),
        }
    }

    /// Looks at each client's own figures.
    fn judge_clients(&mut self, snapshot: &Snapshot) {
        let mut troubles = Troubles::default();
        for client in self.board.clients().iter() {
            let row = client.row as usize;
            if row >= self.clients.len() {
                self.clients.resize(row + 1, Judged::default());
            }
            let judged = &mut self.clients[row];
            if judged.tenancy != client.tenancy {
                *judged = Judged {
                    tenancy: client.tenancy,
                    ..Judged::default()
                };
            }
            let answered = client.answered.saturating_sub(judged.answered);
            let unanswered = client.unanswered.saturating_sub(judged.unanswered);
            if answered.saturating_add(unanswered) >= ENOUGH {
                *judged = Judged {
                    answered: client.answered,
                    unanswered: client.unanswered,
                    bad: unanswered > answered,
                    ..*judged
                };
            }
            if judged.bad {
                troubles.unanswered(&client);
            }
            if client.requests > OPENING
                && let Some(how) = warnings::too_short(&client, &snapshot.state.limits)
            {
                troubles.short(&client, &how);
            }
        }
        self.troubles = troubles;
    }

    /// What is worth a line: what is wrong for the second look in a row, and what has been right again for
    /// a while. Each at most once a minute.
    fn changes(&mut self, warnings: &[Warning]) -> Vec<Change> {
        let mut lines = Vec::new();
        for (n, warning) in warnings.iter().enumerate() {
            let same = |other: &Warning| other.code == warning.code;
            if logged_by_the_loop(&warning.code) || warnings.iter().take(n).any(same) {
                continue;
            }
            let reported = match self
                .reported
                .iter_mut()
                .find(|reported| reported.code == warning.code)
            {
                Some(reported) => reported,
                None => {
                    self.reported.push(Reported {
                        code: warning.code.clone(),
                        text: String::new(),
                        seen: 0,
                        missed: 0,
                        logged: None,
                        open: false,
                    });
                    let Some(last) = self.reported.last_mut() else {
                        continue;
                    };
                    last
                }
            };
            reported.seen = reported.seen.saturating_add(1);
            reported.missed = 0;
            reported.text.clone_from(&warning.text);
            let quiet = reported.logged.is_some_and(|at| self.looks < at + AGAIN);
            if !reported.open && reported.seen >= APPEARS && !quiet {
                reported.open = true;
                reported.logged = Some(self.looks);
                lines.push(Change::Wrong(warning.text.clone()));
            }
        }
        for reported in &mut self.reported {
            if warnings.iter().any(|warning| warning.code == reported.code) {
                continue;
            }
            reported.seen = 0;
            reported.missed = reported.missed.saturating_add(1);
            if reported.open && reported.missed >= DISAPPEARS {
                reported.open = false;
                lines.push(Change::Right(format!("over: {}", reported.text)));
            }
        }
        lines
    }
}

/// A client's first requests say nothing of its interval.
const OPENING: u32 = 8;

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Wrong(String),
    Right(String),
}

/// What the loop logs itself, at once.
fn logged_by_the_loop(code: &str) -> bool {
    matches!(code, "link" | "second-path")
        || Reason::ALL
            .iter()
            .any(|reason| reason.is_limit() && reason.label() == code)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::telemetry::{ClientSlots, Info};

    fn watch() -> Watch {
        let info = Info {
            up: "eth0".into(),
            down: "eth1".into(),
            stamps: "software".into(),
            started: SystemTime::UNIX_EPOCH,
        };
        Watch::new(Arc::new(Board::new(info, Arc::new(ClientSlots::new(1)))))
    }

    fn warning(code: &str, text: &str) -> Warning {
        Warning {
            code: code.into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_change_is_a_line_and_what_stays_is_none() {
        let mut watch = watch();
        let wrong = [
            warning("no-sync", "no Sync"),
            warning("link", "eth0 is down"),
        ];
        let mut lines = Vec::new();
        let mut look = |watch: &mut Watch, warnings: &[Warning]| {
            watch.looks += 1;
            lines.extend(watch.changes(warnings));
            lines.len()
        };
        assert_eq!(look(&mut watch, &wrong), 0, "once is not enough");
        assert_eq!(look(&mut watch, &[]), 0);
        for _ in 0..50 {
            look(&mut watch, &wrong);
        }
        for _ in 0..50 {
            look(&mut watch, &[]);
        }
        // Comes and goes.
        for n in 0..60 {
            look(&mut watch, if n % 4 < 2 { &wrong } else { &[] });
        }
        assert_eq!(
            lines,
            [
                Change::Wrong("no Sync".into()),
                Change::Right("over: no Sync".into()),
                Change::Wrong("no Sync".into()),
            ],
            "the loop logs the link itself"
        );
    }

    #[test]
    fn looks_without_a_loop_that_publishes_say_so_little() {
        let mut watch = watch();
        for second in 1..30 {
            watch.look(Instant::from_nanos(second * 1_000_000_000));
        }
        assert_eq!(watch.history.len(), WINDOW + 1);
        let status = watch.status(Instant::from_nanos(30_000_000_000)).unwrap();
        assert!(
            status.window_s > 9.0 && status.window_s < 12.0,
            "{}",
            status.window_s
        );
        assert!(
            status
                .warnings
                .iter()
                .any(|warning| warning.code == "no-sync")
        );
    }
}
