//! PTP message types and what their bodies hold (IEEE 1588-2019, clause 13).

use super::field::{announce, read};
use super::identity::ClockIdentity;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

macro_rules! message_types {
    ($($(#[doc = $doc:literal])+ $name:ident = $value:literal, $label:literal, $written:literal, $len:literal;)+) => {
        /// messageType (13.3.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum MessageType { $($(#[doc = $doc])+ $name = $value,)+ }

        impl MessageType {
            /// Every type that the standard defines, by value.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word used in logs, metrics and reports.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            /// The standard's word, which a frame is called by.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $written),+ }
            }

            /// Bytes of a message of this type without TLVs, its header included.
            #[must_use]
            pub const fn min_len(self) -> usize {
                match self { $(Self::$name => $len),+ }
            }
        }

        impl TryFrom<u8> for MessageType {
            type Error = Reason;

            /// [`Reason::UnknownType`] for a value that the standard reserves.
            fn try_from(value: u8) -> Result<Self, Reason> {
                match value { $($value => Ok(Self::$name),)+ _ => Err(Reason::UnknownType) }
            }
        }
    };
}

message_types! {
    /// Event: the time, or the promise of a Follow_Up.
    Sync = 0, "sync", "Sync", 44;
    /// Event: asks when it arrived.
    DelayReq = 1, "delay_req", "Delay_Req", 44;
    /// Event: asks the neighbour.
    PdelayReq = 2, "pdelay_req", "Pdelay_Req", 54;
    /// Event: the neighbour's answer.
    PdelayResp = 3, "pdelay_resp", "Pdelay_Resp", 54;
    /// The time of a two-step Sync.
    FollowUp = 8, "follow_up", "Follow_Up", 44;
    /// Answers a Delay_Req.
    DelayResp = 9, "delay_resp", "Delay_Resp", 54;
    /// The time of a two-step Pdelay_Resp.
    PdelayRespFollowUp = 0xA, "pdelay_resp_follow_up", "Pdelay_Resp_Follow_Up", 54;
    /// Who the grandmaster is and how good.
    Announce = 0xB, "announce", "Announce", 64;
    /// Negotiation; TLVs only.
    Signaling = 0xC, "signaling", "Signaling", 44;
    /// Reads and writes of a clock's data sets.
    Management = 0xD, "management", "Management", 48;
}

impl MessageType {
    /// Is its departure and arrival stamped (7.3.3)?
    #[must_use]
    pub const fn is_event(self) -> bool {
        (self as u8) < 8
    }
}

impl std::fmt::Display for MessageType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.label())
    }
}

/// A timestamp as it is written in a message (5.3.3), valid or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PtpTime {
    /// Seconds since the epoch; 48 bits on the wire.
    pub seconds: u64,
    /// Nanoseconds of the second; valid below 10^9.
    pub nanoseconds: u32,
}

impl PtpTime {
    /// Reads the ten bytes of a timestamp.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 10]) -> Self {
        let [a, b, c, d, e, f, ns @ ..] = bytes;
        Self {
            seconds: u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
            nanoseconds: u32::from_be_bytes(ns),
        }
    }

    /// Nanoseconds since the epoch; `None` when the nanoseconds make a second or more, or when they
    /// do not fit (292 years).
    #[must_use]
    pub fn as_nanos(self) -> Option<i64> {
        if self.nanoseconds >= 1_000_000_000 {
            return None;
        }
        i64::try_from(self.seconds)
            .ok()?
            .checked_mul(1_000_000_000)?
            .checked_add(i64::from(self.nanoseconds))
    }
}

/// clockQuality (5.3.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClockQuality {
    /// clockClass.
    pub class: u8,
    /// clockAccuracy.
    pub accuracy: u8,
    /// offsetScaledLogVariance.
    pub variance: u16,
}

/// What an Announce says (13.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Announce {
    /// grandmasterIdentity.
    pub grandmaster: ClockIdentity,
    /// grandmasterPriority1.
    pub priority1: u8,
    /// grandmasterClockQuality.
    pub quality: ClockQuality,
    /// grandmasterPriority2.
    pub priority2: u8,
    /// Boundary clocks between the grandmaster and the sender.
    pub steps_removed: u16,
    /// timeSource (7.6.2.8).
    pub time_source: u8,
    /// currentUtcOffset, seconds.
    pub utc_offset: i16,
}

impl Announce {
    /// Reads the body, from originTimestamp on.
    pub(super) fn from_bytes(body: &[u8; announce::LEN]) -> Self {
        Self {
            utc_offset: i16::from_be_bytes(read(body, announce::UTC_OFFSET)),
            priority1: body[announce::PRIORITY_1],
            quality: ClockQuality {
                class: body[announce::CLASS],
                accuracy: body[announce::ACCURACY],
                variance: u16::from_be_bytes(read(body, announce::VARIANCE)),
            },
            priority2: body[announce::PRIORITY_2],
            grandmaster: ClockIdentity(read(body, announce::GRANDMASTER)),
            steps_removed: u16::from_be_bytes(read(body, announce::STEPS_REMOVED)),
            time_source: body[announce::TIME_SOURCE],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::field::ptp;
    use super::*;

    #[test]
    fn values_are_those_of_the_standard() {
        for value in 0..=u8::MAX {
            let known = matches!(value, 0..=3 | 8..=0xD);
            let parsed = MessageType::try_from(value);
            assert_eq!(parsed.is_ok(), known, "{value}");
            if let Ok(message_type) = parsed {
                assert_eq!(message_type as u8, value);
                assert_eq!(message_type.is_event(), value < 4, "{value}");
            }
        }
        assert_eq!(MessageType::ALL.len(), 10);
        assert!(
            MessageType::ALL
                .iter()
                .all(|t| t.min_len() >= ptp::HEADER_LEN)
        );
    }

    #[test]
    fn timestamps() {
        let time = PtpTime::from_bytes([0, 0, 0x5A, 0x67, 0x94, 0x01, 0x0E, 0xCC, 0x5F, 0x75]);
        assert_eq!(time.seconds, 0x5A67_9401);
        assert_eq!(time.nanoseconds, 248_274_805);
        assert_eq!(time.as_nanos(), Some(1_516_737_537_248_274_805));
        let largest = PtpTime::from_bytes([0xFF; 10]);
        assert_eq!(largest.seconds, 0xFFFF_FFFF_FFFF);
        assert_eq!(largest.as_nanos(), None, "nanoseconds");
        for (seconds, nanoseconds, expected) in [
            (0, 999_999_999, Some(999_999_999)),
            (0, 1_000_000_000, None),
            (9_223_372_036, 854_775_807, Some(i64::MAX)),
            (9_223_372_036, 854_775_808, None),
            (0xFFFF_FFFF_FFFF, 0, None),
        ] {
            let time = PtpTime {
                seconds,
                nanoseconds,
            };
            assert_eq!(time.as_nanos(), expected, "{time:?}");
        }
    }
}
