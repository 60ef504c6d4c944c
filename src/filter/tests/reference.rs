//! The table of the module's documentation once more, written without the generator: a plain parse
//! and a list of rules, to test the program against.

use super::super::{Sampling, Spec};
use crate::Side;
use crate::wire::{ClockIdentity, PortIdentity};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Pass,
    Sample,
    Drop,
}

/// What the rules say, and the foreign identity they say it of, where a search is involved.
pub(super) fn judge(spec: &Spec<'_>, frame: &[u8]) -> (Outcome, Option<PortIdentity>) {
    // Ends before a field that decides: drop.
    find(frame)
        .and_then(|found| match found {
            Found::Other => None,
            Found::FirstFragment => Some((Outcome::Pass, None)),
            Found::Message(ptp) => message(spec, ptp),
        })
        .unwrap_or((Outcome::Drop, None))
}

fn message(spec: &Spec<'_>, ptp: &[u8]) -> Option<(Outcome, Option<PortIdentity>)> {
    use Outcome::{Pass, Sample};
    let allowed = |domain: u8| spec.domains.is_none_or(|list| list.contains(&domain));
    let ours = |who: PortIdentity| spec.clients.is_some_and(|list| list.contains(&who));
    if spec.side == Side::Down && spec.domains.is_none() {
        return Some((Pass, None));
    }
    let kind = ptp.first()? & 0x0F;
    let sdo = ptp.first()? >> 4;
    let version = ptp.get(1)? & 0x0F;
    let outcome = match (spec.side, version) {
        (Side::Down, 2) if allowed(*ptp.get(4)?) => Pass,
        (Side::Down, 2) => Sample,
        (Side::Down, _) => Pass,
        (Side::Up, 2) if sdo == 1 => Sample,
        (Side::Up, 2) if spec.domains.is_some() && !allowed(*ptp.get(4)?) => Sample,
        (Side::Up, 2) => match kind {
            0x0 | 0x8 | 0xB | 0xC | 0xD => Pass,
            0x9 if spec.clients.is_none() => Pass,
            // Nothing to search for: the identity decides nothing.
            0x1 | 0x9 if spec.clients == Some(&[]) || spec.sampling == Sampling::each(1) => Sample,
            0x9 => {
                let who = identity(ptp.get(44..54)?);
                return Some((if ours(who) { Pass } else { Sample }, Some(who)));
            }
            0x1 if spec.watch_second_path && spec.clients.is_some() => {
                let who = identity(ptp.get(20..30)?);
                return Some((if ours(who) { Pass } else { Sample }, Some(who)));
            }
            _ => Sample,
        },
        (Side::Up, _) => Sample,
    };
    Some((outcome, None))
}

fn identity(octets: &[u8]) -> PortIdentity {
    PortIdentity {
        clock: ClockIdentity(octets[..8].try_into().unwrap()),
        port: u16::from_be_bytes(octets[8..].try_into().unwrap()),
    }
}

enum Found<'a> {
    Other,
    FirstFragment,
    Message(&'a [u8]),
}

fn find(frame: &[u8]) -> Option<Found<'_>> {
    let mut rest = frame.get(12..)?;
    let mut tags = 0;
    loop {
        let (kind, behind) = (half(rest, 0)?, rest.get(2..)?);
        match kind {
            0x88F7 => return Some(Found::Message(behind)),
            0x0800 => return ipv4(behind),
            0x86DD => return ipv6(behind),
            0x8100 | 0x88A8 | 0x9100 if tags < 2 => {
                tags += 1;
                rest = behind.get(2..)?;
            }
            _ => return Some(Found::Other),
        }
    }
}

fn ipv4(packet: &[u8]) -> Option<Found<'_>> {
    let (flags, protocol) = (half(packet, 6)?, *packet.get(9)?);
    let (more, offset) = (flags & 0x2000 != 0, flags & 0x1FFF);
    if protocol != 17 || offset != 0 {
        return Some(Found::Other);
    }
    udp(packet.get(usize::from(packet[0] & 0x0F) * 4..)?, more)
}

fn ipv6(packet: &[u8]) -> Option<Found<'_>> {
    let mut kind = *packet.get(6)?;
    let mut rest = packet.get(40..);
    let mut skipped = 0;
    loop {
        let length = match kind {
            17 => return udp(rest?, false),
            44 => {
                let fragment = rest?.get(..8);
                // The last four octets, an identification, decide nothing.
                let (next, offset) = (*rest?.first()?, half(rest?, 2)? >> 3);
                if next != 17 || offset != 0 {
                    return Some(Found::Other);
                }
                return fragment.and_then(|_| udp(&rest?[8..], true));
            }
            0 | 43 | 60 if skipped < 4 => (usize::from(*rest?.get(1)?) + 1) * 8,
            51 if skipped < 4 => (usize::from(*rest?.get(1)?) + 2) * 4,
            _ => return Some(Found::Other),
        };
        kind = rest?[0];
        rest = rest?.get(length..);
        skipped += 1;
    }
}

fn udp(datagram: &[u8], fragment: bool) -> Option<Found<'_>> {
    match half(datagram, 2)? {
        319 | 320 if fragment => Some(Found::FirstFragment),
        319 | 320 => Some(Found::Message(datagram.get(8..).unwrap_or(&[]))),
        _ => Some(Found::Other),
    }
}

fn half(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}
