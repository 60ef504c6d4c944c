//! All simulated clients, in one process and without a thread each.

use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::Result;

use super::assignment::{Assignment, ClientsDone, Cue, Start};
use super::exchange::{Answer, Book, Measures, Request};
use super::neighbours::Neighbours;
use super::rogue::Rogue;
use super::syncs::Syncs;
use crate::lab::figures::arrivals::Arrivals;
use crate::lab::frames::neighbour::{Mac, Talk};
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
    /// Of each client who asks the grandmaster alone; empty if none does.
    neighbours: Vec<Neighbours>,
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
                ..ClientsDone::default()
            },
            template: Template::new(assignment.shape, Kind::DelayReq, Station::client(0))
                .signed(assignment.signed),
            neighbours: neighbours(&assignment),
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

    /// The grandmaster as this client knows it; `None`, and a question once a second, while it does not.
    fn grandmaster(&mut self, outbox: &mut Outbox<Request>, client: u32) -> Option<(Mac, IpAddr)> {
        let shape = self.assignment.shape;
        let ip = Station::MASTER.ip(shape.network)?;
        let neighbours = self.neighbours.get_mut(client as usize)?;
        if let Some(mac) = neighbours.mac(ip) {
            return Some((mac, ip));
        }
        if let Some(question) = neighbours.ask(ip, clock::now()) {
            outbox.say(&question, shape);
        }
        None
    }

    /// Somebody asks for a client's address or answers one.
    fn hears(&mut self, outbox: &mut Outbox<Request>, talk: &Talk) {
        let about = talk.wanted.or(talk.to.map(|(_, ip)| ip));
        let known = about.and_then(Station::from_ip);
        let client = known.filter(|station| station.role == Role::Client);
        let Some(client) = client else { return };
        if let Some(neighbours) = self.neighbours.get_mut(client.number as usize) {
            // An answer comes to its own hardware address, or another's table was filled.
            if talk.to.is_some_and(|(mac, _)| mac != client.mac()) {
                self.done.damaged += 1;
                return;
            }
            if let (Some(answer), _) = neighbours.hears(talk) {
                outbox.say(&answer, self.assignment.shape);
            }
        }
    }

    fn send(&mut self, outbox: &mut Outbox<Request>, client: u32) {
        let mut to = None;
        if self.assignment.hybrid {
            to = self.grandmaster(outbox, client);
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
                Some((mac, ip)) => draft.to(mac, ip),
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
                    if let Some(talk) = Talk::read(frame, self.assignment.shape) {
                        self.hears(&mut segment.outbox, &talk);
                    }
                }
                Some(Seen::Damaged) => self.done.damaged += 1,
                Some(Seen::Message(view, stamp)) => {
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
        let station = Station::client(client);
        let own = (station.mac(), station.ip(self.assignment.shape.network));
        if self.assignment.hybrid && view.to() != own {
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
        let master = Station::MASTER.ip(self.assignment.shape.network);
        let found = |each: &&Neighbours| master.is_some_and(|ip| each.mac(ip).is_some());
        self.done.found = self.neighbours.iter().filter(found).count() as u64;
        self.done.transit = self.measures.transit.counts();
        self.done.residual = self.measures.residual.counts();
        self.done
    }
}

/// What each client knows of its neighbours: nothing yet.
fn neighbours(assignment: &Assignment) -> Vec<Neighbours> {
    let all = (0..assignment.clients).filter(|_| assignment.hybrid);
    let of = |number| {
        let station = Station::client(number);
        let ip = station.ip(assignment.shape.network)?;
        Some(Neighbours::new(station.mac(), ip))
    };
    all.filter_map(of).collect()
}
