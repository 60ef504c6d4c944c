//! What of ARP and neighbour discovery the filter lets in: written out, frame by frame.

use super::super::{Sampling, Spec, program};
use super::{NOT_TAKEN, TAKEN, passes};
use crate::Side;

const MASTER: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 9];
const NOBODY: [u8; 4] = [0; 4];

fn framed(tags: &[u8], ethertype: u16, rest: &[u8]) -> Vec<u8> {
    [&[2; 12][..], tags, &ethertype.to_be_bytes(), rest].concat()
}

fn arp(operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let start = [0, 1, 8, 0, 6, 4, 0, operation];
    [&start[..], &[2; 6], &sender, &[0; 6], &target].concat()
}

fn nd(kind: u8, [from, to, target]: [[u8; 4]; 3]) -> Vec<u8> {
    let high = [0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut packet = vec![0x60, 0, 0, 0, 0, 24, 58, 255];
    for address in [from, to] {
        packet.extend(high);
        packet.extend(address);
    }
    packet.extend([kind, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(high);
    packet.extend(target);
    packet
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Pass,
    Sample,
    Drop,
}

#[test]
fn only_what_is_about_a_master_passes() {
    use Wanted::{Drop, Pass, Sample};
    let hop = |mut packet: Vec<u8>| {
        packet[7] = 64;
        packet
    };
    let v4 = |operation, sender, target| (0x0806, arp(operation, sender, target));
    let v6 = |kind, addresses| (0x86DD, nd(kind, addresses));
    for (what, (ethertype, packet), wanted) in [
        ("asks for one", v4(1, OTHER, MASTER), Pass),
        ("one asks", v4(1, MASTER, OTHER), Pass),
        ("answers one", v4(2, OTHER, MASTER), Pass),
        ("answers a probe", v4(2, OTHER, NOBODY), Pass),
        ("others", v4(1, OTHER, OTHER), Sample),
        ("RARP's operation", v4(3, OTHER, MASTER), Drop),
        ("cut", (0x0806, arp(1, OTHER, MASTER)[..26].to_vec()), Drop),
        ("solicits one", v6(135, [OTHER, OTHER, MASTER]), Pass),
        ("one solicits", v6(135, [MASTER, OTHER, OTHER]), Pass),
        ("advertises to one", v6(136, [OTHER, MASTER, OTHER]), Pass),
        ("to all nodes", v6(136, [OTHER, [0, 0, 0, 1], OTHER]), Pass),
        ("solicits others", v6(135, [OTHER; 3]), Sample),
        (
            "through a router",
            (0x86DD, hop(nd(135, [MASTER; 3]))),
            Sample,
        ),
        ("a router's", v6(134, [MASTER; 3]), Drop),
        ("ping", v6(128, [MASTER; 3]), Drop),
    ] {
        for side in Side::BOTH {
            for (masters, domains) in [
                (&[0x0A00_0001, 0x0B00_0002][..], None),
                (&[][..], Some(&[0_u8][..])),
            ] {
                let spec = Spec {
                    side,
                    domains,
                    clients: None,
                    watch_second_path: true,
                    neighbours: Some(masters),
                    sampling: Sampling::each(1024),
                    key: [1, 2, 3],
                };
                let on = program(&spec, 4096).unwrap();
                let off = Spec {
                    neighbours: None,
                    ..spec
                };
                let off = program(&off, 4096).unwrap();
                // Of nobody we know nothing passes by its address.
                let always = what.contains("a probe") || what.contains("all nodes");
                let wanted = match wanted {
                    Pass if masters.is_empty() && !always => Sample,
                    other => other,
                };
                for tags in [&[][..], &[0x81, 0, 0, 5]] {
                    let frame = framed(tags, ethertype, &packet);
                    let seen = match [NOT_TAKEN, TAKEN].map(|random| passes(&on, &frame, random)) {
                        [true, _] => Pass,
                        [false, true] => Sample,
                        [false, false] => Drop,
                    };
                    assert_eq!(seen, wanted, "{what} from {side:?}");
                    assert!(!passes(&off, &frame, TAKEN), "{what}: not relayed");
                }
            }
        }
    }
}
