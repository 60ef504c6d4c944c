//! The source of timestamps in force, for as long as it lives.

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
    // Last set, first restored: both may be children of one card.
    _down: Option<HardwareStamps>,
    _up: Option<HardwareStamps>,
}

impl Stamping {
    /// Chooses the source for a pair of interfaces, and switches hardware timestamps on if they are it.
    ///
    /// # Errors
    /// Only when hardware was asked for and cannot be had: one line with the reason and the remedy.
    pub fn set_up(wanted: Timestamping, interfaces: PerSide<&Interface>) -> Result<Self> {
        let info = interfaces.map(|interface| match wanted {
            Timestamping::Software => HardwareInfo::default(),
            // An interface that cannot be asked has no hardware timestamps.
            _ => HardwareInfo::query(interface).unwrap_or_default(),
        });
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
                _down: Some(down),
                _up: Some(up),
            }),
            Err(error) if wanted == Timestamping::Auto => Ok(Self::software(format!(
                "software, because hardware timestamps were refused: {error:#}"
            ))),
            Err(error) => Err(error),
        }
    }

    const fn software(why: String) -> Self {
        Self {
            source: StampSource::Software,
            why,
            _down: None,
            _up: None,
        }
    }
}
