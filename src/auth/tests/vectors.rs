//! The algorithms' own test vectors, and that their states are erased.

use aes::{Aes128, Aes256};
use cmac::block_api::CmacCore;
use sha2::block_api::Sha256VarCore;
use zeroize::ZeroizeOnDrop;

use super::super::key::{Algorithm, Covered, Key};
use super::super::key_text::decode;

fn check(algorithm: Algorithm, key: &[u8], message: &[u8], expected: &str) {
    let expected = decode(format!("HEX:{expected}").as_bytes()).expect("digits");
    let key = Key::new(algorithm, key).expect("a key");
    let covered = Covered {
        message,
        without_correction: false,
    };
    assert_eq!(key.icv(covered).as_bytes(), &expected[..], "{algorithm:?}");
    assert!(key.matches(covered, &expected));
    // A part of it, nothing, or more is no ICV.
    let longer = [&expected[..], &[0]].concat();
    for wrong in [&expected[..expected.len() - 1], &[], &longer] {
        assert!(!key.matches(covered, wrong), "{} bytes", wrong.len());
    }
}

#[test]
fn hmac_sha256_is_that_of_rfc_4231() {
    let counted: Vec<u8> = (1..=25).collect();
    let long_text =
        b"This is a test using a larger than block-size key and a larger than block-size data. \
        The key needs to be hashed before being used by the HMAC algorithm.";
    let cases: [(&[u8], &[u8], &str); 6] = [
        (
            &[0x0B; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xAA; 20],
            &[0xDD; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &counted,
            &[0xCD; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &[0xAA; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &[0xAA; 131],
            long_text,
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, message, expected) in cases {
        check(Algorithm::Sha256, key, message, expected);
        check(Algorithm::Sha256Cut128, key, message, &expected[..32]);
    }
    let message = b"Test With Truncation";
    let expected = "a3b6167473100ee06e0c796c2955552b";
    check(Algorithm::Sha256Cut128, &[0x0C; 20], message, expected);
}

#[test]
fn aes_cmac_is_that_of_rfc_4493_and_nist() {
    let hex = |text: &str| decode(format!("HEX:{text}").as_bytes()).expect("digits");
    let message = hex(concat!(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    ));
    let short = hex("2b7e151628aed2a6abf7158809cf4f3c");
    let long = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    for (len, of_128, of_256) in [
        (
            0,
            "bb1d6929e95937287fa37d129b756746",
            "028962f61b7bf89efc6b551f4667d983",
        ),
        (
            16,
            "070a16b46b4d4144f79bdd9dd04a287c",
            "28a7023f452e8f82bd4bf28d8c37c35c",
        ),
        (
            40,
            "dfa66747de9ae63030ca32611497c827",
            "aaf3d8f1de5640c232f5b169b9c911e6",
        ),
        (
            64,
            "51f0bebf7e3b9d92fc49741779363cfe",
            "e1992190549f6ed5696a2c056c315410",
        ),
    ] {
        check(Algorithm::Aes128, &short, &message[..len], of_128);
        check(Algorithm::Aes256, &long, &message[..len], of_256);
    }
    assert!(Key::new(Algorithm::Aes128, &long).is_none());
    assert!(Key::new(Algorithm::Aes256, &short).is_none());
}

#[test]
fn the_same_key_is_known_by_what_it_makes() {
    let key = |algorithm, key: &[u8]| Key::new(algorithm, key).expect("a key");
    let one = key(Algorithm::Sha256, &[1; 16]);
    assert!(one.same(&key(Algorithm::Sha256, &[1; 16])));
    assert!(!one.same(&key(Algorithm::Sha256, &[2; 16])));
    assert!(!one.same(&key(Algorithm::Sha256Cut128, &[1; 16])));
    assert!(!key(Algorithm::Sha256Cut128, &[1; 16]).same(&one));
    assert!(!key(Algorithm::Aes128, &[1; 16]).same(&key(Algorithm::Aes128, &[2; 16])));
}

/// Does not compile where a crate's `zeroize` feature was lost.
#[test]
fn states_are_erased() {
    fn erased<T: ZeroizeOnDrop>() {}
    erased::<Sha256VarCore>();
    erased::<CmacCore<Aes128>>();
    erased::<CmacCore<Aes256>>();
}
