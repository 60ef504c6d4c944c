//! Asks for memory before it is needed.
//!
//! A client's row and its slot have gone cold by the time they are looked at again, and each costs a tenth
//! of a microsecond. What comes next is known a little ahead: the frames that wait in a ring. So their
//! clients' memory is asked for while others are dealt with, in two steps, since where a row is has to be
//! read from memory as well. Nothing is decided here.

use crate::Side;
use crate::core::clients::ClientKey;
use crate::core::forwarder::Forwarder;
use crate::core::table::KeyHash;
use crate::wire::{Frame, MessageType};

/// Whose a frame is that comes soon.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen(KeyHash);

impl Forwarder {
    /// A frame comes soon on `side`: asks for where its client's row is written, if it is of a kind of which
    /// there are many.
    pub fn foresee(&mut self, side: Side, bytes: &[u8]) -> Option<Foreseen> {
        let frame = Frame::parse(bytes).ok()?;
        let identity = match (side, frame.message_type()) {
            (Side::Down, MessageType::DelayReq) => frame.port_identity(),
            (Side::Up, MessageType::DelayResp) => frame.requesting_port()?,
            _ => return None,
        };
        let lane = frame.lane();
        Some(Foreseen(self.clients.foresee(ClientKey { identity, lane })))
    }

    /// Its frame is the next but one: asks for the client's row and slot.
    pub fn prefetch(&self, foreseen: Foreseen) {
        self.clients.prefetch_foreseen(foreseen.0);
    }
}
