//! A client that takes time from whatever would fit: the strictest judge of two paths.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use ptpproxy_lab::lab::frames::Kind;

use crate::host::Message;
use crate::parallel::WRONG_NS;

/// Pairs Syncs with Follow_Ups and requests with answers as real clients do, and notes what each pair
/// would make of the time. All clocks are one, so what is left of a time after its correction is the
/// cable, and whatever the correction got wrong.
#[derive(Default)]
pub(crate) struct StrictClient {
    /// Syncs that no Follow_Up was taken for yet: receive stamp, correction.
    syncs: HashMap<u16, Vec<(i64, i64)>>,
    /// Follow_Ups that came first: origin, correction.
    follow_ups: HashMap<u16, (i64, i64)>,
    /// By how much one-step Syncs departed later than they say: the grandmaster's own error.
    late: HashMap<u16, i64>,
    /// Requests that are open: departure stamp, answered.
    requests: HashMap<(u16, u16), (i64, bool)>,
    /// What is left of each Sync's time on its way, in nanoseconds.
    pub(crate) sync_residuals: Vec<i64>,
    /// The same of each Delay_Req.
    pub(crate) request_residuals: Vec<i64>,
    /// Syncs heard, copies too.
    pub(crate) syncs_heard: u64,
    /// Times that are far off.
    pub(crate) far_off: Vec<FarOff>,
}

/// A time that is far off, and what it was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FarOff {
    /// A Sync or a Delay_Req.
    pub(crate) kind: Kind,
    /// Who asked; of a Sync 0.
    pub(crate) client: u16,
    pub(crate) sequence: u16,
    /// When it departed and arrived, as the messages say that the client goes by.
    pub(crate) departed: i64,
    pub(crate) arrived: i64,
    /// All that was taken out of its way.
    pub(crate) correction: i64,
}

impl FarOff {
    /// What is left of the time on its way.
    const fn residual(&self) -> i64 {
        self.arrived - self.departed - self.correction
    }
}

impl Display for FarOff {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (kind, off) = (self.kind, self.residual());
        let (client, sequence, correction) = (self.client, self.sequence, self.correction);
        write!(
            to,
            "{kind:?} {client}/{sequence}: {off} ns off, correction {correction} ns"
        )
    }
}

impl StrictClient {
    pub(crate) fn asked(&mut self, client: u16, sequence: u16, departed: i64) {
        self.requests.insert((client, sequence), (departed, false));
    }

    pub(crate) fn one_step_departed(&mut self, sequence: u16, late: i64) {
        self.late.insert(sequence, late);
    }

    pub(crate) fn hears(&mut self, message: &Message) {
        match message.kind {
            Kind::Sync => self.sync(message),
            Kind::FollowUp => self.follow_up(message),
            Kind::DelayResp => self.response(message),
            Kind::Announce | Kind::DelayReq | Kind::Signaling => {}
        }
    }

    /// A Sync that arrived then, its origin, and all that is taken out of its way.
    fn sync_taken(&mut self, sequence: u16, arrived: i64, origin: i64, correction: i64) {
        let late = self.late.get(&sequence).copied().unwrap_or_default();
        let time = FarOff {
            kind: Kind::Sync,
            client: 0,
            sequence,
            departed: origin + late,
            arrived,
            correction,
        };
        self.sync_residuals.push(time.residual());
        self.look(time);
    }

    fn look(&mut self, time: FarOff) {
        if time.residual().abs() >= WRONG_NS {
            self.far_off.push(time);
        }
    }

    fn sync(&mut self, message: &Message) {
        self.syncs_heard += 1;
        if !message.two_step {
            self.sync_taken(
                message.sequence,
                message.at,
                message.time,
                message.correction,
            );
            return;
        }
        if let Some((origin, correction)) = self.follow_ups.remove(&message.sequence) {
            let all = correction + message.correction;
            self.sync_taken(message.sequence, message.at, origin, all);
            return;
        }
        self.syncs
            .entry(message.sequence)
            .or_default()
            .push((message.at, message.correction));
    }

    /// One client keeps the first of two Syncs, another the last: a Follow_Up must suit both.
    fn follow_up(&mut self, message: &Message) {
        let Some(syncs) = self.syncs.remove(&message.sequence) else {
            self.follow_ups
                .insert(message.sequence, (message.time, message.correction));
            return;
        };
        for (at, correction) in syncs {
            let all = message.correction + correction;
            self.sync_taken(message.sequence, at, message.time, all);
        }
    }

    /// Only the first answer is taken.
    fn response(&mut self, message: &Message) {
        let Some(client) = message.requesting else {
            return;
        };
        let number = u16::try_from(client.number).unwrap_or(u16::MAX);
        let request = self.requests.get_mut(&(number, message.sequence));
        if let Some((departed, answered)) = request
            && !std::mem::replace(answered, true)
        {
            let time = FarOff {
                kind: Kind::DelayReq,
                client: number,
                sequence: message.sequence,
                departed: *departed,
                arrived: message.time,
                correction: message.correction,
            };
            self.request_residuals.push(time.residual());
            self.look(time);
        }
    }
}
