//! Management: questions pass by the policy, their answers find the way back, and metadata comes down.

use crate::core::forwarder::Forwarder;
use crate::core::from_down::forward;
use crate::core::settings::ManagementPolicy;
use crate::core::verdict::{Arrival, Verdict};
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Frame, Lane, PortIdentity, tlv};

const CAPACITY: usize = 256;
const LIFE_NS: u64 = 2_000_000_000;

/// What an answer shares with its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ManagementKey {
    /// The station that asked.
    pub(crate) station: PortIdentity,
    pub(crate) sequence_id: u16,
    pub(crate) domain: u8,
    pub(crate) lane: Lane,
}

/// The last requests; an answer may come from many ports, so that a request stays open for its time.
pub(crate) struct OpenManagement {
    requests: Vec<(Instant, ManagementKey)>,
    next: usize,
}

impl OpenManagement {
    pub(crate) fn new() -> Self {
        Self {
            requests: Vec::with_capacity(CAPACITY),
            next: 0,
        }
    }

    pub(crate) fn open(&mut self, key: ManagementKey, now: Instant) {
        if self.requests.len() < CAPACITY {
            self.requests.push((now, key));
        } else {
            self.requests[self.next] = (now, key);
            self.next = (self.next + 1) % CAPACITY;
        }
    }

    pub(crate) fn is_open(&self, key: &ManagementKey, now: Instant) -> bool {
        self.requests.iter().any(|(since, open)| {
            open == key && now.as_nanos().saturating_sub(since.as_nanos()) < LIFE_NS
        })
    }
}

/// Management requests a second that pass, and those to everybody.
const MANAGEMENT_RATE: u32 = 100;
const ALL_ONES_RATE: u32 = 1;
/// Messages of metadata a second that pass: each master sends one a second, and one more at a change.
const METADATA_RATE: u32 = 20;

/// managementAction values (15.4.1.6).
mod action {
    pub(super) const GET: u8 = 0;
    pub(super) const SET: u8 = 1;
    pub(super) const RESPONSE: u8 = 2;
    pub(super) const COMMAND: u8 = 3;
    pub(super) const ACKNOWLEDGE: u8 = 4;
}

impl Forwarder {
    pub(super) fn management_from_below(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Verdict {
        let may_pass = matches!(
            (frame.management_action(), self.settings.management),
            (
                Some(action::GET),
                ManagementPolicy::Get | ManagementPolicy::All
            ) | (Some(action::SET | action::COMMAND), ManagementPolicy::All)
        );
        // Metadata only comes down; if a second path could bring it up again, it would go round for ever.
        if !may_pass || is_metadata(frame) {
            return Verdict::Drop(Reason::Management);
        }
        let now = arrival.now;
        let to_all = frame
            .target_port()
            .is_some_and(|target| target.clock == PortIdentity::ALL.clock);
        if !self.management_bucket.take(now, MANAGEMENT_RATE)
            || to_all && !self.all_ones_bucket.take(now, ALL_ONES_RATE)
        {
            return Verdict::Drop(Reason::ManagementRate);
        }
        let key = ManagementKey {
            station: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            lane: frame.lane(),
        };
        self.management.open(key, now);
        forward(arrival)
    }

    pub(super) fn management_from_above(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<Verdict, Reason> {
        if is_metadata(frame) {
            self.allowed_master(frame, arrival.now)?;
            return if self.metadata_bucket.take(arrival.now, METADATA_RATE) {
                Ok(forward(arrival))
            } else {
                Err(Reason::ManagementRate)
            };
        }
        if !matches!(
            frame.management_action(),
            Some(action::RESPONSE | action::ACKNOWLEDGE)
        ) {
            return Err(Reason::Management);
        }
        let key = ManagementKey {
            station: frame.target_port().ok_or(Reason::BadLength)?,
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            lane: frame.lane(),
        };
        if self.management.is_open(&key, arrival.now) {
            Ok(forward(arrival))
        } else {
            Err(Reason::ManagementUnsolicited)
        }
    }
}

/// Whether it is a COMMAND to all that commands nothing: ORGANIZATION_EXTENSION TLVs alone, by which a profile's
/// master tells everybody what its time stands for (SMPTE ST 2059-2, synchronization metadata).
fn is_metadata(frame: &Frame<'_>) -> bool {
    let extends = |(kind, _): (u16, &[u8])| kind == tlv::ORGANIZATION_EXTENSION;
    let mut tlvs = frame.tlvs();
    frame.management_action() == Some(action::COMMAND)
        && frame.target_port() == Some(PortIdentity::ALL)
        && tlvs.next().is_some_and(extends)
        && tlvs.all(extends)
        && !tlvs.malformed()
}
