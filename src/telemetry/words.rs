//! Values to words and back: what is written first is read first.

use std::time::Duration;

use crate::time::Instant;
use crate::wire::{ClockIdentity, PortIdentity};

/// Where words go.
pub(crate) trait Put {
    /// One word.
    fn put(&mut self, word: u64);

    /// A truth.
    fn put_bool(&mut self, value: bool) {
        self.put(u64::from(value));
    }

    /// A time of up to 584 years.
    fn put_duration(&mut self, value: Duration) {
        self.put(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Up to 15 octets of text and its length: an interface's name (IFNAMSIZ). The rest is cut off.
    fn put_name(&mut self, name: &str) {
        let mut octets = [0_u8; 16];
        for (to, from) in octets.iter_mut().zip(name.bytes().take(15)) {
            *to = from;
        }
        let [a, b] = halves(u128::from_be_bytes(octets));
        self.put(a);
        self.put(b);
    }

    /// A portIdentity.
    fn put_port(&mut self, port: PortIdentity) {
        self.put(u64::from_be_bytes(port.clock.0));
        self.put(u64::from(port.port));
    }
}

impl Put for Vec<u64> {
    fn put(&mut self, word: u64) {
        self.push(word);
    }
}

/// Where words come from; beyond the last there are zeroes.
pub(crate) struct Take<'a>(pub(crate) std::slice::Iter<'a, u64>);

impl Take<'_> {
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next().copied().unwrap_or(0)
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::try_from(self.word()).unwrap_or(u32::MAX)
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.word() != 0
    }

    pub(crate) fn instant(&mut self) -> Instant {
        Instant::from_nanos(self.word())
    }

    pub(crate) fn duration(&mut self) -> Duration {
        Duration::from_nanos(self.word())
    }

    pub(crate) fn clock(&mut self) -> ClockIdentity {
        ClockIdentity(self.word().to_be_bytes())
    }

    pub(crate) fn port(&mut self) -> PortIdentity {
        let clock = self.clock();
        PortIdentity {
            clock,
            port: u16::try_from(self.word()).unwrap_or(u16::MAX),
        }
    }

    pub(crate) fn name(&mut self) -> String {
        let octets = (u128::from(self.word()) << 64 | u128::from(self.word())).to_be_bytes();
        let len = octets.iter().position(|&octet| octet == 0).unwrap_or(16);
        String::from_utf8_lossy(octets.get(..len).unwrap_or_default()).into_owned()
    }
}

/// The upper and the lower half.
#[expect(clippy::cast_possible_truncation, reason = "split in halves")]
pub(super) const fn halves(value: u128) -> [u64; 2] {
    [(value >> 64) as u64, value as u64]
}
