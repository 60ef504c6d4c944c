//! The simulated grandmaster, and the foreign traffic on its segment.

use std::time::Duration;

use anyhow::{Context, Result};

use super::assignment::{Assignment, Cue, MasterDone, Start, log_interval};
use super::granting::{SyncSent, low_bits};
use super::once::Once;
use super::unicast_master::{Answer, UnicastMaster};
use crate::lab::figures::arrivals::Arrivals;
use crate::lab::frames::neighbour::Talk;
use crate::lab::frames::station::{Role, Station};
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
    /// What goes to one client alone, if anything does.
    unicast: Option<UnicastMaster>,
    once: Once,
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
        let each = if assignment.negotiated {
            assignment.clients
        } else {
            1
        };
        done.syncs = vec![None; usize::try_from(syncs * i64::from(each)).unwrap_or(0)];
        Self {
            clock: start.clock,
            // A little after the first Announce.
            sync: Pace::new(start.at + 5_000_000, assignment.sync_interval as f64),
            announce: Pace::per_second(start.at, 1.0),
            foreign: Pace::per_second(start.at, assignment.foreign),
            inbox: inbox.signed(signed),
            unicast: UnicastMaster::new(&assignment, start.at),
            once: Once::new(assignment.clients),
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
            if let Some(unicast) = &mut self.unicast {
                unicast.ask_again(now, &mut self.outbox);
            }
            let received = self.answer();
            self.outbox.flush();
            self.follow_up();
            if received == 0 {
                let alone = self.unicast.as_ref().and_then(UnicastMaster::due);
                let sync = alone.unwrap_or(self.sync.due());
                let next = sync.min(self.foreign.due()).min(now + SWEEP_NS);
                let pause = u64::try_from(next - clock::now()).unwrap_or(0);
                std::thread::sleep(Duration::from_nanos(pause));
            }
        }
    }

    fn send_due(&mut self, now: i64) {
        let (outbox, done) = (&mut self.outbox, &mut self.done);
        let unicast = self.unicast.as_mut();
        if !unicast.is_some_and(|unicast| unicast.send_due(now, outbox, done)) {
            self.send_to_all(now);
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

    fn send_to_all(&mut self, now: i64) {
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
        let (outbox, done) = (&mut self.outbox, &mut self.done);
        let unicast = self.unicast.as_ref();
        if unicast.is_some_and(|unicast| unicast.follow_up(self.clock, outbox, done)) {
            return;
        }
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
                    if let (Some(talk), Some(unicast)) = (talk, &mut self.unicast) {
                        for answer in unicast.hears(&talk, &mut self.outbox) {
                            self.respond(answer);
                        }
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
                (Some(Kind::DelayReq | Kind::Signaling), Some(station))
                    if is_client(station, &self.assignment) =>
                {
                    let (mac, ip) = view.from();
                    let rightly = match (&self.unicast, self.assignment.behind) {
                        (_, Some(gateway)) => ip == Some(gateway) && mac != station.mac(),
                        (Some(unicast), None) => unicast.came_rightly(view, station),
                        // A transparent clock of ptp4l sends by addresses of its own.
                        (None, None) => true,
                    };
                    if !rightly {
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
            if view.kind() == Some(Kind::Signaling) {
                if let Some(unicast) = &mut self.unicast {
                    unicast.signaled(view, client, stamp, &mut self.outbox);
                }
                continue;
            }
            self.done.requests += 1;
            self.done.repeated += u64::from(!self.once.is_first(client.number, view.sequence()));
            self.done.arrivals.record(stamp);
            let answer = Answer {
                client,
                to: view.from().1.filter(|_| self.unicast.is_some()),
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
        let to = match (&mut self.unicast, answer.to) {
            (Some(unicast), Some(_)) => match unicast.reach(answer, &mut self.outbox) {
                Some(end) => Some(end),
                None => return,
            },
            _ => None,
        };
        let sent = self.outbox.send(&self.templates.delay_resp, None, |draft| {
            let draft = match to {
                Some(end) => draft.to(end),
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

    fn finish(mut self) -> MasterDone {
        self.done.ring_drops = self.inbox.drops();
        self.done.refused = self.outbox.refused();
        self.done
    }
}

fn is_client(station: Station, assignment: &Assignment) -> bool {
    station.role == Role::Client && station.number < assignment.clients
}

fn index(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}
