//! How thinly the kernel filters sample what nobody here wants, by how much of it there is.
//!
//! In a small network every frame comes in, so that its reason shows at once; of a flood one in 1024. Each class
//! is judged by what the core has dropped of it, ten times a second; the filter is changed once a second at most.

use std::time::Duration;

use crate::core::Forwarder;
use crate::filter::{SampleClass, Sampling};
use crate::reason::Reason;
use crate::run::cores::counters;
use crate::side::{PerSide, Side};
use crate::telemetry::{Counters, Kind};
use crate::time::Instant;
use crate::wire::MessageType;

/// The steps: one frame of each of these numbers passes.
const STEPS: [u32; 4] = [1, 16, 256, THINNEST];
pub(super) const THINNEST: u32 = 1024;
/// More than this a second of one class make its sample thinner.
const MOST: u64 = 64;
/// A step back is made where at most this many would come in after it: a quarter, or it would come and go.
const BACK: u64 = 16;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// Between two changes of a filter.
const PAUSE: Duration = Duration::from_secs(1);
/// A flood is over after this time with little traffic.
const CALM: Duration = Duration::from_secs(3);

/// One in how many is to pass from now on, after `passed` frames of a class have come in within `span` while it was
/// one in `now`.
fn one_in(now: u32, passed: u64, span: Duration) -> u32 {
    let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    // A burst is no rate.
    let rate = |frames: u64| {
        let ms = u128::from(frames) * u128::from(now) * 1_000;
        u64::try_from(ms / u128::from(span_ms.max(1_000))).unwrap_or(u64::MAX)
    };
    let first = |rate: u64, most: u64| {
        let enough = |step: &&u32| rate <= most * u64::from(**step);
        STEPS.iter().find(enough).copied().unwrap_or(STEPS[3])
    };
    let all = rate(passed);
    if all > MOST * u64::from(now) {
        first(all, MOST)
    } else if span >= CALM {
        // What may have been missed by chance counts as well.
        let step = if now == STEPS[0] { 0 } else { 1 };
        first(rate(passed + step), BACK).min(now)
    } else {
        now
    }
}

/// One class on one side.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    since: Instant,
    /// Frames that the core had dropped then.
    dropped: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sampler {
    sampling: PerSide<Sampling>,
    windows: PerSide<[Window; SampleClass::ALL.len()]>,
    changed: PerSide<Instant>,
    looked: Instant,
}

impl Sampler {
    /// Everything passes at first.
    pub(super) const fn new() -> Self {
        Self::of(Sampling::each(STEPS[0]))
    }

    pub(super) const fn of(sampling: Sampling) -> Self {
        const NONE: Window = Window {
            since: Instant::from_nanos(0),
            dropped: 0,
        };
        const WINDOWS: [Window; SampleClass::ALL.len()] = [NONE; SampleClass::ALL.len()];
        Self {
            sampling: PerSide {
                up: sampling,
                down: sampling,
            },
            windows: PerSide {
                up: WINDOWS,
                down: WINDOWS,
            },
            changed: PerSide {
                up: Instant::from_nanos(0),
                down: Instant::from_nanos(0),
            },
            looked: Instant::from_nanos(0),
        }
    }

    pub(super) fn sampling(&self, side: Side) -> Sampling {
        self.sampling[side]
    }

    /// When to look even if no frame comes: a flood may be over.
    pub(super) fn due(&self) -> Option<Instant> {
        let thin = |side: Side| self.sampling[side] != Sampling::each(STEPS[0]);
        Side::BOTH
            .into_iter()
            .any(thin)
            .then(|| self.looked + PAUSE)
    }

    /// Looks at what has come in, if it is time: whether the filter of each side is to be made anew. `searches` says
    /// that the one upstream drops Delay_Resp to others at all.
    pub(super) fn look(
        &mut self,
        cores: &[Forwarder],
        searches: bool,
        now: Instant,
    ) -> PerSide<bool> {
        if now < self.looked + LOOK {
            return PerSide::from_fn(|_| false);
        }
        self.looked = now;
        let counters = counters(cores);
        PerSide::from_fn(|side| self.look_at(side, &counters, searches, now))
    }

    fn look_at(&mut self, side: Side, counters: &Counters, searches: bool, now: Instant) -> bool {
        if now < self.changed[side] + PAUSE {
            return false;
        }
        let mut changed = false;
        for class in SampleClass::ALL {
            let dropped = dropped(counters, side, class, searches);
            let window = &mut self.windows[side][class as usize];
            let span = now.since(window.since);
            let steps = &mut self.sampling[side].0[class as usize];
            let next = one_in(*steps, dropped.saturating_sub(window.dropped), span);
            if next != *steps || span >= CALM {
                *window = Window {
                    since: now,
                    dropped,
                };
            }
            changed |= next != *steps;
            *steps = next;
        }
        if changed {
            self.changed[side] = now;
            // What came in before the change says nothing of what comes after it.
            for class in SampleClass::ALL {
                self.windows[side][class as usize] = Window {
                    since: now,
                    dropped: dropped(counters, side, class, searches),
                };
            }
        }
        changed
    }
}

/// What the core has dropped of what the filter of this side samples.
fn dropped(counters: &Counters, side: Side, class: SampleClass, searches: bool) -> u64 {
    let all = |reason: Reason| -> u64 {
        Kind::all()
            .map(|kind| counters.dropped(side, kind, reason))
            .sum()
    };
    match (side, class) {
        (_, SampleClass::Domain) => all(Reason::Domain),
        (_, SampleClass::Neighbours) => all(Reason::NeighbourForeign),
        (Side::Down, _) => 0,
        (Side::Up, SampleClass::Version) => all(Reason::Version),
        (Side::Up, SampleClass::Gptp) => all(Reason::Gptp),
        (Side::Up, SampleClass::PeerDelay) => all(Reason::PeerDelay),
        (Side::Up, SampleClass::Reserved) => all(Reason::UnknownType),
        (Side::Up, SampleClass::Strangers) => {
            let answer = Kind::Message(MessageType::DelayResp);
            let answers = counters.dropped(side, answer, Reason::NotOurClient);
            all(Reason::Foreign) + all(Reason::NtpOverPtp) + if searches { answers } else { 0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_follows_the_rate() {
        for (now, passed, span_ms, expected) in [
            (1, 64, 100, 1),
            (1, 65, 100, 16),
            (1, 64, 1_000, 1),
            (1, 128, 2_000, 1),
            (1, 1_024, 500, 16),
            (1, 1_025, 500, 256),
            (1, 100_000, 100, 1024),
            (1, u64::MAX, 100, 1024),
            (16, 64, 1_000, 16),
            (16, 65, 1_000, 256),
            (16, 2, 2_900, 16),
            (16, 2, 3_000, 1),
            (16, 12, 3_000, 16),
            (256, 12, 3_000, 256),
            (256, 2, 3_000, 16),
            (1024, 0, 3_000, 256),
            (1024, 11, 3_000, 256),
            (1024, 12, 3_000, 1024),
            (1024, 1_000_000, 1_000, 1024),
            (1, 0, 3_000, 1),
        ] {
            let span = Duration::from_millis(span_ms);
            assert_eq!(
                one_in(now, passed, span),
                expected,
                "{now} {passed} {span_ms}"
            );
        }
    }

    /// At each rate that lasts, a step is found that stays, and some frames a second come in.
    #[test]
    fn each_rate_finds_its_step_and_something_of_it_comes_in() {
        for rate in [
            1_u64, 20, 64, 65, 300, 1_000, 1_100, 9_000, 16_000, 17_000, 1_000_000,
        ] {
            let (mut now, mut changes) = (1, 0);
            for _ in 0..20 {
                let next = one_in(now, rate * 3 / u64::from(now), CALM);
                changes += u32::from(next != now);
                now = next;
            }
            assert!(changes <= 1, "{rate}: {changes} changes");
            assert!(rate / u64::from(now) >= 1, "{rate}: one in {now}");
        }
    }

    #[test]
    fn a_filter_changes_once_a_second_and_one_flood_hides_nothing_else() {
        let mut sampler = Sampler::new();
        let mut counters = Counters::default();
        let at = |ms: u64| Instant::from_nanos((1_000_000 + ms) * 1_000_000);
        let kind = Kind::Message(MessageType::PdelayReq);
        assert!(!sampler.look_at(Side::Up, &counters, true, at(0)));
        let mut changes = Vec::new();
        for ms in (100..10_000).step_by(100) {
            let flood = if ms < 4_000 { 2_000 } else { 0 };
            for _ in 0..flood {
                counters.drop(Side::Up, kind, Reason::PeerDelay);
            }
            if sampler.look_at(Side::Up, &counters, true, at(ms)) {
                changes.push(ms);
            }
            if ms == 3_000 {
                let Sampling(
                    [
                        version,
                        gptp,
                        domain,
                        peer_delay,
                        reserved,
                        strangers,
                        neighbours,
                    ],
                ) = sampler.sampling(Side::Up);
                let others = [version, gptp, domain, reserved, strangers, neighbours];
                assert_eq!(others, [1; 6]);
                assert_eq!(peer_delay, 1024);
                assert!(sampler.due().is_some());
            }
        }
        assert_eq!(changes.first(), Some(&100), "at once");
        assert!(
            changes.windows(2).all(|two| two[1] - two[0] >= 1_000),
            "{changes:?}"
        );
        for ms in (10_000..25_000).step_by(100) {
            sampler.look_at(Side::Up, &counters, true, at(ms));
        }
        assert_eq!(sampler.sampling(Side::Up), Sampling::each(1), "over");
        assert_eq!(sampler.due(), None);
    }
}
