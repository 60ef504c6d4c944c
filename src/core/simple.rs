//! Requests of simple PTP (SPTP) that are open. Such a Delay_Req, unicast, is answered by a Sync, whose originTimestamp is
//! T4 of the request, and by an Announce with T1 of that Sync and the correctionField that the request arrived with.
//! There is no Follow_Up and no Delay_Resp.
//!
//! Neither answer names the port that asked: both are found by the two addresses and the sequenceId.

use crate::core::refs::ClientRef;
use crate::core::state::{Reader, StateError, Writer};

/// Requests remembered at once: a power of two. Each is answered within milliseconds.
const CELLS: usize = 1024;

/// The last requests, by a keyed hash of what their answers share with them; a newer one takes the cell of an older
/// one.
pub(crate) struct SimpleRequests {
    cells: Box<[Option<(u64, ClientRef)>]>,
    any: bool,
}

impl SimpleRequests {
    pub(crate) fn new() -> Self {
        Self {
            cells: vec![None; CELLS].into_boxed_slice(),
            any: false,
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        let asked: Vec<_> = self.cells.iter().flatten().collect();
        out.all(asked.into_iter());
        out.put(&self.any);
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.all(CELLS, "requests of simple PTP", |(hash, client)| {
            self.asked(hash, client);
            Ok(())
        })?;
        self.any = from.take()?;
        Ok(())
    }

    /// Whether somebody ever asked so.
    pub(crate) const fn any(&self) -> bool {
        self.any
    }

    /// A client asks.
    pub(crate) fn asked(&mut self, hash: u64, client: ClientRef) {
        self.any = true;
        self.cells[cell(hash)] = Some((hash, client));
    }

    /// Who asked. Its request may be open no longer.
    pub(crate) fn who(&self, hash: u64) -> Option<ClientRef> {
        let (asked, client) = self.cells[cell(hash)]?;
        (asked == hash).then_some(client)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest bits choose the cell"
)]
const fn cell(hash: u64) -> usize {
    hash as usize & (CELLS - 1)
}
