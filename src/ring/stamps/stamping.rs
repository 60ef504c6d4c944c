//! The source of timestamps in force, for as long as it lives.

use std::io;

use anyhow::Result;

use super::choice::{Timestamping, choose};
use super::hardware::{HardwareInfo, HardwareStamps};
use super::source::StampSource;
use crate::PerSide;
use crate::ring::link::Interface;

/// The source of timestamps in force, with why it was chosen. Dropped, it gives the interfaces their former
/// settings back.
#[derive(Debug)]
pub struct Stamping {
    /// Who takes timestamps.
    pub source: StampSource,
    /// Why, in one line.
    pub why: String,
    /// Whether the kernel timestamps what each interface sends: some drivers do not let it.
    pub software_transmit: PerSide<bool>,
    // Last set, first restored: both may be children of one card.
    down: Option<HardwareStamps>,
    up: Option<HardwareStamps>,
}

const BOTH: PerSide<bool> = PerSide {
    up: true,
    down: true,
};

impl Stamping {
    /// Chooses the source for a pair of interfaces, and switches hardware timestamps on if they are it.
    ///
    /// # Errors
    /// Only when hardware was asked for and cannot be had: one line with the reason and the remedy.
    pub fn set_up(wanted: Timestamping, interfaces: PerSide<&Interface>) -> Result<Self> {
        // An interface that cannot be asked has no hardware timestamps, and the kernel's.
        let info = interfaces.map(|interface| {
            HardwareInfo::query(interface).unwrap_or(HardwareInfo {
                software_transmit: true,
                ..HardwareInfo::default()
            })
        });
        let software_transmit = PerSide::from_fn(|side| info[side].software_transmit);
        let mut stamping = Self::choose(wanted, interfaces, &info)?;
        stamping.software_transmit = software_transmit;
        Ok(stamping)
    }

    fn choose(
        wanted: Timestamping,
        interfaces: PerSide<&Interface>,
        info: &PerSide<HardwareInfo>,
    ) -> Result<Self> {
        let offers = PerSide::from_fn(|side| (interfaces[side].name.as_str(), &info[side]));
        let (source, why) = choose(wanted, offers)?;
        if source == StampSource::Software {
            return Ok(Self::software(why));
        }
        let both = HardwareStamps::enable(interfaces.up, &info.up)
            .and_then(|up| Ok((up, HardwareStamps::enable(interfaces.down, &info.down)?)));
        match both {
            Ok((up, down)) => Ok(Self {
                source,
                why,
                software_transmit: BOTH,
                down: Some(down),
                up: Some(up),
            }),
            Err(error) if wanted == Timestamping::Auto => Ok(Self::software(format!(
                "software, because hardware timestamps were refused: {error:#}"
            ))),
            Err(error) => Err(error),
        }
    }

    const fn software(why: String) -> Self {
        Self::of(StampSource::Software, why)
    }

    /// A source, with nothing to give back.
    pub(crate) const fn of(source: StampSource, why: String) -> Self {
        Self {
            source,
            why,
            software_transmit: BOTH,
            down: None,
            up: None,
        }
    }

    /// Switches hardware timestamps on again, which somebody may have switched off.
    ///
    /// # Errors
    /// The system's.
    pub fn put_right(&self) -> io::Result<()> {
        [&self.up, &self.down]
            .into_iter()
            .flatten()
            .try_for_each(HardwareStamps::put_right)
    }
}
