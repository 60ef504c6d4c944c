//! Signaling, the one message that passes both ways.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::policy::Forwarder;
use crate::core::verdict::{Arrived, Verdict};
use crate::reason::Reason;
use crate::telemetry::ClientMode;
use crate::time::Instant;
use crate::wire::tlv::UnicastKind;
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

    /// Notes what a client is granted; either side may cancel it.
    fn follow_grants(&mut self, frame: &Frame<'_>, client: u32, arrival: &Arrived<'_>) {
        for unicast in frame.unicast() {
            match unicast.kind {
                // What a client calls a grant is none; and one that is not renewed runs on to its end.
                UnicastKind::Grant if unicast.seconds > 0 && arrival.side == Side::Up => {
                    let span_ns = u64::from(unicast.seconds) * 1_000_000_000;
                    let until = arrival.now.plus_nanos(span_ns);
                    self.set_grant(client, unicast.message_type, Some(until), arrival.now);
                }
                UnicastKind::Cancel => {
                    self.set_grant(client, unicast.message_type, None, arrival.now);
                }
                UnicastKind::Grant | UnicastKind::Request | UnicastKind::AcknowledgeCancel => {}
            }
        }
    }

    /// Messages of a type are granted to a client until then; or no longer.
    fn set_grant(
        &mut self,
        client: u32,
        message: MessageType,
        until: Option<Instant>,
        now: Instant,
    ) {
        self.clients.slots().granted(client, message, until);
        if message == MessageType::Sync {
            match until {
                Some(until) => self.masters.sync_granted(client, until, now),
                None => self.masters.sync_cancelled(client),
            }
        }
    }
}
