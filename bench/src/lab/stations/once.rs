//! Which requests of each client have come already: none may come twice.

/// sequenceIds of a client that are remembered: its last 64.
const WINDOW: u16 = 64;

/// See the module.
#[derive(Debug)]
pub struct Once(Vec<Seen>);

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    newest: u16,
    /// Bit `n` is the one that is `n` older than the newest.
    bits: u64,
}

impl Once {
    /// Of so many clients, of which none has come.
    #[must_use]
    pub fn new(clients: u32) -> Self {
        Self(vec![Seen::default(); clients as usize])
    }

    /// A request of a client came; whether for the first time.
    pub fn is_first(&mut self, client: u32, sequence: u16) -> bool {
        let Some(seen) = self.0.get_mut(client as usize) else {
            return true;
        };
        let ahead = sequence.wrapping_sub(seen.newest).cast_signed();
        let behind = ahead.unsigned_abs();
        if seen.bits == 0 || ahead > 0 {
            seen.bits = seen.bits.checked_shl(behind.into()).unwrap_or(0) | 1;
            seen.newest = sequence;
            return true;
        }
        // Too old to be known.
        if behind >= WINDOW {
            return true;
        }
        let first = seen.bits & 1 << behind == 0;
        seen.bits |= 1 << behind;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_once_in_any_order() {
        let mut once = Once::new(2);
        for sequence in [65_500, 65_502, 65_501, 3, 65_535, 70] {
            assert!(once.is_first(1, sequence), "{sequence}");
            assert!(!once.is_first(1, sequence), "{sequence}");
        }
        assert!(!once.is_first(1, 65_535_u16.wrapping_add(71)));
        assert!(once.is_first(0, 70), "another client's");
        assert!(once.is_first(1, 6), "just too old to be known");
        assert!(once.is_first(1, 7) && !once.is_first(1, 7), "the oldest");
    }
}
