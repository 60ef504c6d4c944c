//! From the Ethernet header to the PTP header: tags, IPv4, IPv6, UDP.
//!
//! X holds the offset of the header in question, less [`MAC`]: zero for the header after an untagged
//! MAC header. So each part reads at constant displacements, whatever came before.

use super::assembler::{Assembler, Label};
use super::instruction::{
    ADD, AND, JEQ, LD_B_IND, LD_H_ABS, LD_H_IND, LD_MEM, LD_W_IND, LDX_IMM, LSH, RSH, ST, TAX, TXA,
    WITH_X,
};
use crate::wire::field::{ethernet, ip, ipv4, ipv6, tag, udp};

/// Length of an Ethernet header.
pub(super) const MAC: u32 = offset(ethernet::LEN);

const TAG: u32 = offset(tag::LEN);
const UDP_HEADER: u32 = offset(udp::LEN);
const IPV6_HEADER: u32 = offset(ipv6::LEN);
const UDP: u32 = ip::UDP as u32;

/// An offset or a length as an instruction has it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "offsets in a header are small"
)]
pub(super) const fn offset(bytes: usize) -> u32 {
    bytes as u32
}

/// Where ARP and neighbour discovery go on; X + `MAC` = the offset of the ARP packet, or of the IPv6 header.
#[derive(Clone, Copy)]
pub(super) struct Ways {
    pub(super) arp: Label,
    pub(super) nd: Label,
}

/// The whole way, from the first byte of the frame.
///
/// Goes on at `ptp` with X + [`MAC`] the offset of the PTP header; at `pass` for the first fragment of
/// a PTP datagram; at one of `neighbours` for ARP and ICMPv6; at `drop` for what is neither.
pub(super) fn frame(
    asm: &mut Assembler,
    ptp: Label,
    neighbours: Ways,
    (pass, drop): (Label, Label),
) -> Label {
    let fragment = ports(asm, pass, drop);
    let udp = ports(asm, ptp, drop);
    let over_ipv6 = over_ipv6(asm, udp, (fragment, neighbours.nd), drop);
    let over_ipv4 = over_ipv4(asm, udp, fragment, drop);
    let mut inner = drop;
    // As many tags in the data; the kernel has taken the outermost one away before.
    for tags in (0..=offset(tag::MOST)).rev() {
        let mut next = drop;
        for tpid in tag::TPIDS {
            next = asm.jump(JEQ, tpid.into(), inner, next);
        }
        next = asm.jump(JEQ, ethernet::ARP.into(), neighbours.arp, next);
        next = asm.jump(JEQ, ethernet::IPV6.into(), over_ipv6, next);
        next = asm.jump(JEQ, ethernet::IPV4.into(), over_ipv4, next);
        next = asm.jump(JEQ, ethernet::PTP.into(), ptp, next);
        let ethertype = offset(ethernet::ETHERTYPE.start) + TAG * tags;
        inner = asm.block(&[(LDX_IMM, TAG * tags), (LD_H_ABS, ethertype)], next);
    }
    inner
}

/// The destination port, X + `MAC` already at the PTP header behind UDP.
fn ports(asm: &mut Assembler, ours: Label, drop: Label) -> Label {
    let mut next = drop;
    for port in udp::PTP_PORTS {
        next = asm.jump(JEQ, port.into(), ours, next);
    }
    let port = MAC - UDP_HEADER + offset(udp::DESTINATION_PORT.start);
    asm.block(&[(LD_H_IND, port)], next)
}

fn over_ipv4(asm: &mut Assembler, udp: Label, fragment: Label, drop: Label) -> Label {
    // The header's length is taken at its word: the core refuses nonsense.
    let skip = [
        (LD_B_IND, MAC + offset(ipv4::VERSION_AND_LEN)),
        (AND, 0x0F),
        (LSH, 2),
        (ADD | WITH_X, 0),
        (ADD, UDP_HEADER),
        (TAX, 0),
    ];
    let first = asm.block(&skip, fragment);
    let whole = asm.block(&skip, udp);
    // Flags and fragment offset, TTL, protocol: in one word.
    let more = (ipv4::MORE_FRAGMENTS as u32) << 16;
    let mask = more | (ipv4::FRAGMENT_OFFSET as u32) << 16 | 0xFF;
    let next = asm.jump(JEQ, more | UDP, first, drop);
    let next = asm.jump(JEQ, UDP, whole, next);
    let word = MAC + offset(ipv4::FRAGMENT.start);
    asm.block(&[(LD_W_IND, word), (AND, mask)], next)
}

fn over_ipv6(
    asm: &mut Assembler,
    udp: Label,
    (fragment, nd): (Label, Label),
    drop: Label,
) -> Label {
    // X stays at the IPv6 header until the first extension header is skipped.
    let ends = ends(asm, 0, (udp, fragment, drop));
    let mut next = next_header(asm, ends, drop);
    for _ in 1..ipv6::MOST_EXTENSIONS {
        let other = extension(asm, 0, next, drop);
        next = next_header(asm, ends, other);
    }
    let other = extension(asm, IPV6_HEADER, next, drop);
    let ends = self::ends(asm, IPV6_HEADER, (udp, fragment, drop));
    let other = asm.jump(JEQ, ip::ICMP6.into(), nd, other);
    let next = next_header(asm, ends, other);
    asm.block(&[(LD_B_IND, MAC + offset(ipv6::NEXT_HEADER))], next)
}

/// Where the chain of headers ends.
#[derive(Clone, Copy)]
struct Ends {
    udp: Label,
    fragment: Label,
}

/// UDP or a fragment header at X + `MAC` + `ahead`.
fn ends(asm: &mut Assembler, ahead: u32, (udp, fragment, drop): (Label, Label, Label)) -> Ends {
    let first = asm.block(
        &[(TXA, 0), (ADD, ahead + 8 + UDP_HEADER), (TAX, 0)],
        fragment,
    );
    let first = asm.jump(JEQ, UDP << 24, first, drop);
    Ends {
        fragment: asm.block(&[(LD_W_IND, MAC + ahead), (AND, 0xFF00_FFF8)], first),
        udp: asm.block(&[(TXA, 0), (ADD, ahead + UDP_HEADER), (TAX, 0)], udp),
    }
}

/// A = the type of a header: the end of the chain, or one of the `other`s.
fn next_header(asm: &mut Assembler, ends: Ends, other: Label) -> Label {
    let next = asm.jump(JEQ, ipv6::FRAGMENT.into(), ends.fragment, other);
    asm.jump(JEQ, UDP, ends.udp, next)
}

/// A = the type of the header at X + `MAC` + `ahead`: if it can be skipped, on to the `next` one.
fn extension(asm: &mut Assembler, ahead: u32, next: Label, drop: Label) -> Label {
    // Type and length in one halfword; options count in units of 8 bytes less 1, the
    // authentication header in units of 4 less 2.
    let read = [(LD_H_IND, MAC + ahead), (ST, 0), (AND, 0xFF)];
    let skip = asm.block(
        &[
            (LSH, 2),
            (ADD, ahead + 8),
            (ADD | WITH_X, 0),
            (TAX, 0),
            (LD_MEM, 0),
            (RSH, 8),
        ],
        next,
    );
    let authentication = asm.block(&read, skip);
    let options = asm.block(&[(LSH, 1)], skip);
    let options = asm.block(&read, options);
    let mut kinds = asm.jump(JEQ, ipv6::AUTHENTICATION.into(), authentication, drop);
    for kind in ipv6::OPTIONS {
        kinds = asm.jump(JEQ, kind.into(), options, kinds);
    }
    kinds
}
