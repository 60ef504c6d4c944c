//! Where timestamps come from, and what to ask the kernel for.

use serde::{Deserialize, Serialize};

use crate::time::{ClockId, Stamp};

/// Who timestamps event messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StampSource {
    /// The kernel, at the driver's boundary, from CLOCK_REALTIME.
    #[default]
    Software,
    /// The interface, from the PTP hardware clock with this index (/dev/ptpN).
    Hardware(u32),
}

impl StampSource {
    /// SO_TIMESTAMPING flags of a receive ring.
    pub(in crate::ring) const fn receive_flags(self) -> u32 {
        match self {
            Self::Software => libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE,
            // Software stamps stay on as well: frames that the hardware does not stamp need an age.
            Self::Hardware(_) => {
                libc::SOF_TIMESTAMPING_RX_HARDWARE
                    | libc::SOF_TIMESTAMPING_RAW_HARDWARE
                    | libc::SOF_TIMESTAMPING_RX_SOFTWARE
                    | libc::SOF_TIMESTAMPING_SOFTWARE
            }
        }
    }

    /// SO_TIMESTAMPING flags of a transmit ring's socket: what is reported, not what is stamped.
    pub(in crate::ring) const fn report_flags(self) -> u32 {
        libc::SOF_TIMESTAMPING_OPT_ID
            | libc::SOF_TIMESTAMPING_OPT_TSONLY
            | match self {
                Self::Software => libc::SOF_TIMESTAMPING_SOFTWARE,
                Self::Hardware(_) => {
                    libc::SOF_TIMESTAMPING_RAW_HARDWARE
                        | libc::SOF_TIMESTAMPING_SOFTWARE
                        | libc::SOF_TIMESTAMPING_OPT_TX_SWHW
                }
            }
    }

    /// Stamps that the kernel reports of each frame: beside that of the hardware its own, which serves if the other is
    /// lost.
    pub(in crate::ring) const fn stamps_a_frame(self) -> usize {
        match self {
            Self::Software => 1,
            Self::Hardware(_) => 2,
        }
    }

    /// Flags of the control message that stamps one kick.
    pub(in crate::ring) const fn transmit_flags(self) -> u32 {
        match self {
            Self::Software => libc::SOF_TIMESTAMPING_TX_SOFTWARE,
            Self::Hardware(_) => {
                libc::SOF_TIMESTAMPING_TX_HARDWARE | libc::SOF_TIMESTAMPING_TX_SOFTWARE
            }
        }
    }

    /// The clock of this source's stamps.
    #[must_use]
    pub const fn clock(self) -> ClockId {
        match self {
            Self::Software => ClockId::Realtime,
            Self::Hardware(phc) => ClockId::Hardware(phc),
        }
    }

    /// The stamp of a received slot: by its TP_STATUS_TS_* flags, not by what was asked for. A slot
    /// without a flag was stamped when it was copied, microseconds late: no stamp.
    pub(in crate::ring) fn received(
        self,
        status: u32,
        seconds: u32,
        nanoseconds: u32,
    ) -> Option<Stamp> {
        let ns = i64::from(seconds) * 1_000_000_000 + i64::from(nanoseconds);
        if status & libc::TP_STATUS_TS_RAW_HARDWARE != 0 {
            match self {
                Self::Hardware(phc) => Some(Stamp::new(ClockId::Hardware(phc), ns)),
                Self::Software => None,
            }
        } else if status & libc::TP_STATUS_TS_SOFTWARE != 0 {
            Some(Stamp::new(ClockId::Realtime, ns))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_flags_decide_the_clock() {
        let hardware = StampSource::Hardware(3);
        let at = |source: StampSource, status| source.received(status, 2, 5);
        assert_eq!(
            at(hardware, libc::TP_STATUS_TS_RAW_HARDWARE),
            Some(Stamp::new(ClockId::Hardware(3), 2_000_000_005))
        );
        assert_eq!(
            at(hardware, libc::TP_STATUS_TS_SOFTWARE),
            Some(Stamp::new(ClockId::Realtime, 2_000_000_005))
        );
        assert_eq!(
            at(StampSource::Software, libc::TP_STATUS_TS_SOFTWARE).map(Stamp::clock),
            Some(ClockId::Realtime)
        );
        // A slot's seconds are unsigned: they last until 2106.
        assert_eq!(
            StampSource::Software.received(libc::TP_STATUS_TS_SOFTWARE, 2_208_988_800, 5),
            Some(Stamp::new(ClockId::Realtime, 2_208_988_800_000_000_005))
        );
        assert_eq!(at(StampSource::Software, libc::TP_STATUS_USER), None);
        assert_eq!(
            at(StampSource::Software, libc::TP_STATUS_TS_RAW_HARDWARE),
            None
        );
    }
}
