//! Hardware timestamps: what an interface offers, switching them on, and back at the end.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd, RawFd};

use anyhow::{Context as _, Result, anyhow};

use super::keeper::Kept;
use crate::ring::link::{Interface, LinkKind, carriers_of, parent_of, ports_of};
use crate::ring::os::bindings::{ETHTOOL_GET_TS_INFO, EthtoolTsInfo};
use crate::ring::os::setup::needs;
use crate::ring::os::sys;

/// What the driver reports of an interface's timestamps (ETHTOOL_GET_TS_INFO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardwareInfo {
    /// Index of its PTP hardware clock (/dev/ptpN).
    pub phc: Option<u32>,
    /// It stamps what it sends, and reports raw hardware time.
    pub transmit: bool,
    /// The HWTSTAMP_FILTER_* to set so that it stamps every PTP event message it receives.
    pub receive_filter: Option<u32>,
    /// The driver passes what it sends by the kernel's software timestamp (skb_tx_timestamp).
    pub software_transmit: bool,
    /// It is a bond or team or sits on one: its hardware clock is that of the member that is active.
    pub bonded: bool,
}

impl HardwareInfo {
    /// Asks the driver.
    ///
    /// # Errors
    /// The system's; EOPNOTSUPP where the driver has no answer.
    pub fn query(interface: &Interface) -> io::Result<Self> {
        let mut info = Self::ask(interface)?;
        info.bonded = is_bonded(interface);
        if !info.software_transmit {
            info.software_transmit = carriers_stamp(interface);
        }
        Ok(info)
    }

    fn ask(interface: &Interface) -> io::Result<Self> {
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
            software_transmit: has(libc::SOF_TIMESTAMPING_TX_SOFTWARE),
            bonded: false,
        }
    }
}

/// Whether a bond or team decides which card sends.
fn is_bonded(interface: &Interface) -> bool {
    let kinds = carriers_of(interface).unwrap_or_default();
    let mut kinds = kinds.iter().chain([&interface.kind]);
    kinds.any(|kind| matches!(kind, LinkKind::Bond | LinkKind::Team))
}

/// Whether an interface that says nothing of it sends by others, whose drivers timestamp what they send: a bridge, bond or team
/// by its ports, any other by what it sits on, as a port of a switch chip by the controller that the chip hangs on.
fn carriers_stamp(interface: &Interface) -> bool {
    // One that cannot be asked is taken for the usual.
    let stamps =
        |link: &Interface| HardwareInfo::query(link).map_or(true, |info| info.software_transmit);
    match interface.kind {
        LinkKind::Bridge | LinkKind::Bond | LinkKind::Team => {
            ports_of(interface).is_ok_and(|ports| ports.iter().all(stamps))
        }
        _ => parent_of(interface).is_ok_and(|parent| parent.as_ref().is_some_and(stamps)),
    }
}

/// Hardware timestamps switched on; the former setting returns when this is dropped.
#[derive(Debug)]
pub(super) struct HardwareStamps {
    socket: OwnedFd,
    interface: String,
    index: u32,
    /// Another process gives the former setting back.
    left: bool,
    former: libc::hwtstamp_config,
    setting: libc::hwtstamp_config,
    /// What the driver made of that.
    granted: libc::hwtstamp_config,
}

impl HardwareStamps {
    /// Switches them on.
    ///
    /// # Errors
    /// One line that names the interface, the reason and the remedy.
    pub(super) fn enable(interface: &Interface, info: &HardwareInfo) -> Result<Self> {
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
        // A driver that does not report its setting gets "off" at the end.
        let _ = exchange(&socket, libc::SIOCGHWTSTAMP, name, &mut former);
        let mut setting = config(libc::HWTSTAMP_TX_ON.cast_signed(), filter);
        exchange(&socket, libc::SIOCSHWTSTAMP, name, &mut setting).map_err(|error| {
            let remedy = match error.raw_os_error() {
                Some(libc::EPERM) => format!(" ({})", needs("CAP_NET_ADMIN")),
                _ => String::new(),
            };
            anyhow!("{name}: switching hardware timestamps on: {error}{remedy}")
        })?;
        let stamps = Self {
            socket,
            interface: name.to_owned(),
            index: interface.index,
            left: false,
            former,
            setting: config(libc::HWTSTAMP_TX_ON.cast_signed(), filter),
            granted: setting,
        };
        // Drivers may answer with a wider filter, or silently with none at all.
        if setting.rx_filter == libc::HWTSTAMP_FILTER_NONE.cast_signed()
            || setting.tx_type == libc::HWTSTAMP_TX_OFF.cast_signed()
        {
            return Err(anyhow!(
                "{name}: the driver did not switch hardware timestamps on"
            ));
        }
        Ok(stamps)
    }

    /// From now on another process has it.
    pub(super) const fn leave(&mut self) {
        self.left = true;
    }

    /// Its interface may have another name, or have been made anew under the same one.
    fn find(&mut self) {
        match sys::interface_name(self.socket.as_fd(), self.index) {
            Ok(name) => self.interface = name,
            Err(_) => {
                if let Ok(index) = sys::interface_index(self.socket.as_fd(), &self.interface) {
                    self.index = index;
                }
            }
        }
    }

    /// Whether a setting gives what was asked for: it is the one that was granted, or wider.
    const fn serves(&self, now: libc::hwtstamp_config) -> bool {
        now.tx_type == self.granted.tx_type
            && (now.rx_filter == self.granted.rx_filter
                || now.rx_filter == libc::HWTSTAMP_FILTER_ALL.cast_signed())
    }

    fn exchange(
        &self,
        request: libc::c_ulong,
        setting: &mut libc::hwtstamp_config,
    ) -> io::Result<()> {
        exchange(&self.socket, request, &self.interface, setting)
    }
}

impl Kept for HardwareStamps {
    fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    fn put_right(&mut self) -> io::Result<bool> {
        self.find();
        let mut now = self.former;
        if self.exchange(libc::SIOCGHWTSTAMP, &mut now).is_ok() && self.serves(now) {
            return Ok(false);
        }
        let mut setting = self.setting;
        self.exchange(libc::SIOCSHWTSTAMP, &mut setting)?;
        Ok(true)
    }

    fn give_back(&mut self) {
        self.find();
        let mut former = self.former;
        if let Err(error) = self.exchange(libc::SIOCSHWTSTAMP, &mut former) {
            log::warn!(
                "{}: restoring its timestamp setting: {error}",
                self.interface
            );
        }
    }
}

impl Drop for HardwareStamps {
    fn drop(&mut self) {
        if !self.left {
            self.give_back();
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

    #[test]
    fn answers_are_read() {
        assert_eq!(
            veth(),
            HardwareInfo {
                software_transmit: true,
                ..HardwareInfo::default()
            }
        );
        // vmxnet3: receive only.
        assert!(!answer(0x18, -1, 0, 0).software_transmit);
        assert_eq!(
            igb(0),
            HardwareInfo {
                phc: Some(0),
                transmit: true,
                receive_filter: Some(1),
                software_transmit: true,
                bonded: false,
            }
        );
        assert_eq!(narrow(2).receive_filter, Some(12));
        assert_eq!(old(0).receive_filter, None);
        // Receive stamps without transmit type "on".
        assert!(!answer(0x5F, 0, 0b01, 0b11).transmit);
        // A clock whose stamps are not raw.
        assert!(!answer(0x1F, 0, 0b11, 0b11).transmit);
    }
}
