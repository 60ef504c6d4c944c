//! The memory of clients, asked for before their frames are dealt with. Nothing is decided here.

use crate::Side;
use crate::core::clients::{ClientKey, Upcoming};
use crate::core::policy::Forwarder;
use crate::wire::{Frame, MessageType};

impl Forwarder {
    /// A frame from `side` comes soon: asks for where its client's row is written, if it is one of the many.
    pub fn prefetch_bucket(&mut self, side: Side, bytes: &[u8]) -> Option<Upcoming> {
        let frame = Frame::parse(bytes).ok()?;
        let identity = match (side, frame.message_type()) {
            (Side::Down, MessageType::DelayReq) => frame.port_identity(),
            (Side::Up, MessageType::DelayResp) => frame.requesting_port()?,
            _ => return None,
        };
        let lane = frame.lane();
        Some(self.clients.prefetch_bucket(ClientKey { identity, lane }))
    }

    /// The frame after the next is this client's: asks for its row and its slot.
    pub fn prefetch_row(&self, upcoming: Upcoming) {
        self.clients.prefetch_row(upcoming);
    }
}
