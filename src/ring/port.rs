//! A real network port: a receive ring and a transmit ring on one interface.

use super::rx::RxRing;
use super::tx::{Done, TxRing};
use crate::engine::{Completion, KickReport, Port, Received, Token};

/// Both rings of one interface, as the loop sees them.
#[derive(Debug)]
pub struct PacketPort {
    /// Frames that come in.
    pub rx: RxRing,
    /// Frames that go out.
    pub tx: TxRing<Token>,
}

impl Port for PacketPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        self.rx.receive()
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        self.rx.peek(ahead)
    }

    fn prepare(&mut self) {
        self.tx.warm();
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        self.tx.slot()
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.tx.commit(len, token);
    }

    fn queued(&self) -> usize {
        self.tx.queued()
    }

    fn holds_frames(&mut self) -> bool {
        self.tx.holds_frames()
    }

    fn take_back(&mut self) -> usize {
        self.tx.take_back()
    }

    fn batches_apart(&self) -> bool {
        self.tx.stamps_by_hardware()
    }

    fn kick(&mut self) -> KickReport {
        self.tx.kick()
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.tx.completions(&mut |done| {
            sink(match done {
                Done::Stamped(token, stamp) => Completion::Stamped(token, stamp),
                Done::Software(token, stamp) => Completion::Software(token, stamp),
                Done::Unsent(token, reason) => Completion::Unsent(token, reason),
            });
        });
    }
}
