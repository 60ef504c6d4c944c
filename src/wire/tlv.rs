//! TLVs (IEEE 1588-2019, clause 14) and those of the unicast negotiation (16.1).

use super::message::MessageType;

/// MANAGEMENT (15.5.2).
pub const MANAGEMENT: u16 = 0x0001;
/// MANAGEMENT_ERROR_STATUS (15.5.4).
pub const MANAGEMENT_ERROR_STATUS: u16 = 0x0002;
/// ORGANIZATION_EXTENSION (14.3).
pub const ORGANIZATION_EXTENSION: u16 = 0x0003;
/// REQUEST_UNICAST_TRANSMISSION (16.1.4.1).
pub const REQUEST_UNICAST_TRANSMISSION: u16 = 0x0004;
/// GRANT_UNICAST_TRANSMISSION (16.1.4.2).
pub const GRANT_UNICAST_TRANSMISSION: u16 = 0x0005;
/// CANCEL_UNICAST_TRANSMISSION (16.1.4.3).
pub const CANCEL_UNICAST_TRANSMISSION: u16 = 0x0006;
/// ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION (16.1.4.4).
pub const ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION: u16 = 0x0007;
/// NTP inside a Delay_Req: chrony's choice among the values for experiments (14.2.2).
pub const NTP: u16 = 0x2023;
/// AUTHENTICATION (16.14).
pub const AUTHENTICATION: u16 = 0x8009;

/// Type and value of each TLV. A length beyond the message ends it, as does a tail of less than a TLV.
///
/// An odd lengthField is against the standard and read as it is: so nothing can hide behind it.
#[derive(Clone, Debug)]
pub struct Tlvs<'a> {
    rest: &'a [u8],
    malformed: bool,
}

impl<'a> Tlvs<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            malformed: false,
        }
    }

    /// Did the iteration end before the octets did? Known once it has ended.
    #[must_use]
    pub const fn malformed(&self) -> bool {
        self.malformed
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let tlv = self
            .rest
            .split_first_chunk()
            .and_then(|(&[a, b, c, d], rest)| {
                let len = usize::from(u16::from_be_bytes([c, d]));
                let (value, rest) = rest.split_at_checked(len)?;
                Some((u16::from_be_bytes([a, b]), value, rest))
            });
        let Some((kind, value, rest)) = tlv else {
            self.rest = &[];
            self.malformed = true;
            return None;
        };
        self.rest = rest;
        Some((kind, value))
    }
}

impl std::iter::FusedIterator for Tlvs<'_> {}

/// The four steps of a unicast negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnicastKind {
    /// The client asks.
    Request,
    /// The master grants, or refuses with 0 seconds.
    Grant,
    /// Either side ends it.
    Cancel,
    /// The other side agrees.
    AcknowledgeCancel,
}

/// One TLV of the unicast negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unicast {
    /// Which step.
    pub kind: UnicastKind,
    /// The messages that it is about.
    pub message_type: MessageType,
    /// logInterMessagePeriod; 0 where a cancel has none.
    pub log_period: i8,
    /// durationField, seconds; 0 refuses a request, and a cancel has none.
    pub seconds: u32,
}

impl Unicast {
    /// Reads a TLV; `None` if it is another one, is too short or is about a reserved messageType.
    #[must_use]
    pub fn from_tlv(kind: u16, value: &[u8]) -> Option<Self> {
        let kind = match kind {
            REQUEST_UNICAST_TRANSMISSION => UnicastKind::Request,
            GRANT_UNICAST_TRANSMISSION => UnicastKind::Grant,
            CANCEL_UNICAST_TRANSMISSION => UnicastKind::Cancel,
            ACKNOWLEDGE_CANCEL_UNICAST_TRANSMISSION => UnicastKind::AcknowledgeCancel,
            _ => return None,
        };
        let message_type = MessageType::try_from(value.first()? >> 4).ok()?;
        let (log_period, seconds) = match kind {
            UnicastKind::Request | UnicastKind::Grant => {
                let &[_, log_period, a, b, c, d] = value.first_chunk()?;
                (log_period.cast_signed(), u32::from_be_bytes([a, b, c, d]))
            }
            UnicastKind::Cancel | UnicastKind::AcknowledgeCancel => (0, 0),
        };
        Some(Self {
            kind,
            message_type,
            log_period,
            seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tlvs_end_at_what_is_malformed() {
        let good = [0, 1, 0, 2, 0xAA, 0xBB, 0x80, 9, 0, 0];
        let mut tlvs = Tlvs::new(&good);
        assert_eq!(tlvs.next(), Some((MANAGEMENT, &[0xAA, 0xBB][..])));
        assert_eq!(tlvs.next(), Some((AUTHENTICATION, &[][..])));
        assert_eq!(tlvs.next(), None);
        assert!(!tlvs.malformed());
        for cut in 1..good.len() {
            let mut tlvs = Tlvs::new(&good[..cut]);
            assert_eq!(tlvs.by_ref().count(), usize::from(cut >= 6), "{cut}");
            assert_eq!(tlvs.malformed(), cut != 6, "{cut}");
            assert_eq!(tlvs.next(), None);
        }
        let odd = [0, 3, 0, 1, 0xAA, 0x80, 9, 0, 0];
        assert!(Tlvs::new(&odd).any(|(kind, _)| kind == AUTHENTICATION));
    }

    #[test]
    fn unicast_negotiation() {
        let request = Unicast::from_tlv(4, &[0x90, 0xF9, 0, 0, 1, 0x2C]);
        assert_eq!(
            request,
            Some(Unicast {
                kind: UnicastKind::Request,
                message_type: MessageType::DelayResp,
                log_period: -7,
                seconds: 300,
            })
        );
        let grant = Unicast::from_tlv(5, &[0xB0, 1, 0, 0, 0, 60, 0, 1]).expect("a grant");
        assert_eq!(grant.kind, UnicastKind::Grant);
        assert_eq!(grant.message_type, MessageType::Announce);
        assert_eq!((grant.log_period, grant.seconds), (1, 60));
        let cancel = Unicast::from_tlv(6, &[0x02, 0]).expect("a cancel");
        assert_eq!(cancel.kind, UnicastKind::Cancel);
        assert_eq!(cancel.message_type, MessageType::Sync);
        let answer = Unicast::from_tlv(7, &[0xB0, 0]).expect("an answer");
        assert_eq!(answer.kind, UnicastKind::AcknowledgeCancel);
        assert_eq!(Unicast::from_tlv(5, &[0xB0, 1, 0, 0, 0]), None, "short");
        assert_eq!(
            Unicast::from_tlv(4, &[0x70, 1, 0, 0, 0, 60]),
            None,
            "reserved type"
        );
        assert_eq!(
            Unicast::from_tlv(3, &[0xB0, 1, 0, 0, 0, 60]),
            None,
            "another TLV"
        );
    }
}
