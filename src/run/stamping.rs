//! Whether hardware or the kernel timestamps, while it runs: what was chosen at the start is kept only while it delivers.

use std::time::Duration;

use crate::core::{Lack, TxStamps};
use crate::ring::{StampSource, Stamping, Timestamping};
use crate::time::Instant;
use crate::{PerPort, PerSide, Side};

/// Hardware that failed is tried again after this long; twice that after it failed again.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Until a setting that is put right has its effect.
const SETTLED: Duration = Duration::from_millis(200);
/// That it was put right is logged this often.
const RIGHTED_EVERY: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Somebody may have switched the card's timestamps off: they are switched on again.
    PutRight,
    /// From now on the kernel timestamps. What to log, unless that was said before.
    Leave(Option<String>),
    /// Hardware is tried again.
    Return,
    /// It goes on, and this is logged.
    Warn(String),
    /// Hardware has delivered for a while after it had failed.
    Back,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The kernel timestamps: there is no choice.
    Software,
    /// Hardware does, since then. Whether its setting was put right since.
    Hardware { since: Instant, righted: bool },
    /// The kernel timestamps until then.
    Left { until: Instant, lack: Lack },
}

/// Who timestamps now, and what comes next.
#[derive(Debug)]
pub(super) struct StampChoice {
    falls_back: bool,
    names: PerSide<String>,
    state: State,
    pause: Duration,
    /// It was logged that hardware fails.
    told: bool,
    /// When it was last logged that its setting was put right.
    righted: Option<Instant>,
    source: PerSide<StampSource>,
    /// Why that was chosen.
    why: String,
    /// What the kernel can do.
    software: PerPort<bool>,
}

impl StampChoice {
    pub(super) fn new(
        wanted: Timestamping,
        names: PerSide<String>,
        stamping: &Stamping,
        now: Instant,
    ) -> Self {
        let state = match stamping.source.up {
            StampSource::Software => State::Software,
            StampSource::Hardware(_) => State::Hardware {
                since: now,
                righted: false,
            },
        };
        Self {
            falls_back: matches!(wanted, Timestamping::Auto),
            names,
            state,
            pause: PAUSE,
            told: false,
            righted: None,
            source: stamping.source,
            why: stamping.why.clone(),
            software: stamping.software_transmit.clone(),
        }
    }

    /// Who timestamps.
    pub(super) fn source(&self) -> PerSide<StampSource> {
        match self.state {
            State::Hardware { .. } => self.source,
            State::Software | State::Left { .. } => PerSide::from_fn(|_| StampSource::Software),
        }
    }

    /// What departures get upstream, and by each port downstream.
    pub(super) fn tx_stamps(&self) -> impl Iterator<Item = PerSide<TxStamps>> {
        let source = self.source();
        let of = move |side, software| TxStamps {
            hardware: match source[side] {
                StampSource::Hardware(phc) => Some(phc),
                StampSource::Software => None,
            },
            software,
        };
        (self.software.downs.iter()).map(move |down| PerSide {
            up: of(Side::Up, self.software.up),
            down: of(Side::Down, *down),
        })
    }

    /// Whether hardware may timestamp, now or later.
    pub(super) const fn by_hardware(&self) -> bool {
        !matches!(self.state, State::Software)
    }

    /// Hardware cannot serve any more until the next start.
    pub(super) fn give_up(&mut self, why: &str) -> Step {
        self.state = State::Software;
        self.why = format!("software, because since the start a hardware clock has changed: {why}");
        Step::Leave(Some(format!(
            "{why}: the kernel timestamps from now on; restart ptpproxy to use it"
        )))
    }

    /// Who timestamps, for status, while it runs.
    pub(super) fn in_words(&self) -> String {
        match self.state {
            State::Hardware { .. } => self.why.clone(),
            State::Left { lack, .. } => match lack {
                Lack::Receive | Lack::Transmit => {
                    "software, because the hardware gives no timestamps".to_owned()
                }
                Lack::Clocks => {
                    "software, because the two hardware clocks are not known against each other to --phc-bound"
                        .to_owned()
                }
            },
            State::Software => self.why.clone(),
        }
    }

    /// What is to be done now that hardware does not deliver this, or delivers.
    pub(super) fn next(&mut self, lacks: Option<(Side, Lack)>, now: Instant) -> Option<Step> {
        match (self.state, lacks) {
            (State::Software, _) => None,
            (State::Left { until, .. }, _) => {
                if now < until {
                    return None;
                }
                self.state = State::Hardware {
                    since: now,
                    righted: false,
                };
                Some(Step::Return)
            }
            (State::Hardware { since, righted }, None) => {
                if now.since(since) < PAUSE || !(righted || self.told) {
                    return None;
                }
                self.state = State::Hardware {
                    since: now,
                    righted: false,
                };
                self.pause = PAUSE;
                std::mem::take(&mut self.told).then_some(Step::Back)
            }
            (State::Hardware { since, .. }, Some((side, Lack::Clocks))) => {
                // That is no matter of a setting.
                self.fails((side, Lack::Clocks), since, now)
            }
            (State::Hardware { righted: false, .. }, Some(_)) => {
                self.state = State::Hardware {
                    since: now,
                    righted: true,
                };
                Some(Step::PutRight)
            }
            (State::Hardware { since, .. }, Some(_)) if now.since(since) < SETTLED => None,
            (State::Hardware { since, .. }, Some(lacks)) => self.fails(lacks, since, now),
        }
    }

    /// Its setting was put right. Whether that is to be logged.
    pub(super) fn put_right(&mut self, now: Instant) -> bool {
        let log = self
            .righted
            .is_none_or(|last| now.since(last) >= RIGHTED_EVERY);
        if log {
            self.righted = Some(now);
        }
        log
    }

    /// Hardware fails although its setting was put right.
    fn fails(&mut self, lacks: (Side, Lack), since: Instant, now: Instant) -> Option<Step> {
        let text = (!std::mem::replace(&mut self.told, true)).then(|| self.words(lacks));
        if self.falls_back {
            self.state = State::Left {
                until: now + self.pause,
                lack: lacks.1,
            };
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            return Some(Step::Leave(text));
        }
        if now.since(since) >= PAUSE {
            self.state = State::Hardware {
                since: now,
                righted: false,
            };
        }
        text.map(Step::Warn)
    }

    /// What fails, and what to do.
    fn words(&self, (side, lack): (Side, Lack)) -> String {
        let name = &self.names[side];
        let what = match lack {
            Lack::Receive => "receives",
            Lack::Transmit => "sends",
            Lack::Clocks => return self.clocks_in_words(),
        };
        let then = if self.falls_back {
            "the kernel timestamps instead; set --timestamping software if the card cannot"
        } else {
            "exchanges without them are estimated or dropped; set --timestamping auto"
        };
        format!(
            "{name}: no hardware timestamps of what it {what}, though its driver offers them (ethtool -T {name}): {then}"
        )
    }

    fn clocks_in_words(&self) -> String {
        let then = if self.falls_back {
            "the kernel timestamps instead"
        } else {
            "answers are dropped; set --timestamping auto"
        };
        format!(
            "{} and {}: their hardware clocks are not known against each other to --phc-bound: {then}, or raise --phc-bound",
            self.names.up, self.names.down
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LACK: Option<(Side, Lack)> = Some((Side::Down, Lack::Receive));

    fn choice(wanted: Timestamping, source: StampSource) -> StampChoice {
        let names = PerSide {
            up: "eth0".to_owned(),
            down: "eth1".to_owned(),
        };
        let stamping = Stamping::of(PerSide::from_fn(|_| source), String::new());
        StampChoice::new(wanted, names, &stamping, at(0))
    }

    fn at(s: u64) -> Instant {
        Instant::from_nanos(1_000_000_000_000 + s * 1_000_000_000)
    }

    #[test]
    fn auto_leaves_hardware_that_fails_and_tries_it_ever_more_seldom() {
        let mut choice = choice(Timestamping::Auto, StampSource::Hardware(1));
        let up = |choice: &StampChoice| choice.tx_stamps().next().expect("one").up.hardware;
        assert_eq!(up(&choice), Some(1));
        assert_eq!(choice.next(None, at(1)), None);
        assert_eq!(choice.next(LACK, at(2)), Some(Step::PutRight));
        let Some(Step::Leave(Some(text))) = choice.next(LACK, at(3)) else {
            panic!("it fails");
        };
        assert!(text.starts_with("eth1: no hardware timestamps of what it receives"));
        assert!(text.contains("--timestamping software"), "{text}");
        assert_eq!(choice.source().up, StampSource::Software);
        assert_eq!(up(&choice), None);
        assert_eq!(choice.next(None, at(62)), None);
        let mut tries = Vec::new();
        for s in 63..20_000 {
            if choice.next(LACK, at(s)) == Some(Step::Return) {
                tries.push(s);
                assert_eq!(choice.next(LACK, at(s)), Some(Step::PutRight));
                let early = at(s) + SETTLED / 2;
                assert_eq!(choice.next(LACK, early), None, "it takes its time");
                assert_eq!(
                    choice.next(LACK, at(s) + SETTLED),
                    Some(Step::Leave(None)),
                    "once is enough"
                );
            }
        }
        let gaps: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // From when it is left, looked at each second.
        assert_eq!(gaps, [121, 241, 481, 961, 1921, 3601, 3601, 3601, 3601]);
        // It delivers again.
        let back = (20_000..30_000).find(|&s| choice.next(None, at(s)) == Some(Step::Back));
        assert!(back.is_some());
        assert_eq!(choice.source().down, StampSource::Hardware(1));
        assert_eq!(choice.next(LACK, at(40_000)), Some(Step::PutRight));
        assert!(matches!(
            choice.next(LACK, at(40_001)),
            Some(Step::Leave(Some(_)))
        ));
    }

    #[test]
    fn hardware_that_was_switched_off_is_put_right_without_a_word() {
        let mut choice = choice(Timestamping::Auto, StampSource::Hardware(0));
        assert_eq!(choice.next(LACK, at(5)), Some(Step::PutRight));
        for s in 6..600 {
            assert_eq!(choice.next(None, at(s)), None);
        }
        assert_eq!(
            choice.next(LACK, at(600)),
            Some(Step::PutRight),
            "once more"
        );
    }

    #[test]
    fn two_clocks_that_cannot_be_compared_are_left() {
        let two = PerSide {
            up: StampSource::Hardware(0),
            down: StampSource::Hardware(1),
        };
        let names = PerSide {
            up: "eth0".to_owned(),
            down: "eth1".to_owned(),
        };
        let lack = Some((Side::Down, Lack::Clocks));
        let stamping = Stamping::of(two, "hardware over two clocks".to_owned());
        let mut choice = StampChoice::new(Timestamping::Auto, names, &stamping, at(0));
        let stamps = choice.tx_stamps().next().expect("one");
        assert_eq!(
            (stamps.up.hardware, stamps.down.hardware),
            (Some(0), Some(1))
        );
        let Some(Step::Leave(Some(text))) = choice.next(lack, at(3)) else {
            panic!("no setting mends that");
        };
        assert!(
            text.starts_with("eth0 and eth1: their hardware clocks"),
            "{text}"
        );
        assert!(text.contains("--phc-bound"), "{text}");
        assert!(choice.in_words().contains("--phc-bound"));
        assert_eq!(choice.next(None, at(64)), Some(Step::Return));
        assert_eq!(choice.source(), two);
    }

    #[test]
    fn what_was_asked_for_stays() {
        let mut forced = choice(Timestamping::Hardware, StampSource::Hardware(0));
        let steps: Vec<Step> = (0..200).filter_map(|s| forced.next(LACK, at(s))).collect();
        let warnings = steps.iter().filter(|step| matches!(step, Step::Warn(_)));
        assert_eq!(warnings.count(), 1, "{steps:?}");
        assert!(
            steps
                .iter()
                .all(|step| matches!(step, Step::Warn(_) | Step::PutRight))
        );
        assert!((3..6).contains(&steps.len()), "{steps:?}");
        assert_eq!(forced.source().up, StampSource::Hardware(0));
        let mut software = choice(Timestamping::Software, StampSource::Software);
        assert_eq!(software.next(LACK, at(9)), None);
    }
}
