//! The grandmaster and the clients, at the ends.

use ptpproxy::Side;
use ptpproxy_lab::lab::frames::{CAPACITY, Draft, Kind, TWO_STEP, Template};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::lab::view::{Sight, View};

use super::world::{HOSTS, Queued, World};
use super::{Case, MS, SYNC};
use crate::host::{ETHERNET, Message};
use crate::strict_client::StrictClient;

const LENGTH: u64 = 3_000 * MS;
/// Whatever happens has happened by then.
const LATE: u64 = 2_200 * MS;

enum Due {
    Announce,
    Sync,
    FollowUp(u16, u64),
    Request(u16),
    Response(Message),
}

/// The grandmaster and the clients.
pub(super) struct Hosts<'a> {
    world: &'a World,
    case: &'a Case,
    due: Vec<(u64, Due)>,
    client: StrictClient,
    sync: u16,
    requests: [u16; 3],
    /// Times taken until [`LATE`]: of Syncs, of requests.
    early: (usize, usize),
}

impl<'a> Hosts<'a> {
    pub(super) fn new(world: &'a World, case: &'a Case) -> Self {
        let mut due = vec![(3 * MS, Due::Announce), (5 * MS, Due::Sync)];
        due.extend(
            (0..3).map(|client| (u64::from(client) * 30 * MS + 7 * MS, Due::Request(client))),
        );
        Self {
            world,
            case,
            due,
            client: StrictClient::default(),
            sync: 0,
            requests: [0; 3],
            early: (0, 0),
        }
    }

    /// What the client made of it, and how many times it took in the end: of Syncs, of requests.
    pub(super) fn play(mut self) -> (StrictClient, (usize, usize)) {
        loop {
            let next = self.due.iter().map(|(at, _)| *at).min().unwrap_or(u64::MAX);
            self.world.sleep(HOSTS, next, true);
            let now = self.world.now();
            if now > LENGTH + self.case.longer {
                self.world.end(HOSTS);
                let (syncs, requests) = self.taken();
                let late = (syncs - self.early.0, requests - self.early.1);
                return (self.client, late);
            }
            while let Some(at) = self.due.iter().position(|(at, _)| *at <= now) {
                let (_, what) = self.due.swap_remove(at);
                self.act(what, now);
            }
            self.hear(now);
        }
    }

    fn taken(&self) -> (usize, usize) {
        let client = &self.client;
        (client.sync_residuals.len(), client.request_residuals.len())
    }

    fn hear(&mut self, now: u64) {
        if now < LATE + self.case.longer {
            self.early = self.taken();
        }
        while let Some(frame) = self.world.receive(HOSTS, Side::Up) {
            let message = read(&frame);
            if message.kind == Kind::DelayReq {
                let think = self.world.random(0..self.case.thinks);
                self.due.push((now + think, Due::Response(message)));
            }
        }
        while let Some(frame) = self.world.receive(HOSTS, Side::Down) {
            self.client.hears(&read(&frame));
        }
    }

    fn act(&mut self, what: Due, now: u64) {
        match what {
            Due::Announce => {
                self.send(Side::Up, Kind::Announce, Station::MASTER, now, |draft| {
                    draft
                });
                self.due.push((now + 1_000 * MS, Due::Announce));
            }
            Due::Sync => {
                let sequence = self.sync;
                self.sync += 1;
                let time = i64::try_from(now).unwrap();
                self.send(Side::Up, Kind::Sync, Station::MASTER, now, |draft| {
                    draft.sequence(sequence).timestamp(time)
                });
                if !self.case.one_step {
                    let think = self.world.random(0..self.case.thinks);
                    self.due.push((now + think, Due::FollowUp(sequence, now)));
                }
                self.due.push((now + SYNC, Due::Sync));
            }
            Due::FollowUp(sequence, origin) => {
                let origin = i64::try_from(origin).unwrap();
                self.send(Side::Up, Kind::FollowUp, Station::MASTER, now, |draft| {
                    draft.sequence(sequence).timestamp(origin)
                });
            }
            Due::Request(client) => {
                let sequence = self.requests[usize::from(client)];
                self.requests[usize::from(client)] += 1;
                let station = Station::client(client.into());
                self.send(Side::Down, Kind::DelayReq, station, now, |draft| {
                    draft.sequence(sequence)
                });
                self.client
                    .asked(client, sequence, i64::try_from(now).unwrap());
                let gap = self.world.random(25 * MS..75 * MS);
                self.due.push((now + gap, Due::Request(client)));
            }
            Due::Response(request) => {
                let client = request.source.unwrap();
                self.send(Side::Up, Kind::DelayResp, Station::MASTER, now, |draft| {
                    let draft = draft.sequence(request.sequence).timestamp(request.at);
                    draft.requesting(client.identity())
                });
            }
        }
    }

    fn send(
        &self,
        segment: Side,
        kind: Kind,
        from: Station,
        now: u64,
        patch: impl FnOnce(Draft<'_>) -> Draft<'_>,
    ) {
        let flags = if kind == Kind::Sync && !self.case.one_step {
            TWO_STEP
        } else {
            0
        };
        let mut bytes = [0; CAPACITY];
        let template = Template::new(ETHERNET, kind, from);
        let template = if kind == Kind::Sync {
            template.flags(flags)
        } else {
            template
        };
        let len = patch(template.draft(&mut bytes).unwrap()).finish();
        self.world.send(HOSTS, segment, &bytes[..len], now);
    }
}

fn read(frame: &Queued) -> Message {
    let Sight::Message(view) = View::of(&frame.bytes, ETHERNET) else {
        panic!("damaged");
    };
    Message::of(view, i64::try_from(frame.stamp).unwrap()).unwrap()
}
