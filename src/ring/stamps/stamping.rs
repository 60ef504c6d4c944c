//! The source of timestamps in force, for as long as it lives.

use std::os::fd::{AsRawFd as _, RawFd};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::choice::{SOFTWARE, Timestamping, choose};
use super::hardware::{HardwareInfo, HardwareStamps};
use super::keeper::{Keeper, KeeperNews};
use super::phc::{self, HardwareClock};
use super::source::StampSource;
use crate::ring::link::Interface;
use crate::{PerPort, PerSide, Side};

/// The source of timestamps in force, with why it was chosen. Once dropped, the interfaces have their former
/// settings back.
pub struct Stamping {
    /// Who takes timestamps.
    pub source: PerSide<StampSource>,
    /// Why, in one line.
    pub why: String,
    /// Whether the kernel timestamps what each interface sends: some drivers do not let it.
    pub software_transmit: PerPort<bool>,
    /// The hardware clocks that are read beside the steady clock, until somebody takes them.
    pub clocks: Vec<HardwareClock>,
    /// What is switched on, until a process of its own has it. Last set, first restored: both may be children of one card.
    kept: Vec<HardwareStamps>,
    keeper: Option<Keeper>,
}

impl Stamping {
    /// Chooses the source for the interfaces, and switches hardware timestamps on if they are it. With several downstream that
    /// is the kernel.
    ///
    /// # Errors
    /// Only when hardware was asked for and cannot be had: one line with the reason and the remedy.
    pub fn set_up(
        wanted: Timestamping,
        phc_bound: Duration,
        interfaces: &PerPort<&Interface>,
    ) -> Result<Self> {
        let mut info = interfaces.as_ref().map(|interface| query(interface));
        let software_transmit = info.as_ref().map(|info| info.software_transmit);
        let mut stamping = match interfaces.downs.as_slice() {
            [down] => {
                let pair = PerSide {
                    up: interfaces.up,
                    down: *down,
                };
                let info = PerSide {
                    up: info.up,
                    down: info.downs.swap_remove(0),
                };
                Self::choose(wanted, phc_bound, pair, &info)?
            }
            _ if wanted == Timestamping::Hardware => {
                return Err(anyhow!(
                    "no hardware timestamps: they take one interface downstream, and there are {}: set --timestamping \
                     software, or run a gateway for each",
                    interfaces.downs.len()
                ));
            }
            _ if wanted == Timestamping::Software => {
                Self::software("software, as asked for".into())
            }
            _ => Self::software("software, because there are several interfaces downstream".into()),
        };
        stamping.software_transmit = software_transmit;
        Ok(stamping)
    }

    fn choose(
        wanted: Timestamping,
        phc_bound: Duration,
        interfaces: PerSide<&Interface>,
        info: &PerSide<HardwareInfo>,
    ) -> Result<Self> {
        let offers = PerSide::from_fn(|side| (interfaces[side].name.as_str(), &info[side]));
        let (source, why) = choose(wanted, offers)?;
        if source == SOFTWARE {
            return Ok(Self::software(why));
        }
        let clocks = match clocks(source, phc_bound) {
            Ok(clocks) => clocks,
            Err(obstacle) if wanted == Timestamping::Auto => {
                return Ok(Self::software(format!("software, because {obstacle:#}")));
            }
            Err(obstacle) => return Err(anyhow!("no hardware timestamps: {obstacle:#}")),
        };
        let both = HardwareStamps::enable(interfaces.up, &info.up).and_then(|up| {
            Ok(vec![
                HardwareStamps::enable(interfaces.down, &info.down)?,
                up,
            ])
        });
        match both {
            Ok(kept) => Ok(Self {
                source,
                why,
                software_transmit: PerSide {
                    up: true,
                    down: true,
                }
                .into(),
                clocks,
                kept,
                keeper: None,
            }),
            Err(error) if wanted == Timestamping::Auto => Ok(Self::software(format!(
                "software, because hardware timestamps were refused: {error:#}"
            ))),
            Err(error) => Err(error),
        }
    }

    fn software(why: String) -> Self {
        Self::of(SOFTWARE, why)
    }

    /// A source, with nothing to give back.
    pub(crate) fn of(source: PerSide<StampSource>, why: String) -> Self {
        Self {
            source,
            why,
            software_transmit: PerSide {
                up: true,
                down: true,
            }
            .into(),
            clocks: Vec::new(),
            kept: Vec::new(),
            keeper: None,
        }
    }

    /// Leaves what is switched on to a process of its own, in which `confine` is called first: this one then needs no right to
    /// switch it on again, nor to give the interfaces their former settings back. To be called while there is one thread only.
    ///
    /// # Errors
    /// The system's, when there can be no process.
    pub fn leave_to_keeper(&mut self, confine: impl FnOnce()) -> Result<()> {
        if self.kept.is_empty() {
            return Ok(());
        }
        let keeper = Keeper::start(&mut self.kept, confine)
            .context("starting the process that keeps hardware timestamps on")?;
        self.keeper = Some(keeper);
        self.kept.iter_mut().for_each(HardwareStamps::leave);
        self.kept.clear();
        Ok(())
    }

    /// Readable when that process has [news](Self::keeper_news); `None` where there is no such process.
    #[must_use]
    pub fn keeper_descriptor(&self) -> Option<RawFd> {
        self.keeper.as_ref().map(|keeper| keeper.as_raw_fd())
    }

    /// What the process that keeps them on reports next; `None` when that is all.
    pub fn keeper_news(&mut self) -> Option<KeeperNews> {
        let news = self.keeper.as_mut()?.news();
        if news == Some(KeeperNews::Ended) {
            self.keeper = None;
        }
        news
    }

    /// Has hardware timestamps switched on again, which somebody may have switched off. What came of it is among the news, unless
    /// they were on.
    pub fn put_right(&self) {
        if let Some(keeper) = &self.keeper {
            keeper.look();
        }
    }

    /// An interface is like this now: it was made anew, or has another name.
    ///
    /// # Errors
    /// In words: another hardware clock takes its timestamps.
    pub fn follow(&self, side: Side, now: &Interface) -> Result<(), String> {
        let StampSource::Hardware(phc) = self.source[side] else {
            return Ok(());
        };
        match HardwareInfo::query(now) {
            Ok(info) if info.phc == Some(phc) => Ok(()),
            Ok(HardwareInfo {
                phc: Some(other), ..
            }) => Err(format!(
                "{}: its hardware clock is /dev/ptp{other} now, not /dev/ptp{phc}",
                now.name
            )),
            _ => Err(format!("{}: it has no hardware clock any more", now.name)),
        }
    }
}

/// What an interface offers. One that cannot be asked has no hardware timestamps, and the kernel's.
fn query(interface: &Interface) -> HardwareInfo {
    HardwareInfo::query(interface).unwrap_or(HardwareInfo {
        software_transmit: true,
        ..HardwareInfo::default()
    })
}

/// The clocks of these sources, open and read. Two must be known well enough against each other; one serves by itself, and
/// is read where it may be.
fn clocks(source: PerSide<StampSource>, phc_bound: Duration) -> Result<Vec<HardwareClock>> {
    let (StampSource::Hardware(up), StampSource::Hardware(down)) = (source.up, source.down) else {
        return Ok(Vec::new());
    };
    if up == down {
        return Ok(HardwareClock::open(up).into_iter().collect());
    }
    let mut clocks = vec![HardwareClock::open(up)?, HardwareClock::open(down)?];
    let bound_ns = phc::bound_ns(&mut clocks)?;
    if Duration::from_nanos(bound_ns.into()) > phc_bound {
        return Err(anyhow!(
            "/dev/ptp{up} and /dev/ptp{down} are two clocks, and known against each other to {bound_ns} ns only (--phc-bound)"
        ));
    }
    Ok(clocks)
}
