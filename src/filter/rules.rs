//! What happens to a PTP message in the kernel: the table of the module's documentation.

use super::assembler::{Assembler, Label};
use super::fold::fold_at;
use super::headers::{MAC, offset};
use super::instruction::{
    AD_RANDOM, ADD, AND, JEQ, JGE, JGT, JSET, LD_B_IND, LD_H_IND, LD_W_ABS, LOOKUP, LOOKUP_DOMAIN,
    SAMPLE_MASK, TAX, TXA,
};
use super::sampling::{SampleClass, power};
use super::search;
use super::spec::Spec;
use crate::Side;
use crate::wire::MessageType;
use crate::wire::field::ptp;

/// How the filter knows our clients.
#[derive(Debug)]
pub(super) enum Known {
    /// It does not: all Delay_Resp pass.
    Everyone,
    /// All are taken for ours: the Delay_Resp and the Delay_Req of everybody pass.
    All,
    /// By a map of the kernel's, which classic programs cannot ask.
    Map {
        /// Allowed domains are keys of it as well.
        domains: bool,
    },
    /// By their folds, sorted and unique.
    Exact(Vec<u32>),
    /// By bitmaps of their folds.
    Coarse(Vec<u32>),
}

// Displacements from X, see `headers`.
const TYPE_AND_VERSION: u32 = MAC + offset(ptp::MESSAGE_TYPE);
const DOMAIN: u32 = MAC + offset(ptp::DOMAIN);
const SOURCE_PORT_IDENTITY: u32 = MAC + offset(ptp::SOURCE_PORT_IDENTITY.start);
const REQUESTING_PORT_IDENTITY: u32 = MAC + offset(ptp::REQUESTING_PORT.start);

/// messageType 4, the first that is reserved, in the low half of the type's byte.
const FIRST_RESERVED: u32 = 0x0400;
/// majorSdoId in the PTP header's first halfword: its lowest bit, and the others.
const SDO_802_1AS: u32 = (ptp::SDO_802_1AS as u32) << 12;
const OTHER_SDO: u32 = 0xF000 & !SDO_802_1AS;
/// versionPTP in it, and the bits that are not set in version 2.
const VERSION_2: u32 = ptp::VERSION_2 as u32;
const OTHER_VERSION: u32 = ptp::LOW_HALF as u32 & !VERSION_2;
/// messageType in it.
const TYPE: u32 = (ptp::LOW_HALF as u32) << 8;

/// A messageType in its place.
const fn typed(message_type: MessageType) -> u32 {
    (message_type as u32) << 8
}

/// X + `MAC` = the offset of the PTP header: `pass` or `drop`.
pub(super) fn message(
    asm: &mut Assembler,
    spec: &Spec<'_>,
    known: &Known,
    pass: Label,
    drop: Label,
) -> Label {
    let mut samples = Samples::new(spec, known, pass, drop);
    match spec.side {
        Side::Down => match spec.domains {
            None => pass,
            Some(allowed) => {
                let sample = samples.of(asm, SampleClass::Domain);
                let next = domain(asm, allowed, pass, sample);
                let next = version(asm, next, pass);
                asm.block(&[(LD_H_IND, TYPE_AND_VERSION)], next)
            }
        },
        Side::Up => {
            let mut next = message_type(asm, spec, known, pass, &mut samples);
            if let Known::Map { domains: true } = known {
                next = asm.block(&[(LD_H_IND, TYPE_AND_VERSION)], next);
                let sample = samples.of(asm, SampleClass::Domain);
                next = asm.jump(LOOKUP_DOMAIN, DOMAIN, next, sample);
            } else if let Some(allowed) = spec.domains {
                next = asm.block(&[(LD_H_IND, TYPE_AND_VERSION)], next);
                let sample = samples.of(asm, SampleClass::Domain);
                next = domain(asm, allowed, next, sample);
            }
            // majorSdoId 1 and nothing else.
            let sample = samples.of(asm, SampleClass::Gptp);
            let sdo = asm.jump(JSET, SDO_802_1AS, sample, next);
            let sdo = asm.jump(JSET, OTHER_SDO, next, sdo);
            let sample = samples.of(asm, SampleClass::Version);
            let next = version(asm, sdo, sample);
            asm.block(&[(LD_H_IND, TYPE_AND_VERSION)], next)
        }
    }
}

/// Where ARP and neighbour discovery go on that are about nobody we know.
pub(super) fn neighbours(
    asm: &mut Assembler,
    spec: &Spec<'_>,
    known: &Known,
    pass: Label,
    drop: Label,
) -> Label {
    let mut samples = Samples::new(spec, known, pass, drop);
    match spec.neighbours {
        Some(_) => samples.of(asm, SampleClass::Neighbours),
        None => drop,
    }
}

/// Where the messages of each class go on that nobody here wants: a random one of N passes.
struct Samples<'a> {
    spec: &'a Spec<'a>,
    /// How many is a figure beside the map, which changes without another program.
    by_map: bool,
    pass: Label,
    drop: Label,
    /// What is written already: those that are alike share it.
    made: Vec<(u32, Label)>,
}

impl<'a> Samples<'a> {
    const fn new(spec: &'a Spec<'a>, known: &Known, pass: Label, drop: Label) -> Self {
        Self {
            spec,
            by_map: matches!(known, Known::Map { .. }),
            pass,
            drop,
            made: Vec::new(),
        }
    }

    fn of(&mut self, asm: &mut Assembler, class: SampleClass) -> Label {
        let one_in = self.spec.sampling.one_in(class);
        let which = match one_in {
            0 => return self.drop,
            _ if self.by_map => class as u32,
            1 => return self.pass,
            _ => power(one_in),
        };
        if let Some(&(_, made)) = self.made.iter().find(|&&(of, _)| of == which) {
            return made;
        }
        let label = if self.by_map {
            let next = asm.jump(JEQ, 0, self.pass, self.drop);
            asm.block(&[(LD_W_ABS, AD_RANDOM), (SAMPLE_MASK, which)], next)
        } else {
            let next = asm.jump(JSET, which - 1, self.drop, self.pass);
            asm.block(&[(LD_W_ABS, AD_RANDOM)], next)
        };
        self.made.push((which, label));
        label
    }
}

/// versionPTP, the lowest nibble of A, is 2. A stays.
fn version(asm: &mut Assembler, two: Label, other: Label) -> Label {
    let next = asm.jump(JSET, VERSION_2, two, other);
    asm.jump(JSET, OTHER_VERSION, other, next)
}

fn domain(asm: &mut Assembler, allowed: &[u8], yes: Label, no: Label) -> Label {
    let mut sorted = allowed.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut ranges: Vec<(u8, u8)> = Vec::new();
    for number in sorted {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let next = domain_ranges(asm, &ranges, yes, no);
    asm.block(&[(LD_B_IND, DOMAIN)], next)
}

fn domain_ranges(asm: &mut Assembler, ranges: &[(u8, u8)], yes: Label, no: Label) -> Label {
    match *ranges {
        [] => no,
        [(0, u8::MAX)] => yes,
        [(first, last)] if first == last => asm.jump(JEQ, first.into(), yes, no),
        [(first, last)] => {
            let next = asm.jump(JGT, last.into(), no, yes);
            asm.jump(JGE, first.into(), next, no)
        }
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let border = low.last().map_or(0, |&(_, last)| last);
            let high = domain_ranges(asm, high, yes, no);
            let low = domain_ranges(asm, low, yes, no);
            asm.jump(JGT, border.into(), high, low)
        }
    }
}

/// messageType on the up side; A = the PTP header's first halfword.
fn message_type(
    asm: &mut Assembler,
    spec: &Spec<'_>,
    known: &Known,
    pass: Label,
    samples: &mut Samples<'_>,
) -> Label {
    let other = (
        samples.of(asm, SampleClass::PeerDelay),
        samples.of(asm, SampleClass::Reserved),
    );
    if matches!(known, Known::All) {
        return message_kind(asm, (pass, pass), pass, other);
    }
    let sample = samples.of(asm, SampleClass::Strangers);
    let search = match known {
        Known::Everyone => None,
        Known::All => Some(pass),
        Known::Map { .. } => {
            let searches = by_map(asm, spec, pass, sample);
            return message_kind(asm, searches, pass, other);
        }
        Known::Exact(folds) => Some(search::exact(asm, folds, pass, sample)),
        Known::Coarse(bitmaps) => Some(search::coarse(asm, bitmaps, pass, sample)),
    };
    let (response, request) = match search {
        None => (pass, sample),
        Some(search) if search == sample => (sample, sample),
        Some(search) if search == pass => (pass, pass),
        Some(search) if spec.watch_second_path => {
            let request = fold_at(asm, SOURCE_PORT_IDENTITY, &spec.key, search);
            // One search for both: X moves on by what lies between the two fields.
            let ahead = REQUESTING_PORT_IDENTITY - SOURCE_PORT_IDENTITY;
            let response = asm.block(&[(TXA, 0), (ADD, ahead), (TAX, 0)], request);
            (response, request)
        }
        Some(search) => {
            let response = fold_at(asm, REQUESTING_PORT_IDENTITY, &spec.key, search);
            (response, sample)
        }
    };
    message_kind(asm, (response, request), pass, other)
}

/// The look-ups of a Delay_Resp and of a Delay_Req.
fn by_map(asm: &mut Assembler, spec: &Spec<'_>, pass: Label, sample: Label) -> (Label, Label) {
    let response = asm.jump(LOOKUP, REQUESTING_PORT_IDENTITY, pass, sample);
    let request = if spec.watch_second_path {
        asm.jump(LOOKUP, SOURCE_PORT_IDENTITY, pass, sample)
    } else {
        sample
    };
    (response, request)
}

/// A = the PTP header's first halfword.
fn message_kind(
    asm: &mut Assembler,
    (response, request): (Label, Label),
    pass: Label,
    (peer_delay, reserved): (Label, Label),
) -> Label {
    // Sync; Follow_Up to Management, but for Pdelay_Resp_Follow_Up. The rest is peer delay or reserved.
    use MessageType::{DelayReq, DelayResp, FollowUp, Management, PdelayRespFollowUp, Sync};
    let low = asm.jump(JGE, FIRST_RESERVED, reserved, peer_delay);
    let next = asm.jump(JGE, typed(FollowUp), pass, low);
    let next = asm.jump(JEQ, typed(PdelayRespFollowUp), peer_delay, next);
    let next = asm.jump(JGT, typed(Management), reserved, next);
    let next = asm.jump(JEQ, typed(Sync), pass, next);
    // What floods come first.
    let next = asm.jump(JEQ, typed(DelayReq), request, next);
    let next = asm.jump(JEQ, typed(DelayResp), response, next);
    asm.block(&[(AND, TYPE)], next)
}
