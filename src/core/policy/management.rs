//! Management: requests pass by the policy, their answers find the way back, and metadata goes downstream.

use crate::core::open_management::ManagementKey;
use crate::core::policy::Forwarder;
use crate::core::settings::ManagementPolicy;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::wire::{Frame, PortIdentity, tlv};

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
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        let may_pass = matches!(
            (frame.management_action(), self.settings.management),
            (
                Some(action::GET),
                ManagementPolicy::Get | ManagementPolicy::All
            ) | (Some(action::SET | action::COMMAND), ManagementPolicy::All)
        );
        // Metadata only goes downstream. If a second path could bring it up again, it would go round for ever.
        if !may_pass || is_metadata(frame) {
            return Err(Reason::Management);
        }
        self.check_echo(frame, arrival)?;
        let now = arrival.now;
        let to_all = frame
            .target_port()
            .is_some_and(|target| target.clock == PortIdentity::ALL.clock);
        if !self.management.may_ask(to_all, now) {
            return Err(Reason::ManagementRate);
        }
        let key = ManagementKey {
            station: frame.port_identity(),
            sequence_id: frame.sequence_id(),
            domain: frame.domain(),
            lane: frame.lane(),
        };
        self.management.open(key, now);
        Ok(arrival.forward())
    }

    pub(super) fn management_from_above(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        if is_metadata(frame) {
            self.allowed_master(frame, arrival.now)?;
            self.check_echo(frame, arrival)?;
            return if self.management.metadata_may_pass(arrival.now) {
                Ok(arrival.forward())
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
        if !self.management.is_open(&key, arrival.now) {
            return Err(Reason::ManagementUnsolicited);
        }
        self.check_echo(frame, arrival)?;
        Ok(arrival.forward())
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
