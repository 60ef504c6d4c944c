//! What a simple port has to send.

use ptpproxy::engine::{Completion, Token};
use ptpproxy::reason::Reason;
use ptpproxy::time::Stamp;

/// One egress slot, the frames that wait for a kick, and what became of those before.
#[derive(Debug)]
pub struct Batch {
    slot: [u8; 2048],
    frames: Vec<(Vec<u8>, Option<Token>)>,
    done: Vec<Completion<'static>>,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            slot: [0; 2048],
            frames: Vec::new(),
            done: Vec::new(),
        }
    }
}

impl Batch {
    /// [`Port::slot`](ptpproxy::engine::Port::slot).
    pub fn slot(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.slot)
    }

    /// [`Port::commit`](ptpproxy::engine::Port::commit).
    pub fn commit(&mut self, len: usize, token: Option<Token>) {
        self.frames.push((self.slot[..len].to_vec(), token));
    }

    /// [`Port::queued`](ptpproxy::engine::Port::queued).
    #[must_use]
    pub fn queued(&self) -> usize {
        self.frames.len()
    }

    /// [`Port::take_back`](ptpproxy::engine::Port::take_back).
    pub fn take_back(&mut self) -> usize {
        let frames = self.frames.len();
        for token in self.frames.drain(..).filter_map(|(_, token)| token) {
            self.done.push(Completion::Unsent(token, Reason::Stale));
        }
        frames
    }

    /// All frames depart in their order, each at the moment that `depart` tells; how many.
    pub fn kick(&mut self, mut depart: impl FnMut(Vec<u8>) -> Stamp) -> usize {
        let sent = self.frames.len();
        for (bytes, token) in self.frames.drain(..) {
            let stamp = depart(bytes);
            self.done
                .extend(token.map(|token| Completion::Stamped(token, stamp)));
        }
        sent
    }

    /// [`Port::completions`](ptpproxy::engine::Port::completions).
    pub fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.done.drain(..).for_each(sink);
    }
}
