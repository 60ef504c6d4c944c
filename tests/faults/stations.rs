//! Stations that go on when their cable is gone: a grandmaster and some clients, one step at a time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ptpproxy_lab::lab::frames::{Draft, Kind, TWO_STEP, Template};
use ptpproxy_lab::lab::port::{self, Inbox, Outbox, Seen};
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::net::Namespace;

const ETHERNET: Shape = Shape {
    network: Network::Ethernet,
    vlan: None,
};
/// Sixteen Syncs a second; an Announce with each fourth.
const SYNC_EVERY: Duration = Duration::from_micros(62_500);
/// What cables and a busy machine may leave of a time after its correction.
const CABLE_NS: i64 = 5_000_000;
/// How far an estimated departure may be from the true one.
const ESTIMATE_NS: i64 = 500_000;
/// The default of `--max-hold`, and what a busy machine adds.
const STALE_NS: i64 = 100_000_000 + 150_000_000;

/// One end of the line.
pub(crate) struct End {
    inbox: Inbox,
    outbox: Outbox<u64>,
    sent: u64,
}

impl End {
    pub(crate) fn open(home: &Namespace, interface: &str) -> Self {
        let (inbox, outbox) = home
            .run(|| port::open(interface, 4096, ETHERNET))
            .unwrap()
            .unwrap();
        Self {
            inbox,
            outbox,
            sent: 0,
        }
    }

    /// Sends a frame; when it departed, or `None` where it did not.
    fn send(
        &mut self,
        template: &Template,
        patch: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) -> Option<i64> {
        self.sent += 1;
        let token = self.sent;
        self.outbox
            .send(template, Some(token), |draft| patch(draft).finish());
        let deadline = Instant::now() + Duration::from_millis(20);
        loop {
            self.outbox.flush();
            let found = self.outbox.departed().find(|(name, _)| *name == token);
            if let Some((_, stamp)) = found {
                return stamp;
            }
            if Instant::now() >= deadline {
                return None;
            }
        }
    }

    /// Sends many frames as fast as they go.
    pub(crate) fn flood(&mut self, frames: u32, kind: Kind, source: Station) {
        let template = Template::new(ETHERNET, kind, source);
        for number in 0..frames {
            let sequence = u16::try_from(number & 0xFFFF).unwrap_or_default();
            self.outbox
                .send(&template, None, |draft| draft.sequence(sequence).finish());
        }
        self.outbox.flush();
    }
}

/// A client's Delay_Req and what came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) sent: Instant,
    pub(crate) answered: Option<Instant>,
}

/// A Sync that reached the clients together with its Follow_Up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) sent: Instant,
    pub(crate) complete: Instant,
}

/// Both ends, and what was seen.
pub(crate) struct Stations {
    pub(crate) above: Option<End>,
    pub(crate) below: Option<End>,
    master: Station,
    clients: u32,
    every: Duration,
    next_request: Instant,
    next_client: u32,
    next_sync: Instant,
    sequence: u16,
    /// By client and sequenceId: departure, and place in `requests`.
    open: HashMap<(u32, u16), (i64, usize)>,
    sequences: Vec<u16>,
    /// By sequenceId: departure, when it was sent, and its arrival below.
    syncs: HashMap<u16, (i64, Instant, Option<i64>)>,
    pub(crate) requests: Vec<Request>,
    pub(crate) served: Vec<Served>,
    /// When a request came to the grandmaster.
    pub(crate) asked: Vec<Instant>,
    /// The longest time that an event message was on its way between the two ends.
    pub(crate) oldest_ns: i64,
    /// What was wrong: times that were off, event messages that came late.
    pub(crate) wrong: Vec<String>,
    /// Frames may be late, because a queue behind the gateway keeps them; and where it drops some, stamps
    /// are missing, and departures are estimated.
    pub(crate) queue_behind: bool,
}

impl Stations {
    /// `clients` that send a Delay_Req every `every`, one after another.
    pub(crate) fn new(above: End, below: End, clients: u32, every: Duration) -> Self {
        let now = Instant::now();
        Self {
            above: Some(above),
            below: Some(below),
            master: Station::MASTER,
            clients,
            every: every / clients,
            next_request: now,
            next_client: 0,
            next_sync: now,
            sequence: 0,
            open: HashMap::new(),
            sequences: vec![0; clients as usize],
            syncs: HashMap::new(),
            requests: Vec::new(),
            served: Vec::new(),
            asked: Vec::new(),
            oldest_ns: 0,
            wrong: Vec::new(),
            queue_behind: false,
        }
    }

    /// Sends what is due and reads what came.
    pub(crate) fn step(&mut self) {
        let now = Instant::now();
        if now >= self.next_sync {
            self.next_sync = now.max(self.next_sync + SYNC_EVERY);
            self.sync(now);
        }
        // Those that would have asked while the machine was busy do not ask all at once.
        for _ in 0..16 {
            if now < self.next_request {
                break;
            }
            self.next_request = (self.next_request + self.every).max(now - self.every * 16);
            self.ask(now);
        }
        self.read_above();
        self.read_below();
    }

    /// Another one takes over: it announces itself first.
    pub(crate) fn change_master(&mut self, master: Station) {
        self.master = master;
        self.sequence &= !3;
        self.next_sync = Instant::now();
    }

    fn sync(&mut self, now: Instant) {
        let Some(above) = &mut self.above else { return };
        self.sequence = self.sequence.wrapping_add(1);
        let (sequence, master) = (self.sequence, self.master);
        if sequence % 4 == 1 {
            let announce = Template::new(ETHERNET, Kind::Announce, master);
            above.send(&announce, |draft| draft.sequence(sequence));
        }
        let sync = Template::new(ETHERNET, Kind::Sync, master).flags(TWO_STEP);
        let Some(departed) = above.send(&sync, |draft| draft.sequence(sequence)) else {
            return;
        };
        self.syncs.insert(sequence, (departed, now, None));
        let follow_up = Template::new(ETHERNET, Kind::FollowUp, master);
        above.send(&follow_up, |draft| {
            draft.sequence(sequence).timestamp(departed)
        });
    }

    fn ask(&mut self, now: Instant) {
        let client = self.next_client;
        self.next_client = (client + 1) % self.clients;
        let sequence = &mut self.sequences[client as usize];
        *sequence = sequence.wrapping_add(1);
        let sequence = *sequence;
        self.requests.push(Request {
            sent: now,
            answered: None,
        });
        let Some(below) = &mut self.below else { return };
        let template = Template::new(ETHERNET, Kind::DelayReq, Station::client(client));
        if let Some(departed) = below.send(&template, |draft| draft.sequence(sequence)) {
            let place = self.requests.len() - 1;
            self.open.insert((client, sequence), (departed, place));
        }
    }

    fn read_above(&mut self) {
        let Some(above) = &mut self.above else { return };
        let mut asked = Vec::new();
        while let Some(seen) = above.inbox.receive() {
            if let Seen::Message(view, at) = seen
                && view.kind() == Some(Kind::DelayReq)
                && let Some(client) = view.source().filter(|who| who.role == Role::Client)
            {
                asked.push((client, view.sequence(), view.correction(), at));
            }
        }
        let template = Template::new(ETHERNET, Kind::DelayResp, self.master);
        if !asked.is_empty() {
            self.asked.push(Instant::now());
        }
        for (client, sequence, correction, at) in asked {
            if let Some((departed, _)) = self.open.get(&(client.number, sequence)) {
                self.oldest_ns = self.oldest_ns.max(at - departed);
            }
            match self.open.get(&(client.number, sequence)) {
                Some((departed, _)) if at - departed > STALE_NS && !self.queue_behind => {
                    self.wrong.push(format!(
                        "Delay_Req {sequence} of {} came {} ms late",
                        client.number,
                        (at - departed) / 1_000_000
                    ));
                }
                _ => {}
            }
            above.send(&template, |draft| {
                let draft = draft.sequence(sequence).timestamp(at);
                draft.correction(correction).requesting(client.identity())
            });
        }
    }

    fn read_below(&mut self) {
        let least = if self.queue_behind { -ESTIMATE_NS } else { 0 };
        let is_right = |off: i64| (least..CABLE_NS).contains(&off);
        let Some(below) = &mut self.below else { return };
        while let Some(seen) = below.inbox.receive() {
            let Seen::Message(view, at) = seen else {
                continue;
            };
            let now = Instant::now();
            match view.kind() {
                Some(Kind::Sync) => {
                    if let Some((departed, _, arrived)) = self.syncs.get_mut(&view.sequence()) {
                        *arrived = Some(at);
                        self.oldest_ns = self.oldest_ns.max(at - *departed);
                        if at - *departed > STALE_NS && !self.queue_behind {
                            let late = (at - *departed) / 1_000_000;
                            self.wrong.push(format!("a Sync came {late} ms late"));
                        }
                    }
                }
                Some(Kind::FollowUp) => {
                    let Some((_, sent, Some(arrived))) = self.syncs.get(&view.sequence()) else {
                        continue;
                    };
                    let off = arrived - view.timestamp() - (view.correction() >> 16);
                    if is_right(off) {
                        self.served.push(Served {
                            sent: *sent,
                            complete: now,
                        });
                    } else {
                        self.wrong.push(format!("a Sync is off by {off} ns"));
                    }
                }
                Some(Kind::DelayResp) => {
                    // Others than ours were made up by a test.
                    let requesting = view.requesting();
                    let Some(client) = requesting.filter(|who| who.number < self.clients) else {
                        continue;
                    };
                    let Some((departed, place)) =
                        self.open.remove(&(client.number, view.sequence()))
                    else {
                        self.wrong.push("an answer nobody asked for".into());
                        continue;
                    };
                    let off = view.timestamp() - departed - (view.correction() >> 16);
                    if is_right(off) {
                        self.requests[place].answered = Some(now);
                    } else {
                        self.wrong.push(format!("a Delay_Resp is off by {off} ns"));
                    }
                }
                _ => {}
            }
        }
    }
}
