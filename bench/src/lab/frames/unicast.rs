//! The TLVs of unicast negotiation (IEEE 1588-2019, 16.1), written and read without the product's code.

use super::template::Kind;

/// What a client asks for, in the order of its message: what is at index `n` is bit `n` of a set.
pub const GRANTED: [Kind; 3] = [Kind::Announce, Kind::Sync, Kind::DelayResp];

/// durationField of what the lab's clients ask for, and of what its grandmaster grants.
pub const SECONDS: u32 = 6;

/// Sets of these there are.
pub const SETS: usize = 1 << GRANTED.len();

/// REQUEST_UNICAST_TRANSMISSION and GRANT_UNICAST_TRANSMISSION.
const REQUEST: u16 = 4;
const GRANT: u16 = 5;

/// One of [`GRANTED`] (by index), for some seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Which.
    pub index: usize,
    /// durationField; a grant of 0 s refuses.
    pub seconds: u32,
}

/// The TLVs that ask for a set for [`SECONDS`], at these intervals (logInterMessagePeriod).
#[must_use]
pub fn requests(set: usize, logs: [i8; 3]) -> Vec<u8> {
    write(REQUEST, &[], set, logs)
}

/// The TLVs that grant it.
#[must_use]
pub fn grants(set: usize, logs: [i8; 3]) -> Vec<u8> {
    // A reserved byte, and R: renewal is welcome.
    write(GRANT, &[0, 1], set, logs)
}

fn write(tlv: u16, end: &[u8], set: usize, logs: [i8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, (kind, log)) in GRANTED.into_iter().zip(logs).enumerate() {
        if set & 1 << index == 0 {
            continue;
        }
        let length = u16::try_from(6 + end.len()).unwrap_or(u16::MAX);
        bytes.extend(tlv.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.push((kind as u8) << 4);
        bytes.extend(log.to_be_bytes());
        bytes.extend(SECONDS.to_be_bytes());
        bytes.extend(end);
    }
    bytes
}

/// What these TLVs of a Signaling message ask for.
pub fn requested(tlvs: &[u8]) -> impl Iterator<Item = Wish> {
    read(tlvs, REQUEST)
}

/// What they grant.
pub fn granted(tlvs: &[u8]) -> impl Iterator<Item = Wish> {
    read(tlvs, GRANT)
}

fn read(mut rest: &[u8], wanted: u16) -> impl Iterator<Item = Wish> {
    std::iter::from_fn(move || {
        loop {
            let (&[a, b, c, d], after) = rest.split_first_chunk::<4>()?;
            let value = after.get(..usize::from(u16::from_be_bytes([c, d])))?;
            rest = &after[value.len()..];
            if u16::from_be_bytes([a, b]) != wanted {
                continue;
            }
            let &[kind, _, s0, s1, s2, s3] = value.first_chunk::<6>()?;
            let seconds = u32::from_be_bytes([s0, s1, s2, s3]);
            let named = |known: &Kind| *known as u8 == kind >> 4;
            if let Some(index) = GRANTED.iter().position(named) {
                return Some(Wish { index, seconds });
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else() {
        for set in 0..SETS {
            let expected: Vec<_> = (0..GRANTED.len())
                .filter(|index| set & 1 << index != 0)
                .map(|index| Wish {
                    index,
                    seconds: SECONDS,
                })
                .collect();
            // A TLV of another kind before it, as an AUTHENTICATION TLV is after it.
            let other = [0x80, 9, 0, 2, 0, 0];
            let asked = [&other[..], &requests(set, [0; 3])].concat();
            let given = [&grants(set, [0; 3])[..], &other].concat();
            assert!(requested(&asked).eq(expected.iter().copied()), "{set}");
            assert!(granted(&given).eq(expected.iter().copied()), "{set}");
            assert_eq!(granted(&asked).count() + requested(&given).count(), 0);
        }
        // Sync twice a second, as IEEE 1588-2019, 16.1.4.1 has it.
        assert_eq!(requests(2, [0, -1, 0]), [0, 4, 0, 6, 0, 0xFF, 0, 0, 0, 6]);
        let cut = requests(1, [0; 3]);
        assert_eq!(requested(&cut[..9]).count(), 0);
    }
}
