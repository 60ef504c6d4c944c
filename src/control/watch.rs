//! Reads the board: keeps what rates need, and logs what changed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use super::reply::Status;
use super::status;
use super::warnings::{self, Found, Quiet, Troubles};
use crate::telemetry::{Board, Snapshot};
use crate::time::Instant;

/// Rates cover this time, or that between the last two looks.
const WINDOW: Duration = Duration::from_secs(10);
/// As many looks, where they are a second apart, and the one before them.
const LOOKS: usize = 11;
/// Each client is judged once in this many looks.
const CLIENTS_EVERY: u64 = 5;
/// A warning is logged when it was found in this many looks in a row, and its end at once.
const APPEARS: u32 = 2;
/// The same cause is logged again after this many looks at the earliest.
const AGAIN: u64 = 60;
/// A client's requests whose fate must be known before they are judged.
const ENOUGH: u32 = 4;

/// What was seen lately.
pub(super) struct Watch {
    board: Arc<Board>,
    /// The oldest first.
    history: VecDeque<(Instant, Arc<Snapshot>)>,
    troubles: Troubles,
    quiet: Quiet,
    clients: Vec<Judged>,
    reported: Vec<Reported>,
    looks: u64,
    /// Which timestamps were taken at the last look, and the looks until nothing sent before that is out any more.
    stamps: String,
    settling: u32,
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
    found: Found,
    seen: u32,
    logged: Option<u64>,
    open: bool,
}

impl Watch {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            stamps: board.info().stamps,
            settling: 0,
            board,
            history: VecDeque::with_capacity(LOOKS + 1),
            troubles: Troubles::default(),
            quiet: Quiet::default(),
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
        while self.history.len() >= LOOKS
            || matches!(self.history.get(1), Some((at, _)) if now.since(*at) >= WINDOW)
        {
            self.history.pop_front();
        }
        self.follow_stamps(&snapshot);
        let snapshot = Arc::new(snapshot);
        self.quiet.look(&snapshot, now);
        self.history.push_back((now, snapshot));
        let warnings = self.warnings(now);
        for change in self.changes(&warnings) {
            change.log();
        }
    }

    /// Once other timestamps are taken, those lost before are why: that has its own line, with its own remedy.
    fn follow_stamps(&mut self, now: &Snapshot) {
        let stamps = self.board.info().stamps;
        if stamps != self.stamps {
            self.stamps = stamps;
            self.settling = APPEARS;
        }
        if self.settling == 0 {
            return;
        }
        self.settling -= 1;
        for (_, before) in &mut self.history {
            let ports = Arc::make_mut(before).state.ports.iter_mut();
            for ((_, then), (_, now)) in ports.zip(now.state.ports.iter()) {
                then.counts.stamps_lost = now.counts.stamps_lost;
            }
        }
    }

    /// Whether something was found that is logged if the next look finds it as well.
    pub(super) fn is_undecided(&self) -> bool {
        let mut reported = self.reported.iter();
        reported.any(|one| (1..APPEARS).contains(&one.seen))
    }

    /// The state now, with rates over the last seconds.
    pub(super) fn status(&self, now: Instant) -> Option<Status> {
        let snapshot = self.board.snapshot()?;
        let (at, before) = match self.history.front() {
            Some((at, before)) => (*at, Arc::clone(before)),
            None => (now, Arc::new(snapshot.clone())),
        };
        let mut status = status::status(&self.board.info(), &before, &snapshot, now.since(at), now);
        let mut found = warnings::warnings(&before, &snapshot, &self.troubles, now);
        found.extend(self.quiet.found(&snapshot, now));
        status.warnings = found.into_iter().map(Into::into).collect();
        status.grants = status::grants(&self.board, now);
        Some(status)
    }

    fn warnings(&self, now: Instant) -> Vec<Found> {
        match (self.history.front(), self.history.back()) {
            (Some((_, before)), Some((_, last))) => {
                let mut found = warnings::warnings(before, last, &self.troubles, now);
                found.extend(self.quiet.found(last, now));
                found
            }
            _ => Vec::new(),
        }
    }

    /// Looks at each client's own figures.
    fn judge_clients(&mut self, snapshot: &Snapshot) {
        let mut troubles = Troubles::default();
        for (_, client) in self.board.clients() {
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
                // Of more masters than are listed nobody can say that none is there.
                let masters = &snapshot.state.masters;
                let all = snapshot.state.masters_known as usize <= masters.len();
                troubles.unanswered(&client, if all { masters } else { &[] });
            }
            if client.requests > OPENING
                && let Some(how) = warnings::too_short(&client, &snapshot.state.limits)
            {
                troubles.short(&client, &how);
            }
        }
        self.troubles = troubles;
    }

    /// What is worth a line: what is wrong for the second look in a row, once a minute at most for one cause; and what
    /// is right again, if it had a line.
    fn changes(&mut self, warnings: &[Found]) -> Vec<Change> {
        let mut lines = Vec::new();
        for reported in &mut self.reported {
            if warnings.iter().any(|found| reported.found.is_same(found)) {
                continue;
            }
            reported.seen = 0;
            if std::mem::take(&mut reported.open) {
                lines.push(Change::Right(reported.found.clone()));
            }
        }
        for found in warnings {
            if found.kind.logged_by_the_loop(found.cause) {
                continue;
            }
            let place = (self.reported.iter()).position(|known| known.found.is_same(found));
            let place = place.unwrap_or_else(|| {
                self.reported.push(Reported::new(found));
                self.reported.len() - 1
            });
            let Some(reported) = self.reported.get_mut(place) else {
                continue;
            };
            reported.seen = reported.seen.saturating_add(1);
            reported.found.text.clone_from(&found.text);
            let quiet = reported.logged.is_some_and(|at| self.looks < at + AGAIN);
            if !reported.open && reported.seen >= APPEARS && !quiet {
                reported.open = true;
                reported.logged = Some(self.looks);
                lines.push(Change::Wrong(found.clone()));
            }
        }
        lines
    }
}

impl Reported {
    fn new(found: &Found) -> Self {
        Self {
            found: found.clone(),
            seen: 0,
            logged: None,
            open: false,
        }
    }
}

/// A client's first requests say nothing of its interval.
const OPENING: u32 = 8;

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    Wrong(Found),
    Right(Found),
}

impl Change {
    fn text(&self) -> String {
        match self {
            Self::Wrong(found) => found.text.clone(),
            Self::Right(found) => format!("over: {}", found.text),
        }
    }

    fn log(&self) {
        match self {
            Self::Wrong(found) => warn!(
                event = found.kind.code(), cause = found.cause, remedy = found.kind.remedy();
                "{}", self.text()
            ),
            Self::Right(found) => info!(
                event = found.kind.code(), cause = found.cause, over = true;
                "{}", self.text()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::warnings::WarningKind;
    use super::*;
    use crate::PortId;
    use crate::telemetry::{ClientSlots, Counters, Info, Measures, State};

    fn watch() -> Watch {
        let info = Info {
            up: "eth0".into(),
            downs: vec!["eth1".into()],
            stamps: "software".into(),
            started: SystemTime::UNIX_EPOCH,
        };
        Watch::new(Arc::new(Board::new(
            info,
            vec![Arc::new(ClientSlots::new(1))],
        )))
    }

    fn found(kind: WarningKind, cause: &'static str, text: &str) -> Found {
        Found {
            kind,
            cause,
            port: None,
            text: text.into(),
        }
    }

    /// So many looks, each at these.
    fn look(watch: &mut Watch, looks: u32, warnings: &[Found]) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..looks {
            watch.looks += 1;
            lines.extend(watch.changes(warnings).iter().map(Change::text));
        }
        lines
    }

    fn wrong(text: &str) -> String {
        text.into()
    }

    fn right(text: &str) -> String {
        format!("over: {text}")
    }

    #[test]
    fn a_change_is_a_line_and_what_stays_is_none() {
        let mut watch = watch();
        let bad = [
            found(WarningKind::NoSync, "silent", "no Sync"),
            found(WarningKind::Link, "up", "eth0 is down"),
        ];
        assert_eq!(look(&mut watch, 1, &bad), [""; 0], "once is not enough");
        assert_eq!(look(&mut watch, 1, &[]), [""; 0], "and has no end");
        // The loop logs the link itself.
        assert_eq!(look(&mut watch, 50, &bad), [wrong("no Sync")]);
        assert_eq!(look(&mut watch, 1, &[]), [right("no Sync")], "at once");
        assert_eq!(look(&mut watch, 9, &[]), [""; 0]);
        // Comes and goes: once a minute.
        let mut lines = Vec::new();
        for _ in 0..30 {
            lines.extend(look(&mut watch, 2, &bad));
            lines.extend(look(&mut watch, 2, &[]));
        }
        assert_eq!(
            lines,
            [
                wrong("no Sync"),
                right("no Sync"),
                wrong("no Sync"),
                right("no Sync")
            ]
        );
    }

    #[test]
    fn no_alarm_is_muted_by_one_of_another_cause() {
        let mut watch = watch();
        let never = [found(WarningKind::NoSync, "never-sent", "sends no Sync")];
        assert_eq!(look(&mut watch, 3, &never), [wrong("sends no Sync")]);
        assert_eq!(look(&mut watch, 1, &[]), [right("sends no Sync")]);
        // The master dies a moment later.
        for ago in 3..5 {
            let silent = [found(
                WarningKind::NoSync,
                "silent",
                &format!("no Sync for {ago} s"),
            )];
            let lines = look(&mut watch, 1, &silent);
            let expected: &[String] = if ago == 3 {
                &[]
            } else {
                &[wrong("no Sync for 4 s")]
            };
            assert_eq!(lines, expected);
        }
        // One cause follows another without a pause.
        assert_eq!(look(&mut watch, 1, &never), [right("no Sync for 4 s")]);
    }

    #[test]
    fn each_interface_has_an_alarm_of_its_own() {
        let mut watch = watch();
        let of = |number, text| Found {
            port: Some(PortId::Down(number)),
            ..found(WarningKind::RingDrops, "down", text)
        };
        let both = [of(0, "eth1: full"), of(1, "eth2: full")];
        let lines = look(&mut watch, 3, &both);
        assert_eq!(lines, [wrong("eth1: full"), wrong("eth2: full")]);
        assert_eq!(look(&mut watch, 1, &both[1..]), [right("eth1: full")]);
        assert_eq!(look(&mut watch, 1, &[]), [right("eth2: full")]);
    }

    #[test]
    fn what_was_lost_before_other_timestamps_are_taken_has_no_warning_beside_theirs() {
        let codes = |change: bool| {
            let mut watch = watch();
            let mut state = State::default();
            let mut seen = Vec::new();
            for second in 1..8_u32 {
                // 16 at once, and two of those that were still out.
                let lost = [0, 0, 16, 18, 18, 18, 18, 18][second as usize];
                state.ports.up.counts.stamps_lost = lost;
                watch
                    .board
                    .publish(&Counters::default(), &Measures::default(), &state);
                if change && second == 2 {
                    watch.board.set_stamps("software, because".into());
                }
                let at = Instant::from_nanos(u64::from(second) * 1_000_000_000);
                watch.look(at);
                let status = watch.status(at).unwrap();
                seen.extend(status.warnings.into_iter().map(|warning| warning.code));
            }
            seen.retain(|code| code == "stamps-lost");
            seen.len()
        };
        assert_eq!(codes(true), 0);
        assert_eq!(codes(false), 6);
    }

    #[test]
    fn looks_without_a_loop_that_publishes_say_so_little() {
        let mut watch = watch();
        for second in 1..30 {
            watch.look(Instant::from_nanos(second * 1_000_000_000));
        }
        assert_eq!(watch.history.len(), LOOKS);
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
                .any(|warning| warning.code == "no-master")
        );
    }
}
