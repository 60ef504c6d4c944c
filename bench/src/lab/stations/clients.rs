//! All simulated clients, in one process and without a thread each.

use std::ops::Range;
use std::time::Duration;

use anyhow::Result;

use super::assignment::{Assignment, ClientsDone, Cue, Start};
use super::exchange::{Answer, Book, Measures, Request};
use super::rogue::Rogue;
use super::syncs::Syncs;
use super::unicast_clients::{Taken, UnicastClients};
use crate::lab::figures::arrivals::Arrivals;
use crate::lab::figures::timeline::Timeline;
use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::station::{Role, Station};
use crate::lab::frames::view::View;
use crate::lab::frames::{Kind, Template};
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::io::pacing::Pace;
use crate::lab::io::port::{self, Inbox, Outbox, SWEEP_NS, Seen};

/// How long answers are awaited after the last request.
const PATIENCE: i64 = 500_000_000;
/// How long the wires are watched for what must not come, even when all is answered.
const WATCH: i64 = 150_000_000;
/// Frames taken from one ring, and requests sent, before anything else gets its turn.
const BATCH: usize = 256;
/// Time between two progress reports.
const PROGRESS: i64 = 250_000_000;

/// The clients behind one interface.
#[derive(Debug)]
struct Segment {
    inbox: Inbox,
    outbox: Outbox<Request>,
    clients: Range<u32>,
    /// Who has yet to answer the last Sync.
    burst: Range<u32>,
    syncs: Syncs,
}

#[derive(Debug)]
struct Clients {
    assignment: Assignment,
    clock: MasterClock,
    from: i64,
    to: i64,
    book: Book,
    measures: Measures,
    done: ClientsDone,
    template: Template,
    /// What is said between the grandmaster and one client alone, if anything is.
    unicast: Option<UnicastClients>,
}

/// Plays all clients from the word to start to the last answer.
pub fn run(assignment: Assignment, cue: &mut Cue) -> Result<ClientsDone> {
    let mut segments = Vec::new();
    for share in &assignment.ports {
        // Foreign frames may flood in where the gateway lets them through.
        let frames = assignment.clients.saturating_mul(4).min(65_536);
        let (inbox, outbox) = port::open(&share.interface, frames, assignment.shape)?;
        segments.push(Segment {
            inbox: inbox.signed(assignment.signed),
            outbox,
            clients: share.first..share.first + share.count,
            burst: 0..0,
            syncs: Syncs::default(),
        });
    }
    let start = cue.ready()?;
    let mut clients = Clients::new(assignment, start);
    clients.work(start.at, &mut segments, cue)?;
    Ok(clients.finish(segments))
}

impl Clients {
    fn new(assignment: Assignment, start: Start) -> Self {
        let from = assignment.measured_from(start.at);
        Self {
            clock: start.clock,
            from,
            to: assignment.end(start.at),
            book: Book::new(assignment.clients),
            measures: Measures::default(),
            done: ClientsDone {
                departures: Arrivals::new(from, assignment.length),
                timeline: Timeline::new(from, assignment.length),
                ..ClientsDone::default()
            },
            template: Template::new(assignment.shape, Kind::DelayReq, Station::client(0))
                .signed(assignment.signed),
            unicast: UnicastClients::new(&assignment, start.at),
            assignment,
        }
    }

    fn work(&mut self, start: i64, segments: &mut [Segment], cue: &mut Cue) -> Result<()> {
        clock::sleep_until(start);
        let each = self.assignment.interval as f64 / f64::from(self.assignment.clients);
        let mut even = Pace::new(start, each);
        let mut rogue = self
            .assignment
            .rogue
            .then(|| Rogue::new(self.assignment.shape, self.assignment.signed, start));
        let mut progress = start;
        loop {
            let now = clock::now();
            if now >= progress {
                cue.progress(self.done.sent, self.done.answered)?;
                progress = now + PROGRESS;
            }
            if now >= self.to + PATIENCE
                || now >= self.to + WATCH && self.done.answered == self.done.sent
            {
                return Ok(());
            }
            let mut busy = false;
            for segment in &mut *segments {
                busy |= self.receive(segment, now);
            }
            if now < self.to {
                if let Some(unicast) = &mut self.unicast
                    && unicast.is_due(now)
                {
                    for segment in &mut *segments {
                        unicast.negotiate(&mut segment.outbox, segment.clients.clone(), now);
                    }
                }
                busy |= if self.assignment.burst {
                    self.send_bursts(segments)
                } else {
                    self.send_even(segments, &mut even, now)
                };
                if let (Some(rogue), Some(segment)) = (&mut rogue, segments.first_mut()) {
                    self.done.rogue_sent += rogue.send_due(&mut segment.outbox, now, self.clock);
                }
            }
            for segment in &mut *segments {
                segment.outbox.flush();
                self.note_departures(segment);
            }
            if !busy {
                let next = if self.assignment.burst {
                    i64::MAX
                } else {
                    even.due()
                };
                let pause = next.min(now + SWEEP_NS) - clock::now();
                std::thread::sleep(Duration::from_nanos(u64::try_from(pause).unwrap_or(0)));
            }
        }
    }

    /// The next of those who answer a Sync; whether any is left.
    fn send_bursts(&mut self, segments: &mut [Segment]) -> bool {
        let mut left = false;
        for segment in segments {
            for client in segment.burst.by_ref().take(BATCH) {
                self.send(&mut segment.outbox, client);
            }
            left |= !segment.burst.is_empty();
        }
        left
    }

    /// Those whose turn has come; whether there were any.
    fn send_even(&mut self, segments: &mut [Segment], pace: &mut Pace, now: i64) -> bool {
        for sent in 0..BATCH {
            let due = pace.due();
            let Some(event) = pace.take(now) else {
                return sent > 0;
            };
            self.done.late += u64::from(now - due > self.assignment.interval / 10);
            let client = u32::try_from(event % u64::from(self.assignment.clients)).unwrap_or(0);
            if let Some(segment) = segments.iter_mut().find(|s| s.clients.contains(&client)) {
                self.send(&mut segment.outbox, client);
            }
        }
        true
    }

    fn send(&mut self, outbox: &mut Outbox<Request>, client: u32) {
        let mut to = None;
        if let Some(unicast) = &mut self.unicast {
            to = unicast.to_ask(outbox, client);
            if to.is_none() {
                return;
            }
        }
        let Some(request) = self.book.open(client) else {
            return;
        };
        let sent = outbox.send(&self.template, Some(request), |draft| {
            let draft = draft.source(Station::client(client));
            let draft = match to {
                Some(end) => draft.to(end),
                None => draft,
            };
            draft.sequence(request.sequence).finish()
        });
        self.done.sent += u64::from(sent);
    }

    fn note_departures(&mut self, segment: &mut Segment) {
        for (request, stamp) in segment.outbox.departed() {
            match stamp {
                Some(stamp) => {
                    self.book.departed(request, stamp);
                    self.done.departures.record(stamp);
                }
                // Taken back by the ring: it was never sent.
                None => self.done.sent -= 1,
            }
        }
    }

    /// Reads what arrived, at most a batch; whether more may wait.
    fn receive(&mut self, segment: &mut Segment, now: i64) -> bool {
        for received in 0..BATCH {
            match segment.inbox.receive() {
                None => return received > 0,
                Some(Seen::Other(frame)) => {
                    let talk = Talk::read(frame, self.assignment.shape);
                    if let (Some(talk), Some(unicast)) = (talk, &mut self.unicast) {
                        let may = unicast.hears(&mut segment.outbox, &talk);
                        self.done.damaged += u64::from(!may);
                    }
                }
                Some(Seen::Damaged) => self.done.damaged += 1,
                Some(Seen::Message(view, stamp)) => {
                    if view.source() == Some(Station::MASTER)
                        && view.kind() != Some(Kind::DelayResp)
                        && let Some(unicast) = &mut self.unicast
                        && unicast.negotiates()
                    {
                        match unicast.takes(view, stamp, &segment.clients, self.clock) {
                            Taken::Well => {}
                            Taken::Again => self.done.repeated += 1,
                            Taken::Damaged => self.done.damaged += 1,
                            Taken::Foreign => self.done.foreign += 1,
                        }
                        continue;
                    }
                    match (view.kind(), view.source()) {
                        (Some(Kind::DelayResp), Some(Station::MASTER)) => {
                            self.response(view, &segment.clients);
                        }
                        (Some(Kind::Sync), Some(Station::MASTER)) => {
                            if segment.syncs.sync(view, stamp, self.clock) && self.assignment.burst
                            {
                                // The last burst was not even out, or this one starts late.
                                self.done.late += u64::try_from(segment.burst.len()).unwrap_or(0);
                                if now - stamp > self.assignment.interval / 10 {
                                    self.done.late +=
                                        u64::try_from(segment.clients.len()).unwrap_or(0);
                                }
                                segment.burst = segment.clients.clone();
                            }
                        }
                        (Some(Kind::FollowUp), Some(Station::MASTER)) => {
                            segment.syncs.follow_up(view, self.clock);
                        }
                        (Some(Kind::Announce), Some(Station::MASTER)) => {}
                        (_, Some(Station::ROGUE)) => self.done.rogue += 1,
                        _ => self.done.foreign += 1,
                    }
                }
            }
        }
        true
    }

    fn response(&mut self, view: View<'_>, ours: &Range<u32>) {
        let client = match view.requesting() {
            Some(station) if station.role == Role::Client && ours.contains(&station.number) => {
                station.number
            }
            _ => {
                self.done.foreign += 1;
                return;
            }
        };
        let wrongly = |all: &UnicastClients| all.addressed(view, ours) != Some(client);
        if self.unicast.as_ref().is_some_and(wrongly) {
            self.done.damaged += 1;
            return;
        }
        let request = Request {
            client,
            sequence: view.sequence(),
        };
        match self.book.answer(request) {
            Answer::First(departed) => {
                self.done.answered += 1;
                let arrived = self.clock.when(view.timestamp());
                if !(self.from..self.to).contains(&arrived) {
                    return;
                }
                self.done.answered_measured += 1;
                match departed {
                    Some(departed) => {
                        let correction = self.clock.correction(view.correction());
                        self.measures.record(departed, arrived, correction);
                        let error = (arrived - departed).saturating_sub(correction);
                        self.done.timeline.record(arrived, error);
                    }
                    None => self.done.unstamped += 1,
                }
            }
            Answer::Again => self.done.repeated += 1,
            Answer::Unknown => self.done.unknown += 1,
        }
    }

    fn finish(mut self, segments: Vec<Segment>) -> ClientsDone {
        for mut segment in segments {
            self.done.ring_drops += segment.inbox.drops();
            self.done.refused += segment.outbox.refused();
            self.done.syncs.extend(segment.syncs.finish());
        }
        if let Some(unicast) = self.unicast {
            unicast.finish(&mut self.done);
        }
        self.done.transit = self.measures.transit.counts();
        self.done.residual = self.measures.residual.counts();
        self.done
    }
}
