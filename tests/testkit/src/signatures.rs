//! Signed messages, made without the product's code: a key, its lines in a file, and what it signs.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::frames::Message;

/// Bytes of SHA256-128's integrity check value.
const ICV: usize = 16;
/// Bytes of an AUTHENTICATION TLV with it.
const TLV: usize = 10 + ICV;
/// correctionField in a message.
const CORRECTION: std::ops::Range<usize> = 8..16;

/// A key of an association, for SHA256-128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// securityParameterPointer.
    pub spp: u8,
    /// keyID.
    pub id: u32,
    /// The key, as text.
    pub secret: &'static str,
    /// `allow_mutable`: correctionField is not signed.
    pub mutable: bool,
}

impl Key {
    /// The first key of an association.
    pub const fn of(spp: u8, secret: &'static str) -> Self {
        Self {
            spp,
            id: 1,
            secret,
            mutable: false,
        }
    }

    /// The same, with `allow_mutable 1`.
    pub const fn mutable(self) -> Self {
        Self {
            mutable: true,
            ..self
        }
    }

    /// The file of an association that has only this key.
    pub fn file(&self) -> String {
        format!(
            "[security_association]\nspp {}\nallow_mutable {}\n{} SHA256-128 ASCII:{}\n",
            self.spp,
            u8::from(self.mutable),
            self.id,
            self.secret
        )
    }

    /// The file of several associations, each with one key.
    pub fn files(keys: &[Self]) -> String {
        keys.iter().map(Self::file).collect()
    }

    /// A message with an AUTHENTICATION TLV of this key at its end.
    pub fn signs(&self, message: Message) -> Message {
        let mut message = self.tlv(message);
        let icv = self.icv(&message.ptp());
        let at = message.body.len() - ICV;
        message.body[at..].copy_from_slice(&icv);
        message
    }

    /// Whether it has signed this message, from its header to its end.
    pub fn signed(&self, message: &[u8]) -> bool {
        let name = [
            &[0x80, 0x09, 0, 6 + 16, self.spp, 0],
            &self.id.to_be_bytes()[..],
        ]
        .concat();
        message.ends_with(&self.icv(message)) && message[message.len() - TLV..].starts_with(&name)
    }

    fn icv(&self, message: &[u8]) -> [u8; ICV] {
        let mut covered = message[..message.len() - ICV].to_vec();
        if self.mutable {
            covered[CORRECTION].fill(0);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length");
        mac.update(&covered);
        *mac.finalize().into_bytes().first_chunk().expect("32 bytes")
    }

    /// The same after an edit: as if nobody but this key had made it.
    pub fn signs_again(&self, mut message: Message) -> Message {
        message.body.truncate(message.body.len() - TLV);
        self.signs(message)
    }

    fn tlv(&self, mut message: Message) -> Message {
        message.body.extend([0x80, 0x09, 0, 6 + 16, self.spp, 0]);
        message.body.extend(self.id.to_be_bytes());
        message.body.extend([0; ICV]);
        message
    }
}
