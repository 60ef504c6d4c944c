//! The Follow_Up of a one-step Sync that is sent on as a two-step one.

use pnet_packet::ipv4::{self, MutableIpv4Packet};
use pnet_packet::ipv6::MutableIpv6Packet;
use pnet_packet::udp::MutableUdpPacket;

use super::edit;
use super::frame::{Frame, TWO_STEP};
use super::lane::Transport;
use super::layout::Layout;
use super::message::{HEADER_LEN, MessageType};
use super::outer::PORTS;

/// Octets of a Follow_Up without TLVs.
const LEN: u16 = 44;
/// Least octets of an Ethernet frame, without its check sequence.
const ETHERNET_MIN: usize = 60;
/// controlField of a Follow_Up (13.3.2.13).
const CONTROL: u8 = 2;

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
    // Two octets trail each message of most senders over UDP/IPv6 (annex D).
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
    let len = if sync.bytes().len() < ETHERNET_MIN {
        end
    } else {
        end.max(ETHERNET_MIN)
    };
    let out = out.get_mut(..len)?;

    // Up to and with the timestamp, a Sync and its Follow_Up are laid out alike.
    let copied = ptp + usize::from(LEN);
    out.get_mut(..copied)?
        .copy_from_slice(sync.bytes().get(..copied)?);
    out.get_mut(copied..)?.fill(0);
    let header = out.get_mut(ptp..)?.first_chunk_mut::<HEADER_LEN>()?;
    header[0] = header[0] & 0xF0 | MessageType::FollowUp as u8;
    header[2..4].copy_from_slice(&LEN.to_be_bytes());
    header[6] &= !TWO_STEP;
    header[8..16].fill(0); // correctionField
    header[16..20].fill(0); // messageTypeSpecific: the Sync sender's own
    header[32] = CONTROL;

    if let Some(udp) = layout.udp_offset() {
        address(out, layout, udp)?;
    }
    Some(len)
}

/// Makes the lengths, ports and checksums of IP and UDP fit the message.
fn address(out: &mut [u8], layout: Layout, udp: usize) -> Option<()> {
    let udp_len = layout.carried + 8;
    let network = layout.network_offset();
    let skipped = u16::try_from(udp - network).ok()?;
    if layout.transport() == Transport::Udp4 {
        let mut ip = MutableIpv4Packet::new(out.get_mut(network..udp)?)?;
        ip.set_total_length(skipped + udp_len);
        ip.set_checksum(ipv4::checksum(&ip.to_immutable()));
    } else {
        let mut ip = MutableIpv6Packet::new(out.get_mut(network..udp)?)?;
        ip.set_payload_length(skipped - 40 + udp_len);
    }
    let mut header = MutableUdpPacket::new(out.get_mut(udp..)?)?;
    let [event, general] = PORTS;
    header.set_destination(general);
    if header.get_source() == event {
        header.set_source(general);
    }
    header.set_length(udp_len);
    let none = layout.transport() == Transport::Udp4 && header.get_checksum() == 0;
    if !none {
        edit::complete_checksum(out, layout);
    }
    Some(())
}
