//! The Follow_Up of a one-step Sync that is sent on as a two-step one.

use pnet_packet::ipv4::{self, MutableIpv4Packet};
use pnet_packet::ipv6::MutableIpv6Packet;
use pnet_packet::udp::MutableUdpPacket;

use super::edit;
use super::field::{ethernet, ipv6, ptp, udp};
use super::frame::Frame;
use super::lane::Transport;
use super::layout::Layout;
use super::message::MessageType;

/// Bytes of a Follow_Up without TLVs.
const LEN: u16 = 44;
const _: () = assert!(LEN as usize == MessageType::FollowUp.min_len());

/// Writes the Follow_Up for a Sync into `out` and returns its length (IEEE 1588-2019, 13.7).
///
/// Everything about its way (addresses, tags, IP options, TTL, DSCP) and its port (domain, sdoId,
/// minorVersionPTP, sourcePortIdentity, sequenceId, logMessageInterval, flags) is its Sync's;
/// preciseOriginTimestamp is the Sync's originTimestamp, and correctionField is 0. TLVs stay on the Sync.
/// `None` if `out` is too small, the frame is no Sync, or an IP authentication header signs it.
pub fn follow_up(sync: &Frame<'_>, out: &mut [u8]) -> Option<usize> {
    let from = sync.layout();
    if from.message_type != MessageType::Sync || from.sealed {
        return None;
    }
    // Two bytes trail each message of most senders over UDP/IPv6 (annex D).
    let trailing = if from.transport() == Transport::Udp6 && sync.trailing_len() == 2 {
        2
    } else {
        0
    };
    let layout = Layout {
        message: LEN,
        carried: LEN + trailing,
        message_type: MessageType::FollowUp,
        ..from
    };
    let ptp = layout.ptp_offset();
    let end = ptp + layout.carried_len();
    let len = if sync.bytes().len() < ethernet::MIN_FRAME {
        end
    } else {
        end.max(ethernet::MIN_FRAME)
    };
    let out = out.get_mut(..len)?;

    // Up to and with the timestamp, a Sync and its Follow_Up are laid out alike.
    let copied = ptp + usize::from(LEN);
    out.get_mut(..copied)?
        .copy_from_slice(sync.bytes().get(..copied)?);
    out.get_mut(copied..)?.fill(0);
    let header = out
        .get_mut(ptp..)?
        .first_chunk_mut::<{ ptp::HEADER_LEN }>()?;
    header[ptp::MESSAGE_TYPE] =
        header[ptp::MESSAGE_TYPE] & !ptp::LOW_HALF | MessageType::FollowUp as u8;
    header[ptp::MESSAGE_LENGTH].copy_from_slice(&LEN.to_be_bytes());
    header[ptp::FLAGS.start] &= !ptp::TWO_STEP;
    header[ptp::CORRECTION].fill(0);
    header[ptp::TYPE_SPECIFIC].fill(0); // the Sync sender's own
    header[ptp::CONTROL] = ptp::CONTROL_FOLLOW_UP;

    if let Some(at) = layout.udp_offset() {
        address(out, layout, at)?;
    }
    Some(len)
}

/// Makes the lengths, ports and checksums of IP and UDP fit the message.
pub(super) fn address(out: &mut [u8], layout: Layout, at: usize) -> Option<()> {
    let udp_len = layout.carried + u16::try_from(udp::LEN).ok()?;
    let network = layout.network_offset();
    let skipped = u16::try_from(at - network).ok()?;
    if layout.transport() == Transport::Udp4 {
        let mut ip = MutableIpv4Packet::new(out.get_mut(network..at)?)?;
        ip.set_total_length(skipped + udp_len);
        ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    } else {
        let mut ip = MutableIpv6Packet::new(out.get_mut(network..at)?)?;
        ip.set_payload_length(skipped - u16::try_from(ipv6::LEN).ok()? + udp_len);
    }
    let mut header = MutableUdpPacket::new(out.get_mut(at..)?)?;
    header.set_destination(udp::GENERAL);
    if header.get_source() == udp::EVENT {
        header.set_source(udp::GENERAL);
    }
    header.set_length(udp_len);
    let none = layout.transport() == Transport::Udp4 && header.get_checksum() == 0;
    if !none {
        edit::complete_checksum(out, layout);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::*;
    use super::*;
    use crate::wire::PtpTime;

    fn made(sync: &[u8]) -> Vec<u8> {
        let mut out = [0xEE; 256];
        let frame = Frame::parse(sync).expect("a Sync");
        let len = follow_up(&frame, &mut out).expect("a Follow_Up");
        assert!(out[len..].iter().all(|&octet| octet == 0xEE), "beyond");
        assert_eq!(follow_up(&frame, &mut vec![0; len - 1]), None, "too small");
        out[..len].to_vec()
    }

    #[test]
    fn a_follow_up_of_every_way_is_its_syncs() {
        for transport in TRANSPORTS {
            for tags in TAGS {
                // A TLV stays on the Sync.
                let sync = message_with(MessageType::Sync, &[0, 3, 0, 2, 1, 2]);
                let sync = Sample::new(transport, sync).tags(tags).bytes();
                let bytes = made(&sync);
                let sync = Frame::parse(&sync).expect("a Sync");
                let made = Frame::parse(&bytes).expect("a Follow_Up");

                assert_eq!(made.message_type(), MessageType::FollowUp);
                assert_eq!(made.lane(), sync.lane());
                assert_eq!(made.source_mac(), sync.source_mac());
                assert_eq!(made.destination_mac(), sync.destination_mac());
                assert_eq!(made.source(), sync.source());
                assert_eq!(made.destination(), sync.destination());
                assert_eq!(made.tags().collect::<Vec<_>>(), tags);
                assert_eq!(made.major_sdo_id(), 3);
                assert_eq!(made.minor_version(), 1);
                assert_eq!(made.domain(), sync.domain());
                assert_eq!(made.port_identity(), sync.port_identity());
                assert_eq!(made.sequence_id(), sync.sequence_id());
                assert_eq!(made.log_message_interval(), sync.log_message_interval());
                assert_eq!(made.timestamp(), sync.timestamp());
                assert_ne!(made.timestamp(), Some(PtpTime::default()));
                assert_eq!(made.correction(), 0);
                assert!(!made.two_step());
                assert_eq!(made.layout().message_len(), 44);

                let ptp = made.layout().ptp_offset();
                assert_eq!(bytes[ptp + 5], sync.bytes()[ptp + 5], "minorSdoId");
                assert_eq!(bytes[ptp + 6..ptp + 8], [0x04, 0x08], "flags");
                assert_eq!(bytes[ptp + 16..ptp + 20], [0; 4]);
                assert_eq!(bytes[ptp + 32], 2, "controlField");
                let trailing = if transport == Transport::Udp6 { 2 } else { 0 };
                match transport {
                    Transport::Ethernet => assert_eq!(bytes.len(), (ptp + 44).max(60)),
                    _ => assert_eq!(bytes.len(), ptp + 44 + trailing),
                }
                assert!(bytes[ptp + 44..].iter().all(|&octet| octet == 0));
            }
        }
    }

    #[test]
    fn lengths_ports_and_checksums_of_ip_and_udp() {
        let mut v4 = Sample::new(Transport::Udp4, message(MessageType::Sync)).tags(TAGS[1]);
        v4.options = vec![0x94, 4, 0, 0];
        v4.message.extend([0, 3, 0, 0]);
        v4.message[3] = 48;
        let sync = v4.bytes();
        let bytes = made(&sync);
        let (ip, udp) = (&bytes[18..42], &bytes[42..]);
        assert_eq!(ip[..2], sync[18..20], "DSCP");
        assert_eq!(ip[2..4], [0, 76]);
        assert_eq!(ip[4..10], sync[22..28], "id, flags, TTL");
        assert_eq!(checksum(&[ip]), 0);
        assert_eq!(ip[20..], [0x94, 4, 0, 0]);
        assert_eq!(udp[..6], [1, 64, 1, 64, 0, 52]);
        let sum = udp_checksum(&ip[12..20], udp);
        assert_eq!(udp[6..8], sum.to_be_bytes());

        let mut v6 = Sample::new(Transport::Udp6, message(MessageType::Sync));
        v6.extensions = (0, vec![17, 0, 5, 2, 0, 0, 1, 0]);
        for trailing in [0, 2, 6] {
            v6.trailing = vec![0; trailing];
            let sync = v6.bytes();
            let bytes = made(&sync);
            let kept = if trailing == 2 { 2 } else { 0 };
            let (ip, udp) = (&bytes[14..62], &bytes[62..]);
            assert_eq!(ip[..4], sync[14..18], "traffic class, flow label");
            assert_eq!(ip[4..6], [0, 8 + 52 + kept]);
            assert_eq!(ip[6..], sync[20..62], "hop limit, addresses, extension");
            assert_eq!(udp[..6], [1, 64, 1, 64, 0, 52 + kept]);
            let sum = udp_checksum(&ip[8..40], udp);
            assert_eq!(udp[6..8], sum.to_be_bytes());
        }
    }

    #[test]
    fn no_checksum_stays_none_and_other_source_ports_stay() {
        let mut sample = Sample::new(Transport::Udp4, message(MessageType::Sync));
        sample.checksum = false;
        let mut sync = sample.bytes();
        sync[34..36].copy_from_slice(&[0xC0, 0x01]);
        let bytes = made(&sync);
        assert_eq!(bytes[34..42], [0xC0, 0x01, 1, 64, 0, 52, 0, 0]);
    }

    #[test]
    fn a_sync_already_marked_as_two_step_does_not_pass_its_flag_on() {
        let mut sample = Sample::new(Transport::Udp4, message(MessageType::Sync));
        sample.message[6] |= 0x02;
        let bytes = made(&sample.bytes());
        assert!(!Frame::parse(&bytes).expect("a Follow_Up").two_step());
    }

    #[test]
    fn only_what_came_padded_leaves_padded() {
        let mut sample = Sample::new(Transport::Ethernet, message(MessageType::Sync));
        assert_eq!(made(&sample.bytes()).len(), 60);
        sample.padded = false;
        assert_eq!(made(&sample.bytes()).len(), 58);
    }

    #[test]
    fn no_follow_up_for_other_messages_or_signed_ones() {
        let mut out = [0; 256];
        for &message_type in MessageType::ALL {
            let bytes = Sample::new(Transport::Udp4, message(message_type)).bytes();
            let frame = Frame::parse(&bytes).expect("a frame");
            let len = follow_up(&frame, &mut out);
            assert_eq!(len.is_some(), message_type == MessageType::Sync);
        }
        let mut sample = Sample::new(Transport::Udp6, message(MessageType::Sync));
        sample.extensions = (51, vec![17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        let bytes = sample.bytes();
        let frame = Frame::parse(&bytes).expect("a frame");
        assert_eq!(follow_up(&frame, &mut out), None);
    }
}
