//! Values as words and back: what is written first is read first.
//!
//! [`record!`] describes a record once: its fields, what writes them and what reads them.

use std::net::IpAddr;
use std::time::Duration;

use crate::reason::Reason;
use crate::side::PerSide;
use crate::time::Instant;
use crate::wire::{Announce, ClockIdentity, ClockQuality, Lane, Mac, PortIdentity};

/// Where words go.
pub(crate) trait Put {
    /// One word.
    fn put(&mut self, word: u64);
}

impl Put for Vec<u64> {
    /// Never inlined: hundreds of these after each other in one function make the compiler recurse until its stack ends.
    #[inline(never)]
    fn put(&mut self, word: u64) {
        self.push(word);
    }
}

/// Where words come from; beyond the last there are zeroes.
pub(crate) struct Take<'a>(pub(super) std::slice::Iter<'a, u64>);

impl Take<'_> {
    /// Never inlined, as what puts a word.
    #[inline(never)]
    pub(super) fn word(&mut self) -> u64 {
        self.0.next().copied().unwrap_or(0)
    }
}

/// A value that goes over the board.
pub(crate) trait Words: Sized {
    /// Words that it takes at most.
    const WORDS: usize;

    /// Writes it.
    fn write(&self, out: &mut impl Put);

    /// Reads what [`Self::write`] wrote; zeroes are a value, too.
    fn read(words: &mut Take<'_>) -> Self;
}

/// All words of a value.
pub(crate) fn to_words(value: &impl Words) -> Vec<u64> {
    let mut words = Vec::new();
    value.write(&mut words);
    words
}

/// The value of all its words; `None` if they are of a record with other fields.
pub(crate) fn from_words<T: Words>(words: &[u64]) -> Option<T> {
    (words.len() == T::WORDS).then(|| T::read(&mut Take(words.iter())))
}

/// `record! { pub struct ... }`: the struct, written and read field by field in their order.
///
/// `record!(Name { field, ... })` does the same for a struct of another room; a field that is left out does not
/// compile.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty,)+
    }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type,)+ }

        impl $crate::telemetry::words::Words for $name {
            const WORDS: usize = 0 $(+ <$type as $crate::telemetry::words::Words>::WORDS)+;

            fn write(&self, out: &mut impl $crate::telemetry::words::Put) {
                $($crate::telemetry::words::Words::write(&self.$field, out);)+
            }

            fn read(words: &mut $crate::telemetry::words::Take<'_>) -> Self {
                Self { $($field: $crate::telemetry::words::Words::read(words),)+ }
            }
        }
    };
    ($name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Words for $name {
            const WORDS: usize = 0 $(+ <$type as Words>::WORDS)+;

            fn write(&self, out: &mut impl Put) {
                let Self { $($field),+ } = self;
                $($field.write(out);)+
            }

            fn read(words: &mut Take<'_>) -> Self {
                Self { $($field: Words::read(words),)+ }
            }
        }
    };
}
pub(super) use record;

record!(PortIdentity {
    clock: ClockIdentity,
    port: u16,
});
record!(ClockQuality {
    class: u8,
    accuracy: u8,
    variance: u16,
});
record!(Announce {
    grandmaster: ClockIdentity,
    priority1: u8,
    quality: ClockQuality,
    priority2: u8,
    steps_removed: u16,
    time_source: u8,
    utc_offset: i16,
});

/// A value in one word: how it becomes one, and how it comes back.
macro_rules! one_word {
    ($($type:ty: $value:ident => $write:expr, $word:ident => $read:expr;)+) => {$(
        impl Words for $type {
            const WORDS: usize = 1;

            fn write(&self, out: &mut impl Put) {
                let $value = *self;
                out.put($write);
            }

            fn read(words: &mut Take<'_>) -> Self {
                let $word = words.word();
                $read
            }
        }
    )+};
}

one_word! {
    u64: value => value, word => word;
    u32: value => u64::from(value), word => Self::try_from(word).unwrap_or(Self::MAX);
    u16: value => u64::from(value), word => Self::try_from(word).unwrap_or(Self::MAX);
    u8: value => u64::from(value), word => Self::try_from(word).unwrap_or(Self::MAX);
    i16: value => u64::from(value.cast_unsigned()), word => u16::try_from(word).unwrap_or(0).cast_signed();
    bool: value => u64::from(value), word => word != 0;
    f64: value => value.to_bits(), word => Self::from_bits(word);
    Instant: value => value.as_nanos(), word => Self::from_nanos(word);
    Duration: value => u64::try_from(value.as_nanos()).unwrap_or(u64::MAX), word => Self::from_nanos(word);
    Reason: value => value as u64, word => usize::try_from(word)
        .ok()
        .and_then(|at| Self::ALL.get(at).copied())
        .unwrap_or(Self::ALL[0]);
    ClockIdentity: value => u64::from_be_bytes(value.0), word => Self(word.to_be_bytes());
    Mac: value => {
        let [a, b, c, d, e, f] = value.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }, word => {
        let [_, _, mac @ ..] = word.to_be_bytes();
        Self(mac)
    };
    Lane: value => u64::from(value.bits()), word => Self::from_bits(u32::try_from(word).unwrap_or(0));
}

/// A flag, and the value or as many zeroes.
impl<T: Words> Words for Option<T> {
    const WORDS: usize = 1 + T::WORDS;

    fn write(&self, out: &mut impl Put) {
        self.is_some().write(out);
        match self {
            Some(value) => value.write(out),
            None => (0..T::WORDS).for_each(|_| out.put(0)),
        }
    }

    fn read(words: &mut Take<'_>) -> Self {
        let some = bool::read(words);
        let value = T::read(words);
        some.then_some(value)
    }
}

impl<T: Words, const N: usize> Words for [T; N] {
    const WORDS: usize = N * T::WORDS;

    fn write(&self, out: &mut impl Put) {
        self.iter().for_each(|value| value.write(out));
    }

    fn read(words: &mut Take<'_>) -> Self {
        std::array::from_fn(|_| T::read(words))
    }
}

impl<T: Words> Words for PerSide<T> {
    const WORDS: usize = 2 * T::WORDS;

    fn write(&self, out: &mut impl Put) {
        self.up.write(out);
        self.down.write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        Self::from_fn(|_| T::read(words))
    }
}

impl<T: Words> Words for Box<T> {
    const WORDS: usize = T::WORDS;

    fn write(&self, out: &mut impl Put) {
        (**self).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        Self::new(T::read(words))
    }
}

/// Up to 15 bytes of text: an interface's name (IFNAMSIZ). The rest is cut off.
impl Words for String {
    const WORDS: usize = 2;

    fn write(&self, out: &mut impl Put) {
        let mut bytes = [0_u8; 16];
        for (to, from) in bytes.iter_mut().zip(self.bytes().take(15)) {
            *to = from;
        }
        halves(u128::from_be_bytes(bytes)).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        let [upper, lower] = <[u64; 2]>::read(words);
        let bytes = (u128::from(upper) << 64 | u128::from(lower)).to_be_bytes();
        let len = bytes.iter().position(|&byte| byte == 0).unwrap_or(16);
        Self::from_utf8_lossy(bytes.get(..len).unwrap_or_default()).into_owned()
    }
}

/// Which kind it is, and its bits.
impl Words for IpAddr {
    const WORDS: usize = 3;

    fn write(&self, out: &mut impl Put) {
        self.is_ipv6().write(out);
        let bits = match self {
            Self::V4(ip) => u128::from(ip.to_bits()),
            Self::V6(ip) => ip.to_bits(),
        };
        halves(bits).write(out);
    }

    fn read(words: &mut Take<'_>) -> Self {
        let six = bool::read(words);
        let [upper, lower] = <[u64; 2]>::read(words);
        if six {
            return Self::from((u128::from(upper) << 64 | u128::from(lower)).to_be_bytes());
        }
        Self::from(u32::try_from(lower).unwrap_or(0).to_be_bytes())
    }
}

/// The upper and the lower half.
#[expect(clippy::cast_possible_truncation, reason = "split in halves")]
pub(super) const fn halves(value: u128) -> [u64; 2] {
    [(value >> 64) as u64, value as u64]
}
