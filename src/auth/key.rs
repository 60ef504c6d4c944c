//! A key, made ready for use: each algorithm's state after the key, so that a message costs no key set-up.
//!
//! The algorithms are RustCrypto's: plain Rust with the processor's instructions for SHA-256 and AES where it
//! has them (x86-64 and ARMv8, found at run time), constant-time without them, one family for all four.
//! `ring` has no CMAC, and what wraps OpenSSL or AWS-LC brings a C library of its own to each platform.

use std::fmt;

use aes::{Aes128, Aes256};
use cmac::Cmac;
use hmac::{Hmac, KeyInit as _, Mac};
use sha2::Sha256;

/// The longest ICV, in bytes.
pub(super) const LONGEST_ICV: usize = 32;

/// How an integrity check value (ICV) is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC-SHA256, its first 16 bytes (RFC 4868).
    Sha256Cut128,
    /// HMAC-SHA256, all 32 bytes (RFC 2104, FIPS 180-4).
    Sha256,
    /// AES-CMAC with a key of 16 bytes (RFC 4493).
    Aes128,
    /// AES-CMAC with a key of 32 bytes (NIST SP 800-38B).
    Aes256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Sha256Cut128, Self::Sha256, Self::Aes128, Self::Aes256];

    /// Its word in the file.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sha256Cut128 => "SHA256-128",
            Self::Sha256 => "SHA256",
            Self::Aes128 => "AES128",
            Self::Aes256 => "AES256",
        }
    }

    /// The length that a key must have, in bytes; `None` if any will do.
    #[must_use]
    pub const fn key_len(self) -> Option<usize> {
        match self {
            Self::Sha256Cut128 | Self::Sha256 => None,
            Self::Aes128 => Some(16),
            Self::Aes256 => Some(32),
        }
    }

    /// Bytes of the ICV.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Sha256 => LONGEST_ICV,
            Self::Sha256Cut128 | Self::Aes128 | Self::Aes256 => 16,
        }
    }
}

/// A state that has taken in the key. In a box of its own, so that moving its owner leaves no copy behind.
#[derive(Clone)]
enum State {
    Hmac(Box<Hmac<Sha256>>),
    Aes128(Box<Cmac<Aes128>>),
    Aes256(Box<Cmac<Aes256>>),
}

/// A key with its algorithm. Erased when it is dropped (the crates' `zeroize` features see to that).
#[derive(Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    state: State,
}

/// An ICV that was computed.
pub(super) struct Icv {
    bytes: [u8; LONGEST_ICV],
    len: usize,
}

impl Icv {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What an ICV is computed over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Covered<'a> {
    /// The message up to its ICV.
    pub(super) message: &'a [u8],
    /// Counts correctionField as zero (`allow_mutable`)?
    pub(super) without_correction: bool,
}

/// correctionField in the header (13.3.2.9).
const CORRECTION: std::ops::Range<usize> = 8..16;

impl Key {
    /// `None` if the algorithm takes no key of this length.
    pub(super) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        let state = match algorithm {
            Algorithm::Sha256Cut128 | Algorithm::Sha256 => {
                State::Hmac(Box::new(Hmac::new_from_slice(key).ok()?))
            }
            Algorithm::Aes128 => State::Aes128(Box::new(Cmac::new_from_slice(key).ok()?)),
            Algorithm::Aes256 => State::Aes256(Box::new(Cmac::new_from_slice(key).ok()?)),
        };
        Some(Self { algorithm, state })
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The ICV of a message.
    pub(super) fn icv(&self, covered: Covered<'_>) -> Icv {
        let mut bytes = [0; LONGEST_ICV];
        match &self.state {
            State::Hmac(state) => {
                bytes.copy_from_slice(&fed(&**state, covered).finalize().into_bytes())
            }
            State::Aes128(state) => {
                bytes[..16].copy_from_slice(&fed(&**state, covered).finalize().into_bytes());
            }
            State::Aes256(state) => {
                bytes[..16].copy_from_slice(&fed(&**state, covered).finalize().into_bytes());
            }
        }
        let len = self.algorithm.icv_len();
        Icv { bytes, len }
    }

    /// Is this the ICV of the message? Takes as long for a wrong one as for a right one of its length.
    pub(super) fn matches(&self, covered: Covered<'_>, icv: &[u8]) -> bool {
        icv.len() == self.algorithm.icv_len()
            && match &self.state {
                State::Hmac(state) => fed(&**state, covered).verify_truncated_left(icv),
                State::Aes128(state) => fed(&**state, covered).verify_truncated_left(icv),
                State::Aes256(state) => fed(&**state, covered).verify_truncated_left(icv),
            }
            .is_ok()
    }

    /// Is it the same key with the same algorithm? Compares what the two make of one message: ICVs of two
    /// algorithms differ in length or in all else.
    pub(super) fn same(&self, other: &Self) -> bool {
        let covered = Covered {
            message: b"the same key?",
            without_correction: false,
        };
        self.matches(covered, other.icv(covered).as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.algorithm.label())
    }
}

/// A copy of the state that has taken in the message too.
fn fed<M: Mac + Clone>(state: &M, covered: Covered<'_>) -> M {
    let mut state = state.clone();
    let message = covered.message;
    match (message.get(CORRECTION), message.get(CORRECTION.end..)) {
        (Some(correction), Some(after)) if covered.without_correction => {
            state.update(&message[..CORRECTION.start]);
            state.update(&[0; CORRECTION.end - CORRECTION.start][..correction.len()]);
            state.update(after);
        }
        _ => state.update(message),
    }
    state
}
