//! Hardware stamps: what an interface offers, which source to take, and switching them on and back.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result, anyhow};

use super::bindings::{ETHTOOL_GET_TS_INFO, EthtoolTsInfo};
use super::interface::Interface;
use super::stamps::StampSource;
use super::sys;

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

/// What the driver says of an interface's stamps (ETHTOOL_GET_TS_INFO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardwareInfo {
    /// Index of its PTP hardware clock (/dev/ptpN).
    pub phc: Option<u32>,
    /// It stamps what it sends, and reports raw hardware time.
    pub transmit: bool,
    /// The HWTSTAMP_FILTER_* to set so that it stamps every PTP event message it receives.
    pub receive_filter: Option<u32>,
}

/// The source of stamps in force, with why it was chosen. Dropped, it gives the interfaces their former
/// settings back.
#[derive(Debug)]
pub struct Stamping {
    /// Who stamps.
    pub source: StampSource,
    /// Why, in one line.
    pub why: String,
    // Last set, first restored: both may be children of one card.
    _down: Option<HardwareStamps>,
    _up: Option<HardwareStamps>,
}

impl Stamping {
    /// Chooses the source for a pair of interfaces, and switches hardware stamps on if they are it.
    ///
    /// # Errors
    /// Only when hardware was asked for and cannot be had: one line with the reason and the remedy.
    pub fn set_up(wanted: Timestamping, up: &Interface, down: &Interface) -> Result<Self> {
        // An interface that cannot be asked has no hardware stamps.
        let info = |interface| HardwareInfo::query(interface).unwrap_or_default();
        let (up_info, down_info) = match wanted {
            Timestamping::Software => (HardwareInfo::default(), HardwareInfo::default()),
            _ => (info(up), info(down)),
        };
        let (source, why) = choose(wanted, (&up.name, &up_info), (&down.name, &down_info))?;
        let software = |why| Self {
            source: StampSource::Software,
            why,
            _down: None,
            _up: None,
        };
        if source == StampSource::Software {
            return Ok(software(why));
        }
        let both = HardwareStamps::enable(up, &up_info)
            .and_then(|first| Ok((first, HardwareStamps::enable(down, &down_info)?)));
        match both {
            Ok((first, second)) => Ok(Self {
                source,
                why,
                _down: Some(second),
                _up: Some(first),
            }),
            Err(error) if wanted == Timestamping::Auto => Ok(software(format!(
                "software, because hardware stamps were refused: {error:#}"
            ))),
            Err(error) => Err(error),
        }
    }
}

/// Which source serves both interfaces, and why.
///
/// # Errors
/// Only when hardware is wanted and cannot be had.
pub fn choose(
    wanted: Timestamping,
    up: (&str, &HardwareInfo),
    down: (&str, &HardwareInfo),
) -> Result<(StampSource, String)> {
    if wanted == Timestamping::Software {
        return Ok((StampSource::Software, "software, as asked for".to_owned()));
    }
    match (obstacle(up, down), up.1.phc) {
        (None, Some(phc)) => Ok((
            StampSource::Hardware(phc),
            format!(
                "hardware: {} and {} share the clock /dev/ptp{phc}",
                up.0, down.0
            ),
        )),
        (obstacle, _) => {
            let obstacle = obstacle.unwrap_or_default();
            if wanted == Timestamping::Auto {
                Ok((
                    StampSource::Software,
                    format!("software, because {obstacle}"),
                ))
            } else {
                Err(anyhow!(
                    "no hardware stamps: {obstacle}; use --timestamping auto or software"
                ))
            }
        }
    }
}

fn obstacle(up: (&str, &HardwareInfo), down: (&str, &HardwareInfo)) -> Option<String> {
    let mut text = String::new();
    for (name, info) in [up, down] {
        let lacks = if info.phc.is_none() {
            "has no PTP hardware clock"
        } else if !info.transmit {
            "does not stamp in hardware what it sends"
        } else if info.receive_filter.is_none() {
            "does not stamp in hardware every PTP event it receives"
        } else {
            continue;
        };
        let and = if text.is_empty() { "" } else { " and " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{and}{name} {lacks}");
    }
    if !text.is_empty() {
        return Some(text);
    }
    match (up.1.phc, down.1.phc) {
        (Some(one), Some(other)) if one != other => Some(format!(
            "{} stamps by /dev/ptp{one} and {} by /dev/ptp{other}: stamps of two clocks do not subtract",
            up.0, down.0
        )),
        _ => None,
    }
}

impl HardwareInfo {
    /// Asks the driver.
    ///
    /// # Errors
    /// The system's; EOPNOTSUPP where the driver says nothing.
    pub fn query(interface: &Interface) -> io::Result<Self> {
        let socket = control_socket()?;
        let mut answer = EthtoolTsInfo {
            cmd: ETHTOOL_GET_TS_INFO,
            ..EthtoolTsInfo::default()
        };
        // SAFETY: SIOCETHTOOL with ETHTOOL_GET_TS_INFO reads and writes one ethtool_ts_info.
        unsafe {
            sys::interface_ioctl(
                socket.as_fd(),
                libc::SIOCETHTOOL,
                &interface.name,
                &mut answer,
            )
        }?;
        Ok(Self::from_answer(&answer))
    }

    fn from_answer(answer: &EthtoolTsInfo) -> Self {
        let has = |flags| answer.so_timestamping & flags == flags;
        let raw = has(libc::SOF_TIMESTAMPING_RAW_HARDWARE);
        // All frames first: some cards miss tagged ones with the narrower filter.
        let receive_filter = [
            libc::HWTSTAMP_FILTER_ALL,
            libc::HWTSTAMP_FILTER_PTP_V2_EVENT,
        ]
        .into_iter()
        .find(|filter| answer.rx_filters & (1 << filter) != 0);
        Self {
            phc: u32::try_from(answer.phc_index).ok(),
            transmit: raw
                && has(libc::SOF_TIMESTAMPING_TX_HARDWARE)
                && answer.tx_types & (1 << libc::HWTSTAMP_TX_ON) != 0,
            receive_filter: receive_filter
                .filter(|_| raw && has(libc::SOF_TIMESTAMPING_RX_HARDWARE)),
        }
    }
}

/// Hardware stamps switched on; the former setting returns when this is dropped.
#[derive(Debug)]
struct HardwareStamps {
    socket: OwnedFd,
    interface: String,
    former: libc::hwtstamp_config,
}

impl HardwareStamps {
    fn enable(interface: &Interface, info: &HardwareInfo) -> Result<Self> {
        let name = interface.name.as_str();
        let filter = info
            .receive_filter
            .and_then(|filter| i32::try_from(filter).ok())
            .with_context(|| format!("{name}: no receive filter"))?;
        let socket = control_socket().with_context(|| format!("{name}: socket"))?;
        let mut former = config(
            libc::HWTSTAMP_TX_OFF.cast_signed(),
            libc::HWTSTAMP_FILTER_NONE.cast_signed(),
        );
        // A driver that cannot tell its setting gets "off" at the end.
        let _ = exchange(&socket, libc::SIOCGHWTSTAMP, name, &mut former);
        let mut setting = config(libc::HWTSTAMP_TX_ON.cast_signed(), filter);
        exchange(&socket, libc::SIOCSHWTSTAMP, name, &mut setting).map_err(|error| {
            let remedy = match error.raw_os_error() {
                Some(libc::EPERM) => " (needs CAP_NET_ADMIN: run as root or see deploy/)",
                _ => "",
            };
            anyhow!("{name}: switching hardware stamps on: {error}{remedy}")
        })?;
        let stamps = Self {
            socket,
            interface: name.to_owned(),
            former,
        };
        // Drivers may answer with a wider filter, or silently with none at all.
        if setting.rx_filter == libc::HWTSTAMP_FILTER_NONE.cast_signed()
            || setting.tx_type == libc::HWTSTAMP_TX_OFF.cast_signed()
        {
            return Err(anyhow!(
                "{name}: the driver did not switch hardware stamps on"
            ));
        }
        Ok(stamps)
    }
}

impl Drop for HardwareStamps {
    fn drop(&mut self) {
        let mut former = self.former;
        if let Err(error) = exchange(
            &self.socket,
            libc::SIOCSHWTSTAMP,
            &self.interface,
            &mut former,
        ) {
            log::warn!("{}: restoring its stamp setting: {error}", self.interface);
        }
    }
}

fn exchange(
    socket: &OwnedFd,
    request: libc::c_ulong,
    interface: &str,
    setting: &mut libc::hwtstamp_config,
) -> io::Result<()> {
    // SAFETY: SIOCGHWTSTAMP and SIOCSHWTSTAMP, the only requests used here, read and write one
    // hwtstamp_config.
    unsafe { sys::interface_ioctl(socket.as_fd(), request, interface, setting) }
}

const fn config(tx_type: i32, rx_filter: i32) -> libc::hwtstamp_config {
    libc::hwtstamp_config {
        flags: 0,
        tx_type,
        rx_filter,
    }
}

/// Any socket serves for interface ioctls.
fn control_socket() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
        .or_else(|_| sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers of real drivers, as `ethtool -T` shows them.
    fn answer(
        so_timestamping: u32,
        phc_index: i32,
        tx_types: u32,
        rx_filters: u32,
    ) -> HardwareInfo {
        HardwareInfo::from_answer(&EthtoolTsInfo {
            cmd: ETHTOOL_GET_TS_INFO,
            so_timestamping,
            phc_index,
            tx_types,
            rx_filters,
            ..EthtoolTsInfo::default()
        })
    }

    /// Software transmit and receive, no clock.
    fn veth() -> HardwareInfo {
        answer(0x1A, -1, 0, 0)
    }

    /// igb (i210): all flags, transmit off and on, filters none and all.
    fn igb(phc: i32) -> HardwareInfo {
        answer(0x5F, phc, 0b11, 0b11)
    }

    /// A clock, stamps of PTP v2 events only (filters none, 6, 9, 12).
    fn narrow(phc: i32) -> HardwareInfo {
        answer(0x5F, phc, 0b11, 1 | 1 << 6 | 1 << 9 | 1 << 12)
    }

    /// A clock and receive stamps of PTP v1 only.
    fn old(phc: i32) -> HardwareInfo {
        answer(0x5F, phc, 0b11, 1 | 1 << 3)
    }

    fn chosen(wanted: Timestamping, up: HardwareInfo, down: HardwareInfo) -> (StampSource, String) {
        choose(wanted, ("eth0", &up), ("eth1", &down)).unwrap()
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(veth(), HardwareInfo::default());
        assert_eq!(
            igb(0),
            HardwareInfo {
                phc: Some(0),
                transmit: true,
                receive_filter: Some(1)
            }
        );
        assert_eq!(narrow(2).receive_filter, Some(12));
        assert_eq!(old(0).receive_filter, None);
        // Receive stamps without transmit type "on".
        assert!(!answer(0x5F, 0, 0b01, 0b11).transmit);
        // A clock whose stamps are not raw.
        assert!(!answer(0x1F, 0, 0b11, 0b11).transmit);
    }

    #[test]
    fn auto_takes_hardware_only_with_one_clock() {
        let auto = |up, down| chosen(Timestamping::Auto, up, down);
        assert_eq!(auto(igb(3), narrow(3)).0, StampSource::Hardware(3));
        for (up, down, why) in [
            (
                veth(),
                veth(),
                "eth0 has no PTP hardware clock and eth1 has no PTP hardware clock",
            ),
            (igb(0), veth(), "because eth1 has no PTP hardware clock"),
            (
                igb(0),
                igb(1),
                "eth0 stamps by /dev/ptp0 and eth1 by /dev/ptp1",
            ),
            (
                old(0),
                igb(0),
                "eth0 does not stamp in hardware every PTP event",
            ),
        ] {
            let (source, text) = auto(up, down);
            assert_eq!(source, StampSource::Software);
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn explicit_choices_are_kept_or_refused() {
        assert_eq!(
            chosen(Timestamping::Software, igb(0), igb(0)).0,
            StampSource::Software
        );
        assert_eq!(
            chosen(Timestamping::Hardware, igb(0), igb(0)).0,
            StampSource::Hardware(0)
        );
        let refused = |up: HardwareInfo, down: HardwareInfo| {
            choose(Timestamping::Hardware, ("eth0", &up), ("eth1", &down))
                .unwrap_err()
                .to_string()
        };
        assert!(refused(igb(0), igb(1)).contains("two clocks"));
        assert!(refused(veth(), igb(1)).contains("--timestamping auto"));
    }
}
