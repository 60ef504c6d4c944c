//! The first clients in an order, out of however many there are.

use std::cmp::Reverse;

use super::figures::{ms, percent, whole_ms};
use super::reply::{Client, ClientList, Granted, PROTOCOL};
use super::sort::Sort;
use crate::telemetry::{Board, ClientView, Kind};
use crate::time::Instant;
use crate::wire::Transport;

/// Clients of one reply at most.
pub(super) const MOST: usize = 10_000;

/// The first `limit` clients. Takes memory for twice as many, not for all.
pub(super) fn list(board: &Board, sort: Sort, limit: usize, now: Instant) -> ClientList {
    let limit = limit.min(MOST);
    let mut known = 0_u32;
    let mut first: Vec<(Key, u8, ClientView)> = Vec::new();
    for (port, view) in board.clients() {
        known = known.saturating_add(1);
        first.push((key(&view, port, sort, now), port, view));
        if first.len() >= 2 * limit.max(32) {
            trim(&mut first, limit);
        }
    }
    first.sort_unstable_by_key(|&(key, ..)| key);
    first.truncate(limit);
    let downs = board.info().downs;
    ClientList {
        protocol: PROTOCOL,
        known,
        sort,
        clients: first
            .iter()
            .map(|(_, port, view)| Client {
                interface: downs.get(usize::from(*port)).cloned().unwrap_or_default(),
                ..client(view, now)
            })
            .collect(),
        interfaces: downs,
    }
}

fn trim(first: &mut Vec<(Key, u8, ClientView)>, limit: usize) {
    if limit == 0 {
        first.clear();
    } else if first.len() > limit {
        first.select_nth_unstable_by_key(limit - 1, |&(key, ..)| key);
        first.truncate(limit);
    }
}

/// What it is sorted by, and the identity among equals.
type Key = (Reverse<u128>, [u8; 8], u16, (u8, u32));

fn key(view: &ClientView, port: u8, sort: Sort, now: Instant) -> Key {
    let ns = |span: Option<std::time::Duration>| span.map_or(0, |span| span.as_nanos());
    let ascending = |value: u128| u128::MAX - value;
    let by = match sort {
        Sort::Identity => 0,
        Sort::Address => ascending(match view.address {
            crate::wire::Address::Mac(mac) => {
                let [a, b, c, d, e, f] = mac.0;
                u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }
            crate::wire::Address::V4(ip) => 1 << 64 | u128::from(ip.to_bits()),
            crate::wire::Address::V6(ip) => ip.to_bits().max(1 << 65),
        }),
        Sort::Vlan => {
            let [outer, inner] = view.lane.vlans().map(|vlan| u128::from(vlan.unwrap_or(0)));
            ascending(outer << 16 | inner)
        }
        Sort::Interval => view
            .interval
            .map_or(0, |interval| ascending(interval.as_nanos())),
        Sort::Requests => u128::from(view.requests),
        // Those of whom nothing is known come last.
        Sort::Answered => view.answered_share().map_or(0, |share| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share, from 0 to 1"
            )]
            let millionths = (share * 1e6) as u128;
            ascending(millionths)
        }),
        Sort::Hold => ns(view.mean_hold),
        Sort::Residence => ns(view.mean_residence),
        Sort::Response => ns(view.response),
        Sort::Seen => view.silent(now).as_nanos(),
        Sort::Joined => u128::from(view.joined.as_nanos()),
    };
    let identity = view.identity;
    (
        Reverse(by),
        identity.clock.0,
        identity.port,
        (port, view.row),
    )
}

fn client(view: &ClientView, now: Instant) -> Client {
    let known = u64::from(view.answered) + u64::from(view.unanswered);
    Client {
        identity: view.identity.to_string(),
        interface: String::new(),
        address: view.address.to_string(),
        mac: view.mac.to_string(),
        transport: match view.lane.transport() {
            Transport::Ethernet => "ethernet",
            Transport::Udp4 => "udp4",
            Transport::Udp6 => "udp6",
        }
        .to_owned(),
        vlans: view.lane.vlans().into_iter().flatten().collect(),
        mode: view.mode.label().to_owned(),
        grants: (view.grants.running(now))
            .map(|(message, left)| Granted {
                message: Kind::Message(message).label().to_owned(),
                left_s: left.as_secs(),
            })
            .collect(),
        interval_ms: view.interval.map(ms),
        requests: view.requests,
        answered: view.answered,
        unanswered: view.unanswered,
        answered_percent: percent(u64::from(view.answered), known),
        hold_ms: view.mean_hold.map(ms),
        residence_ms: view.mean_residence.map(ms),
        last_residence_ms: view.last_residence.map(ms),
        response_ms: view.response.map(ms),
        seen_ms: whole_ms(view.silent(now)),
        joined_s: now.since(view.joined).as_secs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::telemetry::{ClientSlots, Info, Tenant};
    use crate::wire::{Address, ClockIdentity, Lane, Mac, PortIdentity};

    #[test]
    fn the_first_of_an_order_are_those_of_the_whole_list() {
        let slots = Arc::new(ClientSlots::new(500));
        let start = Instant::from_nanos(1_000_000_000);
        for row in 0..500_u32 {
            let n = row.wrapping_mul(2_654_435_761) >> 8;
            let identity = PortIdentity {
                clock: ClockIdentity(u64::from(n).to_be_bytes()),
                port: 1,
            };
            let mac = Mac([2, 0, 0, 0, 0, 1]);
            let tenant = Tenant {
                identity,
                lane: Lane::new(Transport::Ethernet, &[]),
                mac,
                address: Address::Mac(mac),
            };
            slots.open(row, &tenant, start);
            let slot = slots.slot(row).unwrap();
            slot.requested(n % 1_000);
            slot.departed(n % 77, n % 7_777 + 1);
            for _ in 0..n % 5 {
                slot.answered(u64::from(n % 99));
                slot.unanswered();
            }
        }
        let now = start.plus_nanos(7_000_000);
        let info = Info {
            up: "eth0".into(),
            downs: vec!["eth1".into()],
            stamps: String::new(),
            started: std::time::UNIX_EPOCH,
        };
        let board = Board::new(info, vec![slots]);
        for sort in Sort::ALL {
            let whole = list(&board, sort, MOST, now);
            assert_eq!((whole.known, whole.clients.len()), (500, 500));
            for limit in [0, 1, 7, 499] {
                let some = list(&board, sort, limit, now);
                assert_eq!(some.known, 500);
                assert_eq!(some.clients, whole.clients[..limit], "{sort:?} {limit}");
            }
        }
        let by_interval = list(&board, Sort::Interval, 500, now).clients;
        let intervals: Vec<f64> = by_interval.iter().filter_map(|c| c.interval_ms).collect();
        assert!(intervals.is_sorted() && intervals.len() > 400);
        let by_answered = list(&board, Sort::Answered, 500, now).clients;
        assert!(by_answered[499].answered_percent.is_none());
    }
}
