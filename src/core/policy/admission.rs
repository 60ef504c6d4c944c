//! Who becomes our client, and who stays.

use crate::Side;
use crate::core::clients::{ClientKey, SeenAbove};
use crate::core::event::Event;
use crate::core::policy::Forwarder;
use crate::core::settings::Settings;
use crate::core::verdict::Arrived;
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::{Address, Frame, Mac, MessageType, PortIdentity};

impl Forwarder {
    // Who may be our client.

    /// The sender's row in the client table. A new sender becomes our client, if it may be.
    pub(super) fn sender(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrived<'_>,
    ) -> Result<u32, Reason> {
        let key = ClientKey {
            identity: frame.port_identity(),
            lane: frame.lane(),
        };
        let addresses = (frame.source_mac(), frame.source());
        let Some(row) = self.clients.find(&key) else {
            let row = self.new_client(frame, key, addresses, arrival.now)?;
            let association = arrival.signature.association();
            self.clients.row(row)?.signed_by(association);
            return Ok(row);
        };
        let mut client = self.clients.row(row)?;
        // Nor does a known name let in who does not sign for it.
        arrival.signature.continues(client.association())?;
        // A known name does not let in an address that is not listed.
        let moved = client.addresses() != addresses;
        if moved && !allowed(&self.settings, key.identity, addresses) {
            return Err(Reason::NotAllowed);
        }
        if !client.is_listed() {
            if !self.still_allowed(row) {
                return Err(Reason::NotAllowed);
            }
            client = self.clients.row(row)?;
        }
        if moved {
            client.moved(addresses);
        }
        client.seen(arrival.now);
        client.signed_by(arrival.signature.association());
        Ok(row)
    }

    fn new_client(
        &mut self,
        frame: &Frame<'_>,
        key: ClientKey,
        addresses: (Mac, Address),
        now: Instant,
    ) -> Result<u32, Reason> {
        if !allowed(&self.settings, key.identity, addresses) {
            return Err(Reason::NotAllowed);
        }
        // What was seen upstream were Delay_Req: each type counts its own sequenceIds.
        let request =
            (frame.message_type() == MessageType::DelayReq).then_some(frame.sequence_id());
        match self.clients.seen_above(&key, request, now) {
            SeenAbove::No => {}
            SeenAbove::ThisRequest => {
                self.second_path_found(Side::Up, now);
                return Err(Reason::SecondPath);
            }
            // We stand by, and the other gateway forwards what it sends here.
            SeenAbove::Recently if self.paths.stands_by() => self.clients.stranger_moved(&key),
            // It lives upstream, as far as we know: either it has just moved, or somebody uses its name.
            SeenAbove::Recently => return Err(Reason::NotOurClient),
            SeenAbove::Before => {
                self.account.roamed();
                self.clients.stranger_moved(&key);
            }
        }
        let row = self
            .clients
            .insert(key, addresses, now)
            .map_err(|_| Reason::TableFull)?;
        if self.clients.len() == 1 {
            self.tell(Event::FirstClient(key.identity, key.lane));
        }
        Ok(row)
    }

    // Who stays.

    /// Whether a client may stay under the list in force; if not it is forgotten.
    fn still_allowed(&mut self, row: u32) -> bool {
        let Some((identity, mac, address)) = self.clients.who(row) else {
            return false;
        };
        if !allowed(&self.settings, identity, (mac, address)) {
            self.forget(row, Reason::NotAllowed);
            return false;
        }
        if let Ok(mut client) = self.clients.row(row) {
            client.listed();
        }
        true
    }

    /// Forgets a client; its request that waits is dropped for this reason.
    fn forget(&mut self, row: u32, reason: Reason) {
        if let Ok(mut client) = self.clients.row(row) {
            self.account.unanswered(client.close_requests());
        }
        if let Some(Some(frame)) = self.clients.remove(row) {
            self.drop_kept(frame, reason);
        }
    }

    /// When clients are to be looked at again for their silence, if nothing else happens before: in a large table more
    /// often than anything else may.
    #[must_use]
    pub fn next_sweep(&self) -> Option<Instant> {
        self.clients.next_sweep()
    }

    /// Looks at some clients: who was silent for too long is forgotten.
    pub(super) fn sweep(&mut self, now: Instant) {
        for _ in 0..self.clients.rows_to_check(now) {
            let Some(row) = self.clients.next_to_check() else {
                return;
            };
            self.check_client(row, now);
        }
    }

    fn check_client(&mut self, row: u32, now: Instant) {
        let Ok(client) = self.clients.row(row) else {
            return;
        };
        if !client.is_listed() && !self.still_allowed(row) {
            return;
        }
        let Ok(mut client) = self.clients.row(row) else {
            return;
        };
        self.account.unanswered(client.close_old_requests(now));
        if client.expired(now, self.settings.client_timeout) {
            self.forget(row, Reason::NotOurClient);
        }
    }

    // When the kernel's filter lets its answers in.

    /// From now on a new client's first request waits until [`Forwarder::admit`]: for loops that have the kernel drop
    /// what is not for our clients.
    pub const fn gate_new_clients(&mut self) {
        self.clients.gate();
    }

    /// The kernel lets in the answers to all clients of this version of the table.
    pub fn admit(&mut self, version: u64) {
        if self.paths.listening() {
            self.paths.admit_later(version);
            return;
        }
        while let Some(frame) = self.clients.admit(version) {
            self.hold.cut_short(frame, self.present);
            self.due(frame, self.present);
        }
    }
}

/// Whether the allow-list has this client.
fn allowed(settings: &Settings, identity: PortIdentity, (mac, address): (Mac, Address)) -> bool {
    let list = &settings.clients;
    list.is_empty() || list.matches(identity, mac, address)
}
