//! A forwarder's state as bytes, for the process that takes its place ([`Forwarder::save`](crate::core::Forwarder::save),
//! [`Forwarder::restore`](crate::core::Forwarder::restore)).
//!
//! Each part writes what it knows and reads it again, in one order, as postcard does it: no names, numbers as short as they
//! are. So the bytes begin with what shapes them, and end with a sum of all before: whatever is not written by a forwarder of
//! the same layout and the same sizes is refused with a reason, and nothing of it is used.

use std::fmt;
use std::hash::Hasher as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher13;

use crate::reason::Reason;

/// Grows with each change of what a part writes. `tests/policy/handed_over.rs` notices one.
const FORMAT: u32 = 2;
/// The first bytes.
const MAGIC: [u8; 8] = *b"ptpproxy";
/// The sum, and the layout: eight bytes each.
const WORD: usize = 8;

/// Why a state is not gone on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// It is not a forwarder's.
    Foreign,
    /// It is of a version that writes other things.
    Layout,
    /// Bytes are missing, or are others than were written.
    Damaged,
    /// It is of other settings, which size it: these.
    Sized(&'static str),
    /// It contradicts itself in this part.
    Nonsense(&'static str),
    /// The forwarder cannot hand its state over: with this setting.
    Unable(&'static str),
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is not the state of a gateway"),
            Self::Layout => f.write_str("it is of a version with another layout"),
            Self::Damaged => f.write_str("it is damaged"),
            Self::Sized(what) => write!(f, "{what} was another one"),
            Self::Nonsense(part) => write!(f, "it contradicts itself ({part})"),
            Self::Unable(setting) => write!(f, "not with {setting}"),
        }
    }
}

impl std::error::Error for StateError {}

/// Takes a state, part by part.
pub struct Writer {
    bytes: Vec<u8>,
    failed: bool,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// Nothing is written yet.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(layout().to_le_bytes());
        Self {
            bytes,
            failed: false,
        }
    }

    /// Writes one value.
    pub fn put(&mut self, value: &(impl Serialize + ?Sized)) {
        let bytes = std::mem::take(&mut self.bytes);
        match postcard::to_extend(value, bytes) {
            Ok(bytes) => self.bytes = bytes,
            Err(_) => self.failed = true,
        }
    }

    /// Writes how many there are, and each of them.
    pub(super) fn all<T: Serialize>(&mut self, values: impl ExactSizeIterator<Item = T>) {
        self.put(&values.len());
        for value in values {
            self.put(&value);
        }
    }

    /// All that was written.
    ///
    /// # Errors
    /// A value could not be written.
    pub fn finish(mut self) -> Result<Vec<u8>, StateError> {
        if self.failed {
            return Err(StateError::Damaged);
        }
        let sum = sum(&self.bytes);
        self.bytes.extend(sum.to_le_bytes());
        Ok(self.bytes)
    }
}

/// Gives a state back, part by part.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Of what a [`Writer`] wrote.
    ///
    /// # Errors
    /// It was not, or by one with another layout, or not all of it.
    pub fn new(bytes: &'a [u8]) -> Result<Self, StateError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(StateError::Foreign)?;
        let (found, rest) = rest.split_first_chunk().ok_or(StateError::Damaged)?;
        if u64::from_le_bytes(*found) != layout() {
            return Err(StateError::Layout);
        }
        let (rest, found) = rest.split_last_chunk::<WORD>().ok_or(StateError::Damaged)?;
        let written = bytes.get(..bytes.len() - WORD).ok_or(StateError::Damaged)?;
        if u64::from_le_bytes(*found) != sum(written) {
            return Err(StateError::Damaged);
        }
        Ok(Self(rest))
    }

    /// Reads one value.
    ///
    /// # Errors
    /// What was written is no such value.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<T, StateError> {
        let (value, rest) = postcard::take_from_bytes(self.0).map_err(|_| StateError::Damaged)?;
        self.0 = rest;
        Ok(value)
    }

    /// Reads what [`Writer::all`] wrote, of which there are at most `most`.
    pub(super) fn all<T: DeserializeOwned>(
        &mut self,
        most: usize,
        part: &'static str,
        mut each: impl FnMut(T) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let count: usize = self.take()?;
        if count > most {
            return Err(StateError::Nonsense(part));
        }
        (0..count).try_for_each(|_| each(self.take()?))
    }

    /// That was all.
    ///
    /// # Errors
    /// It was not.
    pub fn finish(self) -> Result<(), StateError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(StateError::Damaged),
        }
    }
}

/// That this holds of what was read.
pub(super) fn sane(holds: bool, part: &'static str) -> Result<(), StateError> {
    match holds {
        true => Ok(()),
        false => Err(StateError::Nonsense(part)),
    }
}

/// What the bytes mean: the version of the format, and the reasons, which are written as numbers.
fn layout() -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write_u32(FORMAT);
    for reason in Reason::ALL {
        hasher.write(reason.label().as_bytes());
        hasher.write_u8(0);
    }
    hasher.finish()
}

fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Arrays that are longer than serde knows.
pub(super) mod array {
    use serde::de::{DeserializeOwned, Deserializer, Error as _};
    use serde::{Deserialize, Serialize, Serializer};

    pub(in crate::core) fn serialize<T: Serialize, S: Serializer, const N: usize>(
        array: &[T; N],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        array.as_slice().serialize(to)
    }

    pub(in crate::core) fn deserialize<
        'de,
        T: DeserializeOwned,
        D: Deserializer<'de>,
        const N: usize,
    >(
        from: D,
    ) -> Result<[T; N], D::Error> {
        let values = Vec::<T>::deserialize(from)?;
        <[T; N]>::try_from(values).map_err(|_| D::Error::custom("another length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut writer = Writer::new();
        writer.put(&7_u32);
        writer.all([1_u16, 300].into_iter());
        writer.put("text");
        writer.finish().unwrap()
    }

    #[test]
    fn what_is_written_first_is_read_first() {
        let bytes = written();
        let mut reader = Reader::new(&bytes).unwrap();
        assert_eq!(reader.take(), Ok(7_u32));
        let mut all = Vec::new();
        let mut most = Reader(reader.0);
        let each = |value: u16| {
            all.push(value);
            Ok(())
        };
        assert_eq!(reader.all(2, "numbers", each), Ok(()));
        assert_eq!(all, [1, 300]);
        let too_many = most.all(1, "numbers", |_: u16| Ok(()));
        assert_eq!(too_many, Err(StateError::Nonsense("numbers")));
        assert_eq!(reader.take::<String>().as_deref(), Ok("text"));
        assert_eq!(reader.take::<u8>(), Err(StateError::Damaged), "no more");
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn other_bytes_are_refused_and_why() {
        let good = written();
        let why = |bytes: &[u8]| Reader::new(bytes).err();
        assert_eq!(why(&good), None);
        assert_eq!(why(b""), Some(StateError::Foreign));
        assert_eq!(
            why(b"ptpproxx and more than that"),
            Some(StateError::Foreign)
        );
        for len in MAGIC.len()..good.len() {
            assert_eq!(why(&good[..len]), Some(StateError::Damaged), "{len}");
        }
        for at in MAGIC.len()..good.len() {
            let mut other = good.clone();
            other[at] ^= 0x10;
            let layout = at < MAGIC.len() + WORD;
            let expected = [StateError::Damaged, StateError::Layout][usize::from(layout)];
            assert_eq!(why(&other), Some(expected), "{at}");
        }
    }
}
