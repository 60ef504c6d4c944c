//! What masters and clients do when their moment comes.

use ptpproxy::wire::{Frame, MessageType};

use super::{FOREIGN_INTERVAL_NS, From, What, World};
use crate::sim::client::Plan;
use crate::sim::frame::{Station, Template, Way};
use crate::sim::link::{below, happens};

impl World {
    pub(super) fn tick(&mut self, at: u64, number: u32) {
        let from = From::Master(number);
        let master = &mut self.masters[number as usize];
        let model = master.model;
        if at >= model.active_ns.1 {
            return;
        }
        let sequence_id = master.sequence_id;
        master.sequence_id = sequence_id.wrapping_add(1);
        let early = model.follow_up_ns.min(0).unsigned_abs();
        let origin = master.clock.read(at + early);
        for end in 0..self.masters[number as usize].syncs.len() {
            let forgotten = happens(&mut self.rng, model.follow_up_lost);
            if (model.two_step || model.stray_follow_ups) && !forgotten {
                let template = &self.masters[number as usize].follow_ups[end];
                let mut bytes = self.buffers.copy(&template.bytes);
                template.fill(&mut bytes, sequence_id, origin);
                let frame = self.keep(bytes);
                let when = (at + early).saturating_add_signed(model.follow_up_ns);
                self.at(when, What::Leave(from, frame));
            }
            let template = &self.masters[number as usize].syncs[end];
            let mut bytes = self.buffers.copy(&template.bytes);
            let time = if model.two_step { 0 } else { origin };
            template.fill(&mut bytes, sequence_id, time);
            let frame = self.keep(bytes);
            self.at(at + early, What::Leave(from, frame));
        }
        self.at(at + model.sync_interval_ns, What::Tick(number));
    }

    pub(super) fn announce(&mut self, at: u64, number: u32) {
        let master = &self.masters[number as usize];
        if at >= master.model.active_ns.1 {
            return;
        }
        for end in 0..self.masters[number as usize].announces.len() {
            let template = &self.masters[number as usize].announces[end];
            let mut bytes = self.buffers.copy(&template.bytes);
            template.fill(&mut bytes, 0, 0);
            self.spread(at, From::Master(number), &bytes);
            self.buffers.give(bytes);
        }
        self.at(at + 1_000_000_000, What::Announce(number));
    }

    pub(super) fn at_master(&mut self, at: u64, number: usize, frame: u32) {
        let bytes = self.take(frame);
        let master = &mut self.masters[number];
        let (from, until) = master.model.active_ns;
        if let Ok(request) = Frame::parse(&bytes)
            && request.message_type() == MessageType::DelayReq
            && (from..until).contains(&at)
            && (request.is_multicast() || Station::addressed(request.destination()) == number)
        {
            if Station::client_number(request.port_identity()).is_some() {
                master.requests.push(at);
            }
            let answer = self.answer(number, &request, at);
            let frame = self.keep(answer);
            let when = at + self.masters[number].model.answer_ns;
            self.at(when, What::Leave(From::Master(number as u32), frame));
        }
        self.buffers.give(bytes);
    }

    fn answer(&self, number: usize, request: &Frame<'_>, at: u64) -> Vec<u8> {
        let master = &self.masters[number];
        let station = Station::master(number as u32);
        let to = (!request.is_multicast())
            .then(|| Station::of(request.port_identity()))
            .flatten();
        let way = Way {
            transport: request.lane().transport(),
            vlan: request.lane().vlans()[0].unwrap_or(0),
        };
        let make = if master.signs {
            Template::signed
        } else {
            Template::new
        };
        let domain = master.model.domain;
        let template = make(MessageType::DelayResp, way, domain, station, to);
        let mut bytes = self.buffers.copy(&template.bytes);
        template.answer(&mut bytes, request, master.clock.read(at));
        bytes
    }

    pub(super) fn ask(&mut self, at: u64, number: u32) {
        if at >= self.scenario.clients.stop_ns {
            return;
        }
        let client = &mut self.clients[number as usize];
        let mut bytes = self.buffers.copy(&client.template.bytes);
        client.ask(at, &mut bytes);
        let leaves = at + client.cable_ns;
        let frame = self.keep(bytes);
        self.at(leaves, What::Leave(From::Below, frame));
        let gap = match self.scenario.clients.plan {
            Plan::AfterSync(_) => return,
            Plan::Random(mean) => below(&mut self.rng, 2 * mean),
            Plan::Steady(interval) => interval,
        };
        self.at(at + gap, What::Ask(number));
    }

    pub(super) fn ask_above(&mut self, at: u64, number: u32) {
        let (template, sequence_id) = &mut self.foreign[number as usize];
        let mut bytes = self.buffers.copy(&template.bytes);
        template.fill(&mut bytes, *sequence_id, 0);
        *sequence_id = sequence_id.wrapping_add(1);
        self.spread(at, From::Above, &bytes);
        self.buffers.give(bytes);
        self.at(at + FOREIGN_INTERVAL_NS, What::AskAbove(number));
    }

    pub(super) fn at_clients(&mut self, at: u64, frame: u32) {
        let bytes = self.take(frame);
        if let Ok(heard) = Frame::parse(&bytes) {
            match heard.message_type() {
                MessageType::DelayResp => self.response(at, &heard),
                MessageType::Sync | MessageType::FollowUp => self.time(at, &heard),
                _ => {}
            }
        }
        self.buffers.give(bytes);
    }

    fn time(&mut self, at: u64, heard: &Frame<'_>) {
        let Some(number) = Station::master_number(heard.port_identity()) else {
            return;
        };
        let (first, step, end) = if heard.is_multicast() {
            let ways = &self.scenario.ways;
            let lane = heard.lane();
            let Some(way) = ways.iter().position(|way| {
                way.transport == lane.transport() && way.vlan == lane.vlans()[0].unwrap_or(0)
            }) else {
                return;
            };
            (way, ways.len(), self.clients.len())
        } else {
            let client = Station::addressed(heard.destination());
            (client, 1, (client + 1).min(self.clients.len()))
        };
        let links = self.scenario.up_link.delay_ns + self.scenario.down_link.delay_ns;
        let sync = heard.message_type() == MessageType::Sync;
        for client in (first..end).step_by(step) {
            let cable = self.clients[client].cable_ns;
            let master = (number, &self.masters[number].clock);
            self.clients[client].hear(heard, at + cable, master, links + cable);
            if let (true, Plan::AfterSync(within)) = (sync, self.scenario.clients.plan) {
                let when = at + cable + below(&mut self.rng, within);
                self.at(when, What::Ask(client as u32));
            }
        }
    }

    fn response(&mut self, at: u64, heard: &Frame<'_>) {
        let (Some(client), Some(master)) = (
            heard.requesting_port().and_then(Station::client_number),
            Station::master_number(heard.port_identity()),
        ) else {
            return;
        };
        let links = self.scenario.up_link.delay_ns + self.scenario.down_link.delay_ns;
        let accept = self.scenario.clients.accept;
        let client = &mut self.clients[client];
        let cable = client.cable_ns;
        let clock = &self.masters[master].clock;
        client.answered(heard, at + cable, accept, clock, links + cable);
    }
}
