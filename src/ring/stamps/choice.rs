//! Which sources of timestamps serve the two interfaces.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};

use super::hardware::HardwareInfo;
use super::source::StampSource;
use crate::PerSide;

/// The kernel timestamps both.
pub(super) const SOFTWARE: PerSide<StampSource> = PerSide {
    up: StampSource::Software,
    down: StampSource::Software,
};

/// What the user asks for (`--timestamping`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamping {
    /// Hardware where both interfaces have it, by one clock or by two that can be compared well enough, else software.
    #[default]
    Auto,
    /// Hardware, or an error.
    Hardware,
    /// Software.
    Software,
}

/// Which source serves each of the two interfaces, given by its name and what it offers; and why.
///
/// # Errors
/// Only when hardware is wanted and cannot be had.
pub fn choose(
    wanted: Timestamping,
    interfaces: PerSide<(&str, &HardwareInfo)>,
) -> Result<(PerSide<StampSource>, String)> {
    if wanted == Timestamping::Software {
        return Ok((SOFTWARE, "software, as asked for".to_owned()));
    }
    match clocks(interfaces) {
        Ok(clocks) => {
            let PerSide { up, down } = interfaces.map(|(name, _)| name);
            let why = if clocks.up == clocks.down {
                format!(
                    "hardware: {up} and {down} share the clock /dev/ptp{}",
                    clocks.up
                )
            } else {
                format!(
                    "hardware over two clocks: {up} has /dev/ptp{} and {down} has /dev/ptp{}",
                    clocks.up, clocks.down
                )
            };
            Ok((clocks.map(StampSource::Hardware), why))
        }
        Err(obstacle) if wanted == Timestamping::Auto => {
            Ok((SOFTWARE, format!("software, because {obstacle}")))
        }
        Err(obstacle) => Err(anyhow!(
            "no hardware timestamps: {obstacle}; use --timestamping auto or software"
        )),
    }
}

/// The hardware clocks that take timestamps, or what stands in the way.
fn clocks(interfaces: PerSide<(&str, &HardwareInfo)>) -> Result<PerSide<u32>, String> {
    let mut text = String::new();
    for (_, (name, info)) in interfaces.iter() {
        let lacks = if info.bonded {
            "is a bond or sits on one, whose hardware clock changes with the active member"
        } else if info.phc.is_none() {
            "has no PTP hardware clock"
        } else if !info.transmit {
            "does not timestamp in hardware what it sends"
        } else if info.receive_filter.is_none() {
            "does not timestamp in hardware every PTP event it receives"
        } else {
            continue;
        };
        let and = if text.is_empty() { "" } else { " and " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{and}{name} {lacks}");
    }
    let PerSide { up, down } = interfaces;
    match (up.1.phc, down.1.phc) {
        (Some(up), Some(down)) if text.is_empty() => Ok(PerSide { up, down }),
        _ => Err(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No clock, as a veth.
    fn none() -> HardwareInfo {
        HardwareInfo::default()
    }

    /// All that it takes.
    fn full(phc: u32) -> HardwareInfo {
        HardwareInfo {
            phc: Some(phc),
            transmit: true,
            receive_filter: Some(libc::HWTSTAMP_FILTER_ALL),
            software_transmit: true,
            bonded: false,
        }
    }

    /// Timestamps of PTP v2 events only.
    fn narrow(phc: u32) -> HardwareInfo {
        HardwareInfo {
            receive_filter: Some(libc::HWTSTAMP_FILTER_PTP_V2_EVENT),
            ..full(phc)
        }
    }

    /// Receive timestamps of PTP v1 only.
    fn old(phc: u32) -> HardwareInfo {
        HardwareInfo {
            receive_filter: None,
            ..full(phc)
        }
    }

    fn deaf(phc: u32) -> HardwareInfo {
        HardwareInfo {
            transmit: false,
            ..full(phc)
        }
    }

    fn both(up: u32, down: u32) -> PerSide<StampSource> {
        PerSide { up, down }.map(StampSource::Hardware)
    }

    fn of(
        wanted: Timestamping,
        up: HardwareInfo,
        down: HardwareInfo,
    ) -> Result<(PerSide<StampSource>, String)> {
        let interfaces = PerSide {
            up: ("eth0", &up),
            down: ("eth1", &down),
        };
        choose(wanted, interfaces)
    }

    #[test]
    fn auto_takes_hardware_where_both_have_it() {
        let auto = |up, down| of(Timestamping::Auto, up, down).unwrap();
        let (source, why) = auto(full(3), narrow(3));
        assert_eq!(source, both(3, 3));
        assert_eq!(why, "hardware: eth0 and eth1 share the clock /dev/ptp3");
        let (source, why) = auto(full(0), narrow(1));
        assert_eq!(source, both(0, 1));
        assert_eq!(
            why,
            "hardware over two clocks: eth0 has /dev/ptp0 and eth1 has /dev/ptp1"
        );
        for (up, down, why) in [
            (
                none(),
                none(),
                "eth0 has no PTP hardware clock and eth1 has no PTP hardware clock",
            ),
            (full(0), none(), "because eth1 has no PTP hardware clock"),
            (
                HardwareInfo {
                    bonded: true,
                    ..full(0)
                },
                full(0),
                "because eth0 is a bond or sits on one",
            ),
            (
                old(0),
                full(0),
                "eth0 does not timestamp in hardware every PTP event",
            ),
            (
                full(0),
                deaf(0),
                "eth1 does not timestamp in hardware what it sends",
            ),
        ] {
            let (source, text) = auto(up, down);
            assert_eq!(source, SOFTWARE);
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn explicit_choices_are_kept_or_refused() {
        let source = |wanted| of(wanted, full(0), full(0)).unwrap().0;
        assert_eq!(source(Timestamping::Software), SOFTWARE);
        assert_eq!(source(Timestamping::Hardware), both(0, 0));
        let refused = |up, down| {
            let refused = of(Timestamping::Hardware, up, down);
            refused.unwrap_err().to_string()
        };
        assert!(refused(none(), full(1)).contains("--timestamping auto"));
    }
}
