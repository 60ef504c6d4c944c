//! Networks without unicast notice nothing of what was made for it: the same multicast messages leave, byte for byte and at
//! the same moments, whether neighbours are relayed, unicast is routed, or neither.

use std::net::IpAddr;
use std::time::Duration;

use ptpproxy::PerSide;
use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{RelayNeighbours, RouteTable, Settings};
use ptpproxy::wire::Mac;

use crate::frames::*;
use crate::gateway::{Gateway, MS, Outcome, unheld};

const MASTER: u8 = 1;

/// What left, by which side and when.
type Left = Vec<(Side, u64, Vec<u8>)>;

/// Two seconds of a master, with four clients by each of the ways.
fn busy(mut gateway: Gateway, ways: &[Way]) -> Left {
    let mut left = Left::new();
    let hears = |gateway: &mut Gateway, left: &mut Left, side: Side, message: &Message| {
        if let Outcome::Sent(bytes) = gateway.hears(side, message) {
            left.push((side.other(), gateway.now, bytes));
        }
    };
    for number in 1..=16_u16 {
        for way in ways {
            let clients = 10..14_u8;
            for message in [
                announce(MASTER, number, clock(MASTER)),
                sync(MASTER, number),
                follow_up(MASTER, number, u64::from(number) * 125_000_000),
            ] {
                hears(&mut gateway, &mut left, Up, &message.on(*way));
            }
            for client in clients.clone() {
                hears(
                    &mut gateway,
                    &mut left,
                    Down,
                    &delay_req(client, number).on(*way),
                );
            }
            gateway.pass(MS * 60);
            for client in clients {
                let answer = delay_resp(MASTER, number, port(client)).on(*way);
                hears(&mut gateway, &mut left, Up, &answer);
            }
        }
        gateway.pass(MS * 65);
    }
    left.extend(
        gateway
            .left
            .drain(..)
            .map(|one| (one.by, one.at, one.bytes)),
    );
    gateway.assert_conserved();
    left
}

#[test]
fn multicast_leaves_byte_for_byte_as_without_unicast() {
    let settings = |neighbours, routed| Settings {
        neighbours,
        routed,
        jitter: Duration::from_millis(40),
        assume_answered: true,
        ..unheld()
    };
    let ways = [ETHERNET, UDP4];
    let without = busy(Gateway::new(settings(RelayNeighbours::Off, false)), &ways);
    // Everything was forwarded, and some of it held.
    assert!(without.len() > 300, "{}", without.len());
    for routed in [false, true] {
        let mut gateway = Gateway::new(settings(RelayNeighbours::Auto, routed));
        let own: IpAddr = [10, 0, 0, 254].into();
        gateway.core.set_own_macs(PerSide {
            up: Mac([2, 0, 0, 0, 1, 0xF0]),
            down: Mac([2, 0, 0, 0, 2, 0xF0]),
        });
        gateway.core.set_own_addresses(vec![own]);
        gateway
            .core
            .set_routes(RouteTable::new([], PerSide::default()));
        let with = busy(gateway, &ways);
        let differs = without
            .iter()
            .zip(&with)
            .position(|(one, other)| one != other);
        assert_eq!(differs, None, "routed {routed}");
        assert_eq!(without.len(), with.len(), "routed {routed}");
    }
}
