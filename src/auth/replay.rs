//! What was accepted of each sender: a message that was signed right is accepted once.
//!
//! A sequenceId has 16 bits and a client begins anew when it restarts, so no check of it can be perfect. This
//! one accepts each sequenceId once, in any order among the last 64, and ahead of the last one by a window at
//! most, and by what its sender may have sent since: what a relay recorded an hour ago is neither. A sender that was
//! silent for four times its own interval (6 s to 2 min) may begin anywhere.
//!
//! The table is of fixed size and set-associative under a secret hash: a look-up costs one bucket whatever
//! senders come. Only verified messages are entered, so only holders of a key can fill it; then the sender
//! that was silent longest gives its row away.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use crate::time::Instant;

/// Rows of a bucket, each of 32 bytes: four cache lines.
const WAYS: usize = 8;
/// sequenceIds that may come late, behind the last one.
const BEHIND: u16 = 64;
/// A sender that was silent for less than this is expected to go on where it was.
const SHORTEST_QUIET: u64 = 6_000_000_000;
/// And for more than this never.
const LONGEST_QUIET: u64 = 120_000_000_000;
/// Lost messages that a gap may account for, at most.
const MOST_LOST: u16 = 4096;
/// Intervals of silence after which a sender may begin anew.
const QUIET_INTERVALS: u64 = 4;

/// Whose sequence a message belongs to, as words to hash.
pub(super) type Sender = [u64; 5];

/// What was accepted of one sender.
#[derive(Clone, Copy, Default)]
struct Row {
    /// The sender's hash; 0 is an empty row. 64 bits under a secret: two senders do not meet.
    sender: u64,
    /// When the last message was accepted, in ns.
    at: u64,
    /// Bit N: the sequenceId N below `last` was accepted.
    seen: u64,
    /// The longest gap between two of its messages, in ms, halved by each that comes sooner.
    interval: u32,
    last: u16,
}

const _: () = assert!(size_of::<Row>() == 32);

/// What was accepted of each sender.
pub(super) struct Replay {
    secret: (u64, u64),
    buckets: Box<[[Row; WAYS]]>,
    evicted: u64,
}

impl Replay {
    /// For this many senders, with room to spare: 128 bytes for each. All memory is reserved here.
    pub(super) fn new(senders: usize, secret: (u64, u64)) -> Self {
        let rows = senders.clamp(WAYS, 1 << 20) * 4;
        let buckets = (rows / WAYS).next_power_of_two();
        Self {
            secret,
            buckets: vec![[Row::default(); WAYS]; buckets].into_boxed_slice(),
            evicted: 0,
        }
    }

    /// Senders that gave their row away before they had been silent for long: what they sent could be
    /// replayed once.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Is this the first time that a verified message came, and is it in its sender's sequence? It may be
    /// ahead by `ahead` at most.
    pub(super) fn accept(
        &mut self,
        sender: Sender,
        sequence: u16,
        ahead: u16,
        now: Instant,
    ) -> bool {
        let (k0, k1) = self.secret;
        let mut hasher = SipHasher13::new_with_keys(k0, k1);
        hasher.write(bytemuck::bytes_of(&sender));
        let hash = hasher.finish().max(1);
        let mask = self.buckets.len() - 1;
        // The tag has all bits; the bucket is chosen by the upper ones, for usize may have 32.
        let bucket = &mut self.buckets[(hash >> 32) as u32 as usize & mask];
        let now = now.as_nanos();
        if let Some(row) = bucket.iter_mut().find(|row| row.sender == hash) {
            return row.accept(sequence, ahead, now);
        }
        let Some(row) = bucket
            .iter_mut()
            .min_by_key(|row| (row.sender != 0, row.at))
        else {
            return true;
        };
        self.evicted += u64::from(row.sender != 0 && !row.is_quiet(now));
        *row = Row {
            sender: hash,
            at: now,
            seen: 1,
            interval: 0,
            last: sequence,
        };
        true
    }
}

impl Row {
    fn accept(&mut self, sequence: u16, ahead: u16, now: u64) -> bool {
        let forward = sequence.wrapping_sub(self.last);
        let ahead = ahead
            .saturating_add(self.lost(now))
            .min(i16::MAX.unsigned_abs());
        let backward = self.last.wrapping_sub(sequence);
        if forward != 0 && forward <= ahead {
            self.seen = self.seen.checked_shl(u32::from(forward)).unwrap_or(0) | 1;
            self.last = sequence;
        } else if backward < BEHIND && self.seen & 1 << backward == 0 {
            self.seen |= 1 << backward;
        } else if self.is_quiet(now) {
            // Silence is no gap between messages.
            (self.seen, self.last, self.at) = (1, sequence, now);
            return true;
        } else {
            return false;
        }
        let gap = u32::try_from(now.saturating_sub(self.at) / 1_000_000).unwrap_or(u32::MAX);
        self.interval = gap.max(self.interval / 2);
        self.at = self.at.max(now);
        true
    }

    /// How many messages may have been lost since the last one: twice what the intervals beyond the usual one account for.
    /// Else a link that was down for a moment would silence its sender for seconds.
    fn lost(&self, now: u64) -> u16 {
        let gap = now.saturating_sub(self.at) / 1_000_000;
        let intervals = gap.checked_div(u64::from(self.interval)).unwrap_or(0);
        u16::try_from(2 * intervals.saturating_sub(1))
            .unwrap_or(u16::MAX)
            .min(MOST_LOST)
    }

    const fn is_quiet(&self, now: u64) -> bool {
        let expected = self.interval as u64 * 1_000_000 * QUIET_INTERVALS;
        let quiet = if expected < SHORTEST_QUIET {
            SHORTEST_QUIET
        } else if expected > LONGEST_QUIET {
            LONGEST_QUIET
        } else {
            expected
        };
        now.saturating_sub(self.at) > quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const SECOND: u64 = 1_000_000_000;

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(1_000 * SECOND + ns)
    }

    /// Says of each sequenceId, sent a millisecond apart, whether it is accepted.
    fn accepted(ahead: u16, sequence: &[u16]) -> Vec<bool> {
        let mut replay = Replay::new(16, (1, 2));
        let sent = sequence.iter().enumerate();
        sent.map(|(n, &id)| replay.accept([7; 5], id, ahead, at(n as u64 * 1_000_000)))
            .collect()
    }

    #[test]
    fn each_once_in_a_window_around_the_last() {
        for (ahead, sequence, expected) in [
            (3, &[10, 11, 12, 12, 11, 10][..], &[1, 1, 1, 0, 0, 0][..]),
            // Reordered, and some lost.
            (3, &[10, 12, 11, 15, 13, 14, 11], &[1, 1, 1, 1, 1, 1, 0]),
            // Ahead by the window, and by one more.
            (3, &[10, 13, 17, 16], &[1, 1, 0, 1]),
            (20, &[10, 30, 51, 50], &[1, 1, 0, 1]),
            // Around the end of the numbers.
            (
                3,
                &[65_534, 1, 65_535, 0, 1, 65_534, 2],
                &[1, 1, 1, 1, 0, 0, 1],
            ),
            // Late by 63, by 64; far behind is far ahead too.
            (64, &[100, 164, 101, 100, 99], &[1, 1, 1, 0, 0]),
            (64, &[100, 163, 99], &[1, 1, 0]),
            (0x7FFF, &[100, 32_867, 99, 32_866], &[1, 1, 0, 1]),
        ] {
            let expected: Vec<bool> = expected.iter().map(|&yes| yes == 1).collect();
            assert_eq!(accepted(ahead, sequence), expected, "{ahead} {sequence:?}");
        }
    }

    /// A cable that was pulled for some intervals, and a jump that no gap accounts for.
    #[test]
    fn what_was_lost_meanwhile_does_not_silence_its_sender() {
        for (lost, sent_after_ms, expected) in [
            (2, 0, true),
            (20, 20 * 62, true),
            (20, 62, false),
            (80, 80 * 62, true),
            (400, 80 * 62, false),
        ] {
            let mut replay = Replay::new(16, (1, 2));
            for id in 0..100_u16 {
                assert!(replay.accept([7; 5], id, 3, at(u64::from(id) * 62_000_000)));
            }
            let now = at((100 * 62 + sent_after_ms) * 1_000_000);
            assert_eq!(
                replay.accept([7; 5], 100 + lost, 3, now),
                expected,
                "{lost}"
            );
            // Nothing that was accepted comes in once more.
            assert!(!replay.accept([7; 5], 99, 3, now));
        }
    }

    #[test]
    fn who_was_silent_may_begin_anew() {
        // A sender every `interval` ms begins anew after a silence of `quiet` s, and not a second before.
        for (interval, quiet) in [
            (8, 6),
            (1_000, 6),
            (4_000, 16),
            (60_000, 120),
            (200_000, 120),
        ] {
            for (silence, expected) in [(quiet, false), (quiet + 1, true)] {
                let mut replay = Replay::new(16, (1, 2));
                let mut now = 0;
                for id in 5_000..5_010 {
                    assert!(replay.accept([7; 5], id, 3, at(now)));
                    now += interval * 1_000_000;
                }
                now = now - interval * 1_000_000 + silence * SECOND;
                assert_eq!(
                    replay.accept([7; 5], 0, 3, at(now)),
                    expected,
                    "{interval} ms"
                );
                // What is refused does not count as a sign of life, and its own sequence goes on.
                let next = if expected { 1 } else { 5_010 };
                assert!(replay.accept([7; 5], next, 3, at(now + 1)));
                assert!(!replay.accept([7; 5], next, 3, at(now + 2)));
            }
        }
    }

    #[test]
    fn refused_messages_do_not_keep_a_sender_from_beginning_anew() {
        let mut replay = Replay::new(16, (1, 2));
        assert!(replay.accept([7; 5], 5_000, 3, at(0)));
        let mut first = None;
        for tenth in 1..100_u16 {
            let now = at(u64::from(tenth) * SECOND / 10);
            if replay.accept([7; 5], tenth, 3, now) {
                first = first.or(Some(tenth));
            }
        }
        assert_eq!(first, Some(61));
    }

    #[test]
    fn a_long_gap_is_soon_forgotten() {
        let mut replay = Replay::new(16, (1, 2));
        let mut now = 0;
        assert!(replay.accept([7; 5], 0, 3, at(now)));
        now += 1_000 * SECOND;
        for id in 1..12 {
            assert!(replay.accept([7; 5], id, 3, at(now)));
            now += SECOND;
        }
        assert!(replay.accept([7; 5], 500, 3, at(now + 7 * SECOND)));
    }

    #[test]
    fn senders_have_rows_of_their_own_and_the_most_silent_gives_way() {
        let mut replay = Replay::new(1_000, (3, 4));
        let sender = |n: u64| [n, 0, 0, 0, 0];
        for n in 0..1_000 {
            assert!(replay.accept(sender(n), 7, 3, at(n)));
        }
        for n in 0..1_000 {
            assert!(!replay.accept(sender(n), 7, 3, at(2_000)), "{n}");
        }
        assert_eq!(replay.evicted(), 0, "room to spare");
        // Ten times as many: memory stays, the oldest are gone, the newest are all known.
        for n in 1_000..100_000 {
            assert!(replay.accept(sender(n), 7, 3, at(n)));
        }
        assert!(replay.evicted() > 90_000);
        for n in 99_900..100_000 {
            assert!(!replay.accept(sender(n), 7, 3, at(200_000)), "{n}");
        }
    }

    proptest! {
        /// Whatever comes in whatever order: nothing twice while the sender is not silent.
        #[test]
        fn nothing_is_accepted_twice(
            ahead in 1..200_u16,
            steps in prop::collection::vec((0..3_u8, any::<u16>()), 1..300),
        ) {
            let mut replay = Replay::new(16, (1, 2));
            let mut accepted = HashSet::new();
            let mut newest = 0_u16;
            let mut last = 0;
            for (n, (kind, value)) in steps.into_iter().enumerate() {
                let id = match kind {
                    0 => newest.wrapping_add(value % 8),
                    1 => newest.wrapping_sub(value % 100),
                    _ => value,
                };
                if replay.accept([7; 5], id, ahead, at(n as u64 * 1_000_000)) {
                    // Numbers do not come round here: 300 steps of less than 200.
                    prop_assert!(accepted.insert(id), "{id} twice");
                    let forward = id.wrapping_sub(newest);
                    // An interval is a millisecond or longer.
                    let lost = u16::try_from(2 * (n - last)).expect("few steps");
                    let in_window = n == 0 || forward <= ahead + lost;
                    prop_assert!(in_window || newest.wrapping_sub(id) < BEHIND);
                    last = n;
                    if in_window {
                        newest = id;
                    }
                }
            }
        }
    }
}
