//! From the Ethernet header to the PTP header: tags, IPv4, IPv6, UDP.
//!
//! X holds the offset of the header in question, less [`MAC`]: zero for the header after an untagged
//! MAC header. So each part reads at constant displacements, whatever came before.

use super::assembler::{Assembler, Label};
use super::instruction::{
    ADD, AND, JEQ, LD_B_IND, LD_H_ABS, LD_H_IND, LD_MEM, LD_W_IND, LDX_IMM, LSH, RSH, ST, TAX, TXA,
    WITH_X,
};

/// Length of an Ethernet header.
pub(super) const MAC: u32 = 14;

const ETHERTYPE_IPV4: u32 = 0x0800;
const ETHERTYPE_IPV6: u32 = 0x86DD;
const ETHERTYPE_PTP: u32 = 0x88F7;
const TAGS: [u32; 3] = [0x8100, 0x88A8, 0x9100];
/// Tags in the data; the kernel has taken the outermost one away before.
const MAX_TAGS: u32 = 2;
const PROTOCOL_UDP: u32 = 17;
const PORTS: [u32; 2] = [319, 320];

const IPV6_HEADER: u32 = 40;
/// Hop-by-hop options, routing, destination options: length in 8 octets, less 1.
const OPTIONS: [u32; 3] = [0, 43, 60];
/// Authentication header: length in 4 octets, less 2.
const AUTHENTICATION: u32 = 51;
const FRAGMENT: u32 = 44;
/// Extension headers before UDP that are followed.
const MAX_EXTENSIONS: u32 = 4;

/// The whole way, from the first octet of the frame.
///
/// Goes on at `ptp` with X + [`MAC`] the offset of the PTP header; at `pass` for the first fragment of
/// a PTP datagram; at `drop` for what is no PTP.
pub(super) fn frame(asm: &mut Assembler, ptp: Label, pass: Label, drop: Label) -> Label {
    let fragment = ports(asm, pass, drop);
    let udp = ports(asm, ptp, drop);
    let ipv6 = ipv6(asm, udp, fragment, drop);
    let ipv4 = ipv4(asm, udp, fragment, drop);
    let mut inner = drop;
    for tag in (0..=MAX_TAGS).rev() {
        let mut next = drop;
        for tpid in TAGS {
            next = asm.jump(JEQ, tpid, inner, next);
        }
        next = asm.jump(JEQ, ETHERTYPE_IPV6, ipv6, next);
        next = asm.jump(JEQ, ETHERTYPE_IPV4, ipv4, next);
        next = asm.jump(JEQ, ETHERTYPE_PTP, ptp, next);
        inner = asm.block(&[(LDX_IMM, 4 * tag), (LD_H_ABS, 12 + 4 * tag)], next);
    }
    inner
}

/// The destination port, X + `MAC` already at the PTP header behind UDP.
fn ports(asm: &mut Assembler, ours: Label, drop: Label) -> Label {
    let mut next = drop;
    for port in PORTS {
        next = asm.jump(JEQ, port, ours, next);
    }
    asm.block(&[(LD_H_IND, MAC - 8 + 2)], next)
}

fn ipv4(asm: &mut Assembler, udp: Label, fragment: Label, drop: Label) -> Label {
    // The header's length is taken at its word: the core refuses nonsense.
    let skip = [
        (LD_B_IND, MAC),
        (AND, 0x0F),
        (LSH, 2),
        (ADD | WITH_X, 0),
        (ADD, 8),
        (TAX, 0),
    ];
    let first = asm.block(&skip, fragment);
    let whole = asm.block(&skip, udp);
    // Flags and fragment offset, TTL, protocol: in one word.
    let next = asm.jump(JEQ, 0x2000_0000 | PROTOCOL_UDP, first, drop);
    let next = asm.jump(JEQ, PROTOCOL_UDP, whole, next);
    asm.block(&[(LD_W_IND, MAC + 6), (AND, 0x3FFF_00FF)], next)
}

fn ipv6(asm: &mut Assembler, udp: Label, fragment: Label, drop: Label) -> Label {
    // X stays at the IPv6 header until the first extension header is skipped.
    let ends = ends(asm, 0, (udp, fragment, drop));
    let mut next = next_header(asm, ends, drop);
    for _ in 1..MAX_EXTENSIONS {
        let other = extension(asm, 0, next, drop);
        next = next_header(asm, ends, other);
    }
    let other = extension(asm, IPV6_HEADER, next, drop);
    let ends = self::ends(asm, IPV6_HEADER, (udp, fragment, drop));
    let next = next_header(asm, ends, other);
    asm.block(&[(LD_B_IND, MAC + 6)], next)
}

/// Where the chain of headers ends.
#[derive(Clone, Copy)]
struct Ends {
    udp: Label,
    fragment: Label,
}

/// UDP or a fragment header at X + `MAC` + `ahead`.
fn ends(asm: &mut Assembler, ahead: u32, (udp, fragment, drop): (Label, Label, Label)) -> Ends {
    let first = asm.block(&[(TXA, 0), (ADD, ahead + 8 + 8), (TAX, 0)], fragment);
    let first = asm.jump(JEQ, PROTOCOL_UDP << 24, first, drop);
    Ends {
        fragment: asm.block(&[(LD_W_IND, MAC + ahead), (AND, 0xFF00_FFF8)], first),
        udp: asm.block(&[(TXA, 0), (ADD, ahead + 8), (TAX, 0)], udp),
    }
}

/// A = the type of a header: the end of the chain, or one of the `other`s.
fn next_header(asm: &mut Assembler, ends: Ends, other: Label) -> Label {
    let next = asm.jump(JEQ, FRAGMENT, ends.fragment, other);
    asm.jump(JEQ, PROTOCOL_UDP, ends.udp, next)
}

/// A = the type of the header at X + `MAC` + `ahead`: if it can be skipped, on to the `next` one.
fn extension(asm: &mut Assembler, ahead: u32, next: Label, drop: Label) -> Label {
    // Type and length in one halfword; options count in units of 8 octets less 1, the
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
    let mut kinds = asm.jump(JEQ, AUTHENTICATION, authentication, drop);
    for kind in OPTIONS {
        kinds = asm.jump(JEQ, kind, options, kinds);
    }
    kinds
}
