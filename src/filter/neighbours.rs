//! What happens to ARP and neighbour discovery in the kernel: only what is about a master passes, and of the rest a
//! sample. Whose master's it is by the last 32 bits of its address: the core matches exactly.

use super::assembler::{Assembler, Label};
use super::headers::{MAC, Ways, offset};
use super::instruction::{JEQ, LD_B_IND, LD_H_IND, LD_W_IND, LOOKUP_MASTER};
use super::rules::Known;
use super::search;
use super::spec::Spec;
use crate::wire::field::{arp, ipv6, nd};

/// The last 32 bits of ff02::1, all nodes.
const ALL_NODES: u32 = 1;

/// The parts of the program for both.
pub(super) fn ways(
    asm: &mut Assembler,
    spec: &Spec<'_>,
    known: &Known,
    (pass, sample, drop): (Label, Label, Label),
) -> Ways {
    let Some(words) = spec.neighbours else {
        return Ways {
            arp: drop,
            nd: drop,
        };
    };
    let masters = match known {
        Known::Map { .. } => None,
        _ => Some(words),
    };
    Ways {
        arp: of_arp(asm, masters, (pass, sample, drop)),
        nd: of_nd(asm, masters, (pass, sample, drop)),
    }
}

fn of_arp(
    asm: &mut Assembler,
    masters: Option<&[u32]>,
    (pass, sample, drop): (Label, Label, Label),
) -> Label {
    let at = |field: usize| MAC + offset(field);
    let next = is_masters(asm, masters, at(arp::TARGET_IP.start), pass, sample);
    let next = is_masters(asm, masters, at(arp::SENDER_IP.start), pass, next);
    // An answer to a question of ours, which asks as nobody.
    let next = asm.jump(JEQ, 0, pass, next);
    let next = asm.block(&[(LD_W_IND, at(arp::TARGET_IP.start))], next);
    let request = asm.jump(JEQ, u32::from_be_bytes(arp::REQUEST), next, drop);
    let either = asm.jump(JEQ, u32::from_be_bytes(arp::REPLY), next, request);
    let operation = at(arp::LENGTHS_AND_OPERATION.start);
    let next = asm.block(&[(LD_W_IND, operation)], either);
    let types = u32::from_be_bytes(arp::ETHERNET_AND_IPV4);
    let next = asm.jump(JEQ, types, next, drop);
    asm.block(&[(LD_W_IND, at(arp::TYPES.start))], next)
}

fn of_nd(
    asm: &mut Assembler,
    masters: Option<&[u32]>,
    (pass, sample, drop): (Label, Label, Label),
) -> Label {
    let at = |field: usize| MAC + offset(field);
    // The last of an address's four words.
    let last = |end: usize| at(end - 4);
    let next = is_masters(asm, masters, last(ipv6::SOURCE.end), pass, sample);
    let next = is_masters(asm, masters, last(ipv6::DESTINATION.end), pass, next);
    let next = is_masters(asm, masters, last(ipv6::LEN + nd::TARGET.end), pass, next);
    let next = asm.jump(JEQ, ALL_NODES, pass, next);
    let next = asm.block(&[(LD_W_IND, last(ipv6::DESTINATION.end))], next);
    // The rest is the core's to refuse, which counts it.
    let next = asm.jump(JEQ, u32::from(nd::HOP_LIMIT), next, sample);
    let next = asm.block(&[(LD_B_IND, at(ipv6::HOP_LIMIT))], next);
    let typed = |kind: u8| u32::from(kind) << 8;
    let advertises = asm.jump(JEQ, typed(nd::ADVERTISEMENT), next, drop);
    let either = asm.jump(JEQ, typed(nd::SOLICITATION), next, advertises);
    asm.block(&[(LD_H_IND, at(ipv6::LEN + nd::TYPE))], either)
}

/// Whether the word at X + `at` is one of the masters'.
fn is_masters(
    asm: &mut Assembler,
    masters: Option<&[u32]>,
    at: u32,
    yes: Label,
    no: Label,
) -> Label {
    match masters {
        None => asm.jump(LOOKUP_MASTER, at, yes, no),
        Some([]) => no,
        Some(words) => {
            let next = search::exact(asm, words, yes, no);
            asm.block(&[(LD_W_IND, at)], next)
        }
    }
}
