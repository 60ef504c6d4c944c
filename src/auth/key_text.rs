//! Keys as the file writes them: `ASCII:`, `HEX:`, `B64:`, or text without a prefix.

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use zeroize::Zeroizing;

/// The bytes of a key. The error never shows a part of it.
pub(super) fn decode(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    if let Some(digits) = text.strip_prefix(b"HEX:") {
        hex(digits)
    } else if let Some(text) = text.strip_prefix(b"B64:") {
        base64(text)
    } else {
        let text = text.strip_prefix(b"ASCII:").unwrap_or(text);
        Ok(Zeroizing::new(text.to_vec()))
    }
}

fn hex(digits: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() {
        return Err("an odd number of digits follows HEX:; write two for each byte");
    }
    // Reserved at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for &[high, low] in pairs {
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            return Err("something else than 0-9, a-f, A-F follows HEX:");
        };
        bytes.push(high << 4 | low);
    }
    Ok(bytes)
}

fn digit(char: u8) -> Option<u8> {
    match char {
        b'0'..=b'9' => Some(char - b'0'),
        b'a'..=b'f' => Some(char - b'a' + 10),
        b'A'..=b'F' => Some(char - b'A' + 10),
        _ => None,
    }
}

fn base64(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let mut bytes = Zeroizing::new(vec![0; text.len()]);
    let decoded = if text.ends_with(b"=") {
        Base64::decode(text, &mut bytes)
    } else {
        Base64Unpadded::decode(text, &mut bytes)
    };
    let len = decoded
        .map_err(|_| "no Base64 follows B64:; `base64 -w0` writes it")?
        .len();
    bytes.truncate(len);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        for (text, expected) in [
            (&b"abc"[..], &b"abc"[..]),
            (b"ASCII:abc", b"abc"),
            (b"ASCII:HEX:00", b"HEX:00"),
            (b"ascii:abc", b"ascii:abc"),
            (b"HEX:00fFA0", &[0, 0xFF, 0xA0]),
            (b"HEX:", &[]),
            (b"B64:AP+g", &[0, 0xFF, 0xA0]),
            (b"B64:AP8=", &[0, 0xFF]),
            (b"B64:AP8", &[0, 0xFF]),
            (b"B64:AA==", &[0]),
            (b"B64:AA", &[0]),
            (b"\xC3\xA9", &[0xC3, 0xA9]),
        ] {
            let key = decode(text).expect("a key");
            assert_eq!(&key[..], expected, "{text:?}");
        }
        for bad in [
            &b"HEX:0"[..],
            b"HEX:0g",
            b"HEX:0x00",
            b"B64:A",
            b"B64:A=B=",
            b"B64:AA=",
            b"B64:A*==",
        ] {
            let error = decode(bad).expect_err("no key");
            assert!(error.contains(if bad[0] == b'H' { "HEX:" } else { "B64:" }));
        }
    }
}
