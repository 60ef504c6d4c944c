//! The simulated grandmaster, and the foreign traffic on its segment.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::assignment::{Assignment, Cue, MasterDone, Start};
use super::neighbours::Neighbours;
use crate::lab::figures::arrivals::Arrivals;
use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::station::{Role, Station};
use crate::lab::frames::view::View;
use crate::lab::frames::{Kind, TWO_STEP, Template};
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::io::pacing::Pace;
use crate::lab::io::port::{self, Inbox, Outbox, SWEEP_NS, Seen};

/// How long it still answers after the last Sync.
pub const DRAIN: i64 = 700_000_000;

/// Frames taken in one sweep before anything else gets its turn.
const BATCH: usize = 256;

/// Foreign clients: identities that take turns.
const FOREIGN_STATIONS: u64 = 4096;

/// A Sync that departed; names its stamp.
#[derive(Debug)]
struct SyncSent(u64);

/// Answers that wait for an address at once.
const UNADDRESSED: usize = 65_536;

/// What is answered, and to whom.
#[derive(Clone, Copy, Debug)]
struct Answer {
    client: Station,
    /// `None` is everybody.
    to: Option<IpAddr>,
    sequence: u16,
    correction: i64,
    time: i64,
}

/// The grandmaster at work: it remembers its Sync and counts, nothing else.
#[derive(Debug)]
struct Grandmaster {
    assignment: Assignment,
    clock: MasterClock,
    inbox: Inbox,
    outbox: Outbox<SyncSent>,
    templates: Templates,
    done: MasterDone,
    sync: Pace,
    announce: Pace,
    foreign: Pace,
    /// Who has which address, if requests come to it alone; and answers to those who have not said it yet.
    neighbours: Option<Neighbours>,
    unaddressed: Vec<Answer>,
    /// When to look at them.
    asking: Pace,
    /// How much later than it is read the clock reads at departure: smoothed, for one-step Sync.
    lead: i64,
    guess: i64,
}

#[derive(Debug)]
struct Templates {
    sync: Template,
    follow_up: Template,
    announce: Template,
    delay_resp: Template,
    foreign_req: Template,
}

/// Plays the grandmaster from the word to start to the end.
pub fn run(assignment: Assignment, cue: &mut Cue) -> Result<MasterDone> {
    let interface = &assignment
        .ports
        .first()
        .context("no interface given")?
        .interface;
    // Room for two requests of every client.
    let frames = assignment.clients.saturating_mul(2).min(65_536);
    let (inbox, outbox) = port::open(interface, frames, assignment.shape)?;
    let start = cue.ready()?;
    let mut master = Grandmaster::new(assignment, start, inbox, outbox);
    master.work(start.at);
    Ok(master.finish())
}

impl Grandmaster {
    fn new(assignment: Assignment, start: Start, inbox: Inbox, outbox: Outbox<SyncSent>) -> Self {
        let shape = assignment.shape;
        let flags = if assignment.one_step { 0 } else { TWO_STEP };
        let sync_log = log_interval(assignment.sync_interval);
        let signed = assignment.signed;
        let template = |kind| Template::new(shape, kind, Station::MASTER).signed(signed);
        let templates = Templates {
            sync: template(Kind::Sync).flags(flags).log_interval(sync_log),
            follow_up: template(Kind::FollowUp).log_interval(sync_log),
            announce: template(Kind::Announce),
            delay_resp: template(Kind::DelayResp).log_interval(log_interval(assignment.interval)),
            foreign_req: template(Kind::DelayReq),
        };
        let syncs = (assignment.warmup + assignment.length) / assignment.sync_interval + 2;
        let mut done = MasterDone {
            arrivals: Arrivals::new(assignment.measured_from(start.at), assignment.length),
            ..MasterDone::default()
        };
        done.syncs = vec![None; usize::try_from(syncs).unwrap_or(0)];
        Self {
            clock: start.clock,
            // A little after the first Announce.
            sync: Pace::new(start.at + 5_000_000, assignment.sync_interval as f64),
            announce: Pace::per_second(start.at, 1.0),
            foreign: Pace::per_second(start.at, assignment.foreign),
            inbox: inbox.signed(signed),
            neighbours: (Station::MASTER.ip(shape.network))
                .filter(|_| assignment.hybrid)
                .map(|ip| Neighbours::new(Station::MASTER.mac(), ip)),
            unaddressed: Vec::new(),
            asking: Pace::per_second(start.at, 20.0),
            assignment,
            outbox,
            templates,
            done,
            lead: 0,
            guess: 0,
        }
    }

    fn work(&mut self, start: i64) {
        clock::sleep_until(start);
        let end = self.assignment.end(start);
        loop {
            let now = clock::now();
            if now >= end + DRAIN {
                return;
            }
            if now < end {
                self.send_due(now);
            }
            self.ask_again(now);
            let received = self.answer();
            self.outbox.flush();
            self.follow_up();
            if received == 0 {
                let next = self.sync.due().min(self.foreign.due()).min(now + SWEEP_NS);
                let pause = u64::try_from(next - clock::now()).unwrap_or(0);
                std::thread::sleep(Duration::from_nanos(pause));
            }
        }
    }

    fn send_due(&mut self, now: i64) {
        if let Some(number) = self.announce.take(now) {
            self.outbox.send(&self.templates.announce, None, |draft| {
                draft.sequence(low_bits(number)).finish()
            });
        }
        let due = self.sync.due();
        if let Some(number) = self.sync.take(now) {
            self.done.late += u64::from(now - due > self.assignment.sync_interval / 10);
            self.send_sync(number);
        }
        // Bounded, so that a generator too slow for the rate still answers its clients.
        for _ in 0..BATCH {
            let due = self.foreign.due();
            let Some(number) = self.foreign.take(now) else {
                break;
            };
            self.done.late += u64::from(now - due > 100_000_000);
            self.send_foreign(number);
        }
    }

    /// Alone in its batch, so that nothing stands between the clock read and the departure.
    fn send_sync(&mut self, number: u64) {
        self.outbox.flush();
        self.guess = clock::now() + self.lead;
        let origin = if self.assignment.one_step {
            self.clock.read(self.guess)
        } else {
            0
        };
        let token = Some(SyncSent(number));
        self.outbox.send(&self.templates.sync, token, |draft| {
            draft.sequence(low_bits(number)).timestamp(origin).finish()
        });
        self.outbox.flush();
    }

    /// For each Sync whose stamp came, its Follow_Up.
    fn follow_up(&mut self) {
        let mut sent = None;
        for (SyncSent(number), stamp) in self.outbox.departed() {
            if let Some(slot) = index(number).and_then(|at| self.done.syncs.get_mut(at)) {
                *slot = stamp;
            }
            sent = stamp.map(|stamp| (number, stamp)).or(sent);
        }
        let Some((number, stamp)) = sent else {
            return;
        };
        if self.assignment.one_step {
            self.lead += (stamp - self.guess) / 4;
            return;
        }
        let origin = self.clock.read(stamp);
        self.outbox.send(&self.templates.follow_up, None, |draft| {
            draft.sequence(low_bits(number)).timestamp(origin).finish()
        });
        self.outbox.flush();
    }

    /// Somebody else's Delay_Req, then the grandmaster's answer to it.
    fn send_foreign(&mut self, number: u64) {
        let pair = number / 2;
        let station = Station::new(Role::Foreign, u32::from(low_bits(pair % FOREIGN_STATIONS)));
        let sequence = low_bits(pair / FOREIGN_STATIONS);
        let sent = if number.is_multiple_of(2) {
            self.outbox
                .send(&self.templates.foreign_req, None, |draft| {
                    draft.source(station).sequence(sequence).finish()
                })
        } else {
            let time = self.clock.read(clock::now());
            self.outbox.send(&self.templates.delay_resp, None, |draft| {
                let draft = draft.sequence(sequence).timestamp(time);
                draft.requesting(station.identity()).finish()
            })
        };
        self.done.foreign_sent += u64::from(sent);
    }

    /// Answers what arrived, at most a batch; how much that was.
    fn answer(&mut self) -> usize {
        for received in 0..BATCH {
            let (view, stamp) = match self.inbox.receive() {
                None => return received,
                Some(Seen::Other(frame)) => {
                    let talk = Talk::read(frame, self.assignment.shape);
                    if let Some(talk) = talk {
                        self.hears(&talk);
                    }
                    continue;
                }
                Some(Seen::Damaged) => {
                    self.done.damaged += 1;
                    continue;
                }
                Some(Seen::Message(view, stamp)) => (view, stamp),
            };
            let client = match (view.kind(), view.source()) {
                (Some(Kind::DelayReq), Some(station)) if is_client(station, &self.assignment) => {
                    if !comes_rightly(view, station, &self.assignment) {
                        self.done.damaged += 1;
                        continue;
                    }
                    station
                }
                (_, Some(Station::ROGUE)) => {
                    self.done.rogue += 1;
                    continue;
                }
                _ => {
                    self.done.foreign += 1;
                    continue;
                }
            };
            self.done.requests += 1;
            self.done.arrivals.record(stamp);
            let answer = Answer {
                client,
                to: view.from().1.filter(|_| self.neighbours.is_some()),
                sequence: view.sequence(),
                correction: view.correction(),
                time: self.clock.read(stamp),
            };
            self.respond(answer);
        }
        BATCH
    }

    /// Sends an answer, or asks first who has the address that it is for.
    fn respond(&mut self, answer: Answer) {
        let mut to = None;
        if let (Some(ip), Some(neighbours)) = (answer.to, &mut self.neighbours) {
            let Some(mac) = neighbours.mac(ip) else {
                if let Some(question) = neighbours.ask(ip, clock::now()) {
                    self.outbox.say(&question, self.assignment.shape);
                }
                if self.unaddressed.len() < UNADDRESSED {
                    self.unaddressed.push(answer);
                }
                return;
            };
            to = Some((mac, ip));
        }
        let sent = self.outbox.send(&self.templates.delay_resp, None, |draft| {
            let draft = match to {
                Some((mac, ip)) => draft.to(mac, ip),
                None => draft,
            };
            draft
                .sequence(answer.sequence)
                .correction(answer.correction)
                .timestamp(answer.time)
                .requesting(answer.client.identity())
                .finish()
        });
        self.done.responses += u64::from(sent);
    }

    /// Asks once a second for each address that answers wait for.
    fn ask_again(&mut self, now: i64) {
        if self.unaddressed.is_empty() || self.asking.take(now).is_none() {
            return;
        }
        for ip in self.unaddressed.iter().filter_map(|answer| answer.to) {
            let neighbours = self.neighbours.as_mut();
            if let Some(question) = neighbours.and_then(|known| known.ask(ip, now)) {
                self.outbox.say(&question, self.assignment.shape);
            }
        }
    }

    /// Somebody asks for an address or says that it has one.
    fn hears(&mut self, talk: &Talk) {
        let Some(neighbours) = &mut self.neighbours else {
            return;
        };
        let (answer, learnt) = neighbours.hears(talk);
        if let Some(answer) = answer {
            self.outbox.say(&answer, self.assignment.shape);
        }
        if learnt {
            for answer in std::mem::take(&mut self.unaddressed) {
                match answer.to == talk.sender {
                    true => self.respond(answer),
                    false => self.unaddressed.push(answer),
                }
            }
        }
    }

    fn finish(mut self) -> MasterDone {
        self.done.ring_drops = self.inbox.drops();
        self.done.refused = self.outbox.refused();
        self.done
    }
}

/// Whether a request comes from where it should: its client's own addresses, or those of the gateway.
fn comes_rightly(view: View<'_>, station: Station, assignment: &Assignment) -> bool {
    let (mac, ip) = view.from();
    match assignment.behind {
        Some(gateway) => ip == Some(gateway) && mac != station.mac(),
        // A transparent clock of ptp4l sends by addresses of its own.
        None if !assignment.hybrid => true,
        None => mac == station.mac() && ip == station.ip(assignment.shape.network),
    }
}

fn is_client(station: Station, assignment: &Assignment) -> bool {
    station.role == Role::Client && station.number < assignment.clients
}

/// logMessageInterval nearest to an interval.
fn log_interval(ns: i64) -> i8 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and the logarithm of an i64 is small"
    )]
    let log = (ns as f64 / 1e9).log2().round() as i8;
    log
}

fn low_bits(number: u64) -> u16 {
    u16::try_from(number & 0xFFFF).unwrap_or(0)
}

fn index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}
