//! Moments that the departures of few requests share: one in each slot of time, where in the slot nobody can tell.
//!
//! Two gateways of one master have other seeds, and so other moments: should both hold the same request, they do not
//! send it at the same time.

use crate::time::Instant;

/// The last such moment that is not after `due`; `slot_ns` is the length of a slot.
pub(crate) fn moment_before(due: Instant, slot_ns: u64, seed: u64) -> Instant {
    let due = due.as_nanos();
    let slot = due / slot_ns;
    let moment = |slot: u64| slot * slot_ns + mixed(slot ^ seed) % slot_ns;
    let this = moment(slot);
    let found = if this <= due {
        this
    } else {
        moment(slot.saturating_sub(1)).min(due)
    };
    Instant::from_nanos(found)
}

/// Each bit of the result depends on each bit of the number (the finalizer of `SplitMix64`).
const fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SLOT_NS: u64 = 4_000_000;

    fn moments(seed: u64) -> BTreeSet<u64> {
        let first = 7_000_000_000;
        let dues = (0..10_000).map(|n| first + n * 40_000);
        dues.map(|due| {
            let found = moment_before(Instant::from_nanos(due), SLOT_NS, seed).as_nanos();
            assert!(
                found <= due && due - found < 2 * SLOT_NS,
                "{found} for {due}"
            );
            found
        })
        .collect()
    }

    #[test]
    fn there_is_one_in_each_slot_and_never_one_after_what_was_drawn() {
        let found = moments(5);
        assert!((100..=102).contains(&found.len()), "{}", found.len());
        let slots: BTreeSet<u64> = found.iter().map(|at| at / SLOT_NS).collect();
        assert_eq!(slots.len(), found.len());
        // Anywhere in it.
        let late = found.iter().filter(|&at| at % SLOT_NS > SLOT_NS / 2);
        assert!((30..70).contains(&late.count()));
    }

    #[test]
    fn another_gateway_has_others() {
        assert!(moments(5).is_disjoint(&moments(6)));
    }
}
