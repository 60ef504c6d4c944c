//! Signaling, the one message that passes both ways.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::policy::Forwarder;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::telemetry::ClientMode;
use crate::wire::tlv::{Unicast, UnicastKind};
use crate::wire::{ClockIdentity, Frame, MessageType, PortIdentity};

impl Forwarder {
    pub(super) fn signaling_to_client(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        let target = frame.target_port().ok_or(Reason::BadLength)?;
        self.check_echo(frame, arrival)?;
        if target.clock == ClockIdentity::ALL {
            return Ok(arrival.forward());
        }
        if target.port == PortIdentity::EVERY_PORT {
            return if self.clients.knows_clock(target.clock, frame.lane()) {
                Ok(arrival.forward())
            } else {
                Err(Reason::NotOurClient)
            };
        }
        let key = ClientKey {
            identity: target,
            lane: frame.lane(),
        };
        let row = self.clients.find(&key).ok_or(Reason::NotOurClient)?;
        let association = self.clients.row(row)?.association();
        arrival.signature.continues(association)?;
        if let Some(grant) = frame.unicast_grant() {
            let span_ns = u64::from(grant.seconds) * 1_000_000_000;
            let until = arrival.now.plus_nanos(span_ns);
            self.clients.row(row)?.granted(until);
        }
        self.follow_grants(frame, row, arrival);
        self.master_has_address(frame, arrival.now);
        Ok(arrival.forward())
    }

    pub(super) fn signaling_from_client(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<Verdict, Reason> {
        self.check_echo(frame, arrival)?;
        let row = self.sender(frame, arrival)?;
        let mut client = self.clients.row(row)?;
        if client.may_send(arrival.now, self.settings.client_rate) {
            if frame
                .unicast()
                .any(|unicast| unicast.kind == UnicastKind::Request)
            {
                client.asks(ClientMode::Unicast);
            }
            self.follow_grants(frame, row, arrival);
            self.client_has_address(frame, arrival.now);
            Ok(arrival.forward())
        } else {
            Err(Reason::ClientRate)
        }
    }

    /// Notes what becomes of a client's unicast Sync; either side may cancel it.
    fn follow_grants(&mut self, frame: &Frame<'_>, client: u32, arrival: &Arrived<'_>) {
        let now = arrival.now;
        let of_sync = |unicast: &Unicast| unicast.message_type == MessageType::Sync;
        for unicast in frame.unicast().filter(of_sync) {
            match unicast.kind {
                // What a client calls a grant is none.
                UnicastKind::Grant if unicast.seconds > 0 && arrival.side == Side::Up => {
                    let span_ns = u64::from(unicast.seconds) * 1_000_000_000;
                    self.masters
                        .sync_granted(client, now.plus_nanos(span_ns), now);
                }
                UnicastKind::Cancel => self.masters.sync_cancelled(client),
                UnicastKind::Grant | UnicastKind::Request | UnicastKind::AcknowledgeCancel => {}
            }
        }
    }
}
