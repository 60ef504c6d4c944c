//! Which source of timestamps serves both interfaces.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};

use super::hardware::HardwareInfo;
use super::source::StampSource;
use crate::PerSide;

/// What the user asks for (`--timestamping`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamping {
    /// Hardware where both interfaces share one hardware clock, else software.
    #[default]
    Auto,
    /// Hardware, or an error.
    Hardware,
    /// Software.
    Software,
}

/// Which source serves both interfaces, each given by its name and what it offers; and why.
///
/// # Errors
/// Only when hardware is wanted and cannot be had.
pub fn choose(
    wanted: Timestamping,
    interfaces: PerSide<(&str, &HardwareInfo)>,
) -> Result<(StampSource, String)> {
    if wanted == Timestamping::Software {
        return Ok((StampSource::Software, "software, as asked for".to_owned()));
    }
    match shared_clock(interfaces) {
        Ok(phc) => Ok((
            StampSource::Hardware(phc),
            format!(
                "hardware: {} and {} share the clock /dev/ptp{phc}",
                interfaces.up.0, interfaces.down.0
            ),
        )),
        Err(obstacle) if wanted == Timestamping::Auto => Ok((
            StampSource::Software,
            format!("software, because {obstacle}"),
        )),
        Err(obstacle) => Err(anyhow!(
            "no hardware timestamps: {obstacle}; use --timestamping auto or software"
        )),
    }
}

/// The hardware clock that takes timestamps for both, or what stands in the way.
fn shared_clock(interfaces: PerSide<(&str, &HardwareInfo)>) -> Result<u32, String> {
    let mut text = String::new();
    for (_, (name, info)) in interfaces.iter() {
        let lacks = if info.phc.is_none() {
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
        (Some(one), Some(other)) if text.is_empty() && one == other => Ok(one),
        (Some(one), Some(other)) if text.is_empty() => Err(format!(
            "{} has the clock /dev/ptp{one} and {} has /dev/ptp{other}: timestamps of two clocks do not subtract",
            up.0, down.0
        )),
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

    fn of(
        wanted: Timestamping,
        up: HardwareInfo,
        down: HardwareInfo,
    ) -> Result<(StampSource, String)> {
        let interfaces = PerSide {
            up: ("eth0", &up),
            down: ("eth1", &down),
        };
        choose(wanted, interfaces)
    }

    #[test]
    fn auto_takes_hardware_only_with_one_clock() {
        let auto = |up, down| of(Timestamping::Auto, up, down).unwrap();
        assert_eq!(auto(full(3), narrow(3)).0, StampSource::Hardware(3));
        for (up, down, why) in [
            (
                none(),
                none(),
                "eth0 has no PTP hardware clock and eth1 has no PTP hardware clock",
            ),
            (full(0), none(), "because eth1 has no PTP hardware clock"),
            (
                full(0),
                full(1),
                "eth0 has the clock /dev/ptp0 and eth1 has /dev/ptp1",
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
            assert_eq!(source, StampSource::Software);
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn explicit_choices_are_kept_or_refused() {
        let source = |wanted| of(wanted, full(0), full(0)).unwrap().0;
        assert_eq!(source(Timestamping::Software), StampSource::Software);
        assert_eq!(source(Timestamping::Hardware), StampSource::Hardware(0));
        let refused = |up, down| {
            let refused = of(Timestamping::Hardware, up, down);
            refused.unwrap_err().to_string()
        };
        assert!(refused(full(0), full(1)).contains("two clocks"));
        assert!(refused(none(), full(1)).contains("--timestamping auto"));
    }
}
