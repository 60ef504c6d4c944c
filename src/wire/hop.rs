//! What a router looks at in a message, and whom it leaves as.

use super::address::Mac;
use super::field::{ethernet, ipv4, ipv6, udp};
use super::frame::Frame;
use super::lane::Transport;

impl Frame<'_> {
    /// IPv4's TTL, or IPv6's hop limit: how many routers may still forward it, and one. 255 over Ethernet.
    #[must_use]
    pub fn hops_left(&self) -> u8 {
        let at = match self.lane().transport() {
            Transport::Ethernet => return u8::MAX,
            Transport::Udp4 => ipv4::TTL.start,
            Transport::Udp6 => ipv6::HOP_LIMIT,
        };
        let at = self.layout().network_offset() + at;
        self.bytes().get(at).copied().unwrap_or_default()
    }

    /// Has its IP header options (IPv4) or extension headers (IPv6)? Source routes are among them.
    #[must_use]
    pub fn has_ip_options(&self) -> bool {
        let plain = match self.lane().transport() {
            Transport::Ethernet => return false,
            Transport::Udp4 => ipv4::MIN_LEN,
            Transport::Udp6 => ipv6::LEN,
        };
        let layout = self.layout();
        layout.ptp_offset() != layout.network_offset() + plain + udp::LEN
    }
}

/// Puts both MAC addresses in the place of others. No checksum covers them.
pub fn set_macs(bytes: &mut [u8], from: Mac, to: Mac) {
    if let Some(header) = bytes.first_chunk_mut::<{ ethernet::LEN }>() {
        header[ethernet::DESTINATION].copy_from_slice(&to.0);
        header[ethernet::SOURCE].copy_from_slice(&from.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::MessageType;
    use super::super::samples::*;
    use super::*;

    #[test]
    fn hops_and_options_are_read_behind_tags() {
        for tags in TAGS {
            for transport in TRANSPORTS {
                let sample = Sample::new(transport, message(MessageType::Sync)).tags(tags);
                let bytes = sample.bytes();
                let frame = Frame::parse(&bytes).expect("a frame");
                let ip = transport != Transport::Ethernet;
                assert_eq!(frame.hops_left() == u8::MAX, !ip, "{transport:?}");
                assert!(!frame.has_ip_options());
            }
        }
        let mut v4 = Sample::new(Transport::Udp4, message(MessageType::DelayReq));
        v4.options = vec![0x83, 3, 4, 0];
        let mut v6 = Sample::new(Transport::Udp6, message(MessageType::DelayReq));
        v6.extensions = (43, vec![17, 0, 0, 0, 0, 0, 0, 0]);
        for sample in [v4, v6] {
            let bytes = sample.bytes();
            assert!(Frame::parse(&bytes).expect("a frame").has_ip_options());
        }
    }

    #[test]
    fn only_the_addresses_change() {
        let before = Sample::new(Transport::Udp4, message(MessageType::Sync)).bytes();
        let mut after = before.clone();
        let (from, to) = (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2]));
        set_macs(&mut after, from, to);
        let frame = Frame::parse(&after).expect("a frame");
        assert_eq!((frame.source_mac(), frame.destination_mac()), (from, to));
        assert_eq!(after[12..], before[12..]);
        set_macs(&mut [0; 5], from, to);
    }
}
