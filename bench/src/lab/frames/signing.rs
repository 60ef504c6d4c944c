//! Signed messages: an AUTHENTICATION TLV (IEEE 1588-2019, 16.14) with HMAC-SHA256-128 at the end of each.
//!
//! Written by itself, as all of the lab's frames are: it judges whether what a gateway signed again is right.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of the integrity check value: half of HMAC-SHA256 (RFC 4868).
const ICV: usize = 16;
/// Bytes that a signed message is longer by: tlvType, lengthField, spp, secParamIndicator, keyID, ICV.
pub const TLV: usize = 2 + 2 + 1 + 1 + 4 + ICV;
/// The one association, and the one key in it.
const SPP: u8 = 5;
const KEY_ID: u32 = 1;
/// It protects nothing: whoever has it is the lab's.
const KEY: &str = "what-all-stations-have";

/// The file of keys that a gateway is given, in linuxptp's format.
#[must_use]
pub fn sa_file() -> String {
    format!("[security_association]\nspp {SPP}\n{KEY_ID} SHA256-128 ASCII:{KEY}\n")
}

/// The key of all stations, at work.
#[derive(Clone, Debug)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// The one key.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mac = Hmac::new_from_slice(KEY.as_bytes()).expect("a key of any length");
        Self(mac)
    }

    /// Makes the last bytes of a message its AUTHENTICATION TLV.
    pub fn sign(&self, message: &mut [u8]) {
        let Some((covered, icv)) = message.split_last_chunk_mut::<ICV>() else {
            return;
        };
        if let Some((_, head)) = covered.split_last_chunk_mut::<{ TLV - ICV }>() {
            *head = head_of_tlv();
        }
        *icv = self.icv(covered);
    }

    /// Whether the last bytes of a message are the TLV that [`Self::sign`] makes of what is before them.
    #[must_use]
    pub fn has_signed(&self, message: &[u8]) -> bool {
        message
            .split_last_chunk::<ICV>()
            .is_some_and(|(covered, icv)| {
                covered.ends_with(&head_of_tlv()) && *icv == self.icv(covered)
            })
    }

    fn icv(&self, covered: &[u8]) -> [u8; ICV] {
        let whole = self.0.clone().chain_update(covered).finalize().into_bytes();
        let mut icv = [0; ICV];
        icv.copy_from_slice(&whole[..ICV]);
        icv
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

const fn head_of_tlv() -> [u8; TLV - ICV] {
    let [a, b, c, d] = KEY_ID.to_be_bytes();
    [0x80, 0x09, 0, 6 + 16, SPP, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A changed byte anywhere is noticed, also one of the TLV.
    #[test]
    fn what_was_signed_is_known_again() {
        let signer = Signer::new();
        let mut message = [0x5A; 44 + TLV];
        signer.sign(&mut message);
        assert_eq!(message[..44], [0x5A; 44], "the message stays");
        assert_eq!(message[44..54], [0x80, 9, 0, 22, 5, 0, 0, 0, 0, 1]);
        assert!(signer.has_signed(&message));
        for at in 0..message.len() {
            message[at] ^= 1;
            assert!(!signer.has_signed(&message), "byte {at}");
            message[at] ^= 1;
        }
        assert!(!signer.has_signed(&message[..8]));
    }

    /// `printf %s TEXT | openssl dgst -sha256 -mac HMAC -macopt key:what-all-stations-have`
    #[test]
    fn it_is_the_hmac_that_others_compute() {
        let icv = Signer::new().icv(b"a message");
        assert_eq!(
            u128::from_be_bytes(icv),
            0x658f_0487_e398_e774_9b3b_e828_2d0c_83d3
        );
    }
}
