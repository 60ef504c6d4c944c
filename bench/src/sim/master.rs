//! A grandmaster.

use ptpproxy::wire::MessageType;

use super::frame::{Station, Template, Way};
use super::mode::Mode;
use super::oscillator::Oscillator;

/// How a grandmaster behaves.
#[derive(Clone, Copy, Debug)]
pub struct MasterModel {
    /// Its rate against true time, in parts per million.
    pub ppm: f64,
    /// Its reading at true time 0.
    pub reading_ns: i64,
    /// Follow_Ups carry the time.
    pub two_step: bool,
    /// Time between two Syncs.
    pub sync_interval_ns: u64,
    /// Of its first Sync.
    pub first_sequence_id: u16,
    /// A Follow_Up leaves this much after its Sync; before it, if negative.
    pub follow_up_ns: i64,
    /// Share of Follow_Ups that it forgets to send.
    pub follow_up_lost: f64,
    /// It sends Follow_Ups also where its Syncs are one-step.
    pub stray_follow_ups: bool,
    /// Time until it answers a Delay_Req.
    pub answer_ns: u64,
    /// When it starts and ends.
    pub active_ns: (u64, u64),
    /// domainNumber.
    pub domain: u8,
}

impl Default for MasterModel {
    fn default() -> Self {
        Self {
            ppm: 0.0,
            reading_ns: 1_800_000_000_000_000_000,
            two_step: true,
            sync_interval_ns: 125_000_000,
            first_sequence_id: 0,
            follow_up_ns: 30_000,
            follow_up_lost: 0.0,
            stray_follow_ups: false,
            answer_ns: 20_000,
            active_ns: (0, u64::MAX),
            domain: 0,
        }
    }
}

/// A grandmaster.
#[derive(Debug)]
pub struct Master {
    /// How it behaves.
    pub model: MasterModel,
    /// Its clock.
    pub clock: Oscillator,
    /// True times at which Delay_Req came.
    pub requests: Vec<u64>,
    pub(super) signs: bool,
    pub(super) sequence_id: u16,
    pub(super) syncs: Vec<Template>,
    pub(super) follow_ups: Vec<Template>,
    pub(super) announces: Vec<Template>,
}

impl Master {
    /// Master number `number`; in unicast it sends to each of `clients`, by the way of each.
    #[must_use]
    pub(super) fn new(
        model: MasterModel,
        number: u32,
        mode: Mode,
        ways: &[Way],
        clients: u32,
    ) -> Self {
        let from = Station::master(number);
        let ends: Vec<(Way, Option<Station>)> = if mode == Mode::Unicast {
            (0..clients)
                .map(|client| {
                    let way = ways[client as usize % ways.len()];
                    (way, Some(Station::client(client)))
                })
                .collect()
        } else {
            ways.iter().map(|&way| (way, None)).collect()
        };
        let to_each = |message| -> Vec<Template> {
            ends.iter()
                .map(|&(way, to)| Template::new(message, way, model.domain, from, to))
                .collect()
        };
        let mut syncs = to_each(MessageType::Sync);
        if model.two_step {
            syncs = syncs.into_iter().map(Template::two_step).collect();
        }
        Self {
            model,
            clock: Oscillator::new(model.reading_ns, model.ppm),
            requests: Vec::new(),
            signs: false,
            sequence_id: model.first_sequence_id,
            syncs,
            follow_ups: to_each(MessageType::FollowUp),
            announces: to_each(MessageType::Announce),
        }
    }

    /// The most Delay_Req of clients below that came within `span_ns`, from true time `from` on.
    #[must_use]
    pub fn busiest(&self, from: u64, span_ns: u64) -> usize {
        let start = self.requests.partition_point(|&at| at < from);
        let times = self.requests.get(start..).unwrap_or_default();
        let mut first = 0;
        let mut busiest = 0;
        for (at, &time) in times.iter().enumerate() {
            while times[first] + span_ns <= time {
                first += 1;
            }
            busiest = busiest.max(at - first + 1);
        }
        busiest
    }
}
