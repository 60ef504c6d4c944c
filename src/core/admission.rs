//! Who becomes our client, and who may stay.

use crate::Side;
use crate::core::clients::{Client, ClientKey};
use crate::core::event::Event;
use crate::core::foreign::HeardAbove;
use crate::core::forwarder::Forwarder;
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::wire::{Address, Frame, Mac, MessageType, PortIdentity};

impl Forwarder {
    /// The sender's row in the client table; a new one is admitted if it may be.
    pub(super) fn client_row(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<u32, Reason> {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let now = arrival.now;
        if let Some(row) = self.clients.find(&key) {
            let Some((client, slot)) = self.clients.with_slot(row) else {
                return Err(Reason::NotOurClient);
            };
            // A known name does not let in an address that is not listed.
            let moved = slot.addresses() != (frame.source_mac(), frame.source());
            let listed_anew = client.listed != self.lists;
            if moved && !self.allowed(key.identity, frame.source_mac(), frame.source())
                || listed_anew && !self.still_allowed(row)
            {
                return Err(Reason::NotAllowed);
            }
            if let Some(slot) = self.clients.slots().slot(row) {
                slot.seen(now);
            }
            return Ok(row);
        }
        if !self.allowed(key.identity, frame.source_mac(), frame.source()) {
            return Err(Reason::NotAllowed);
        }
        // What was heard above were Delay_Req: each type counts its own sequenceIds.
        let request =
            (frame.message_type() == MessageType::DelayReq).then_some(frame.sequence_id());
        match self.foreign.recall(&key, request, now) {
            HeardAbove::No => {}
            HeardAbove::ThisRequest => {
                self.second_path_found(Side::Up, now);
                return Err(Reason::SecondPath);
            }
            // It lives above, as far as we know: either it has just moved, or somebody uses its name.
            HeardAbove::Recently => return Err(Reason::NotOurClient),
            HeardAbove::Before => {
                self.counters.roamed += 1;
                self.foreign.forget(&key);
            }
        }
        let mut client = Client::new(now);
        client.listed = self.lists;
        let addresses = (frame.source_mac(), frame.source());
        let row = self
            .clients
            .insert(key, client, addresses, now)
            .map_err(|_| Reason::TableFull)?;
        if self.clients.len() == 1 {
            self.tell(Event::FirstClient(key.identity, key.lane));
        }
        Ok(row)
    }

    pub(super) fn allowed(&self, identity: PortIdentity, from: Mac, source: Address) -> bool {
        let list = &self.settings.clients;
        list.is_empty() || list.matches(identity, from, source)
    }
}
