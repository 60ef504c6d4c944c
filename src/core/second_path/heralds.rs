//! The last Announce of each master. Sent once more by a gateway that takes over, it tells the other gateway that there is
//! one here before the first event message does, and switches where that master is now. To clients it says nothing new.

use std::time::Duration;

use crate::core::masters::MasterKey;
use crate::core::state::{Reader, StateError, Writer};
use crate::time::Instant;
use crate::wire::{Frame, Lane, Mac};

/// Masters whose Announce is kept.
const MASTERS: usize = 8;
/// A longer Announce is not kept.
const LONGEST: usize = 256;
/// For so long clients rely on an Announce, or for three of its intervals (announceReceiptTimeout).
const VALID: Duration = Duration::from_secs(3);
/// A master that was not heard for so long is not looked for any more.
const REMEMBERED: Duration = Duration::from_secs(300);

/// See the module.
pub(crate) struct Heralds {
    /// The latest is the last.
    known: Vec<Herald>,
}

struct Herald {
    key: MasterKey,
    lane: Lane,
    mac: Mac,
    at: Instant,
    /// Until when the Announce may be sent again; `None` of one to a single station.
    valid: Option<Instant>,
    len: usize,
    bytes: [u8; LONGEST],
}

/// What tells of a master.
pub(crate) enum Sign<'a> {
    /// Its Announce.
    Announce(&'a [u8]),
    /// No more than where it is.
    Address(Mac, Lane),
}

impl Heralds {
    /// All memory is reserved here.
    pub(crate) fn new() -> Self {
        Self {
            known: Vec::with_capacity(MASTERS),
        }
    }

    /// Writes them.
    pub(crate) fn save(&self, out: &mut Writer) {
        out.all(self.known.iter().map(|herald| {
            let bytes = herald.bytes.get(..herald.len).unwrap_or_default();
            (
                herald.key,
                herald.lane,
                herald.mac,
                herald.at,
                herald.valid,
                bytes,
            )
        }));
    }

    /// Reads them, where there are none yet.
    pub(crate) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        type Saved = (MasterKey, Lane, Mac, Instant, Option<Instant>, Vec<u8>);
        from.all(MASTERS, "Announces", |saved: Saved| {
            let (key, lane, mac, at, valid, said) = saved;
            let mut bytes = [0; LONGEST];
            let room = bytes.get_mut(..said.len());
            room.ok_or(StateError::Nonsense("Announces"))?
                .copy_from_slice(&said);
            self.known.push(Herald {
                key,
                lane,
                mac,
                at,
                valid,
                len: said.len(),
                bytes,
            });
            Ok(())
        })
    }

    /// Keeps an Announce that may pass, as it leaves.
    pub(crate) fn keep(&mut self, frame: &Frame<'_>, leaves: &dyn Fn(&mut [u8]), now: Instant) {
        let key = MasterKey::of(frame);
        let bytes = frame.bytes();
        // Nobody announces less often than each 16 s; 0x7F says nothing.
        let interval = match frame.log_message_interval() {
            log @ 0..=4 => Duration::from_secs(1 << log),
            _ => Duration::ZERO,
        };
        let fits = bytes.len() <= LONGEST && frame.is_multicast();
        let mut herald = Herald {
            key,
            lane: frame.lane(),
            mac: frame.source_mac(),
            at: now,
            valid: fits.then(|| now + VALID.max(3 * interval)),
            len: if fits { bytes.len() } else { 0 },
            bytes: [0; LONGEST],
        };
        if let Some(room) = herald.bytes.get_mut(..herald.len)
            && fits
        {
            room.copy_from_slice(bytes);
            leaves(room);
        }
        match self.known.iter().position(|known| known.key == key) {
            Some(at) => drop(self.known.remove(at)),
            None if self.known.len() == MASTERS => drop(self.known.remove(0)),
            None => {}
        }
        self.known.push(herald);
    }

    /// What tells of the masters that are still there, the latest first; `None` after the last.
    pub(crate) fn sign(&self, nth: usize, now: Instant) -> Option<Sign<'_>> {
        let herald = self.known.iter().rev().nth(nth)?;
        if now.since(herald.at) > REMEMBERED {
            return None;
        }
        let bytes = herald.bytes.get(..herald.len)?;
        Some(match herald.valid {
            Some(until) if now <= until => Sign::Announce(bytes),
            _ => Sign::Address(herald.mac, herald.lane),
        })
    }
}
