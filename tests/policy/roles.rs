//! Active and standby: what stands by learns and sends nothing, and what takes over makes itself known first.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Event, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{By, Kind, Orderer, Role};
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND, unheld};

const STANDBY: Outcome = Dropped(Reason::Standby);

fn set(gateway: &mut Gateway, role: Role) -> bool {
    let by = By {
        user: Some(0),
        name: Orderer::new("keepalived").unwrap(),
    };
    let now = gateway.instant();
    let changed = gateway.core.set_role(role, by, now);
    gateway.flush();
    changed
}

/// One that has stood by since its start.
fn in_standby(settings: Settings) -> Gateway {
    let mut gateway = Gateway::new(settings);
    let now = gateway.instant();
    assert!(gateway.core.set_role(Role::Standby, By::START, now));
    gateway
}

fn events(gateway: &mut Gateway) -> Vec<Event> {
    std::iter::from_fn(|| gateway.core.next_event()).collect()
}

/// A master's time and two clients' exchanges, as one that stands by hears them beside the one that forwards.
fn hears_all(gateway: &mut Gateway, from: u16, seconds: u16) {
    for n in from..from + seconds * 8 {
        if n % 8 == 0 {
            let _ = gateway.hears(Up, &announce(1, n, clock(1)));
        }
        let ns = gateway.now;
        for outcome in [
            gateway.hears(Up, &sync(1, n)),
            gateway.hears(Down, &sync(1, n)),
            gateway.hears(Up, &follow_up(1, n, ns)),
            gateway.hears(Down, &delay_req(10, n)),
            gateway.hears(Down, &delay_req(11, n)),
        ] {
            assert_eq!(outcome, STANDBY);
        }
        gateway.pass(MS * 5);
        assert_eq!(gateway.hears(Up, &delay_req(10, n)), STANDBY);
        assert_eq!(gateway.hears(Up, &delay_resp(1, n, port(10))), STANDBY);
        gateway.pass(MS * 120);
    }
}

#[test]
fn one_that_stands_by_learns_and_sends_nothing() {
    for settings in [unheld(), Settings::default()] {
        let mut gateway = in_standby(settings);
        hears_all(&mut gateway, 0, 20);
        assert_eq!(gateway.left, []);
        assert_eq!(gateway.own, []);
        assert_eq!(gateway.core.waiting(), 0);
        assert_eq!(gateway.core.clients(), 2);
        let rates: Vec<_> = gateway.core.masters().collect();
        assert!(matches!(rates.as_slice(), [(_, _, Some(_))]), "{rates:?}");
        let counters = gateway.core.counters();
        for side in [Up, Down] {
            for kind in Kind::all() {
                assert_eq!(counters.forwarded(side, kind), 0, "{side:?} {kind:?}");
            }
        }
        for reason in Reason::ALL {
            let quiet = !(reason.is_limit() || reason.is_trouble());
            assert!(quiet || counters.dropped_for(*reason) == 0, "{reason}");
        }
        assert_eq!((counters.answered, counters.unanswered), (0, 0));
        assert_eq!(gateway.core.path_state(), (false, false));
        let role = gateway.core.role();
        assert!(role.role == Role::Standby && role.other && role.by == By::START);
        assert!(!events(&mut gateway).iter().any(|event| matches!(
            event,
            Event::SecondPath(_) | Event::SecondPathGone | Event::Limit(_)
        )));
        gateway.pass(SECOND * 11);
        assert!(!gateway.core.role().other, "nobody forwards any more");
        gateway.assert_conserved();
    }
}

/// One that starts in standby hears some clients upstream first, where the other gateway forwards them.
#[test]
fn one_that_stands_by_learns_clients_that_it_heard_upstream_first() {
    let mut gateway = in_standby(unheld());
    for n in 0..20 {
        let _ = gateway.hears(Up, &delay_req(10, n));
        gateway.pass(MS * 60);
        let _ = gateway.hears(Down, &delay_req(10, n + 1));
        gateway.pass(MS * 60);
    }
    assert_eq!(gateway.core.clients(), 1);
    // While it forwards itself, such a one lives upstream.
    let mut gateway = Gateway::new(unheld());
    let _ = gateway.hears(Up, &delay_req(10, 1));
    gateway.pass(MS * 60);
    let outcome = gateway.hears(Down, &delay_req(10, 2));
    assert_eq!(outcome, Dropped(Reason::NotOurClient));
}

#[test]
fn more_than_it_could_hold_is_no_alarm_in_standby() {
    let few = Settings {
        max_rate: Some(10),
        client_rate: 1,
        ..unheld()
    };
    let mut gateway = in_standby(few);
    for n in 0..2000_u16 {
        let client = u8::try_from(10 + n % 100).unwrap();
        assert_eq!(gateway.hears(Down, &delay_req(client, n)), STANDBY);
        // Their Syncs are never heard.
        assert_eq!(gateway.hears(Up, &follow_up(1, n, 9)), STANDBY);
    }
    gateway.pass(SECOND * 3);
    assert_eq!(gateway.core.counters().unanswered, 0);
    let limits = |event: &Event| matches!(event, Event::Limit(_));
    assert!(!events(&mut gateway).iter().any(limits));
    gateway.assert_conserved();
}

#[test]
fn what_was_held_when_it_goes_to_standby_never_leaves() {
    let mut gateway = Gateway::new(Settings::default());
    // Answered once, so that it may be held.
    assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
    for n in 0..40 {
        let _ = gateway.hears(Down, &delay_req(10, n));
        gateway.pass(MS * 21);
        assert!(gateway.hears(Up, &delay_resp(1, n, port(10))).is_sent());
        gateway.pass(MS * 100);
    }
    gateway.left.clear();
    // In both directions: a request for its departure, a Follow_Up for its Sync's stamp.
    gateway.stamps = false;
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert_eq!(gateway.hears(Up, &follow_up(1, 1, 9)), Outcome::Waits);
    let mut held = 0;
    for client in 10..14 {
        held += u32::from(gateway.hears(Down, &delay_req(client, 100)) == Outcome::Waits);
    }
    assert!(held > 0 && gateway.core.waiting() > 1, "{held}");
    assert!(set(&mut gateway, Role::Standby));
    assert_eq!(gateway.core.waiting(), 0);
    // Not even if it forwards again at once.
    assert!(set(&mut gateway, Role::Active));
    gateway.stamp_all();
    gateway.pass(SECOND);
    assert_eq!(gateway.left, []);
    let dropped = |side, kind| gateway.dropped(side, kind, Reason::Standby);
    assert_eq!(dropped(Down, MessageType::DelayReq), u64::from(held));
    assert_eq!(dropped(Up, MessageType::FollowUp), 1);
    gateway.assert_conserved();
}

#[test]
fn an_answer_that_comes_in_standby_is_none() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    set(&mut gateway, Role::Standby);
    assert_eq!(gateway.hears(Up, &delay_resp(1, 1, port(10))), STANDBY);
    assert_eq!(gateway.core.counters().answered, 0);
    gateway.assert_conserved();
}

#[test]
fn the_same_role_again_changes_nothing() {
    let mut gateway = in_standby(unheld());
    let before = gateway.core.role();
    gateway.pass(MS);
    assert!(!set(&mut gateway, Role::Standby));
    assert_eq!(gateway.core.role(), before);
    assert!(set(&mut gateway, Role::Active));
    let active = gateway.core.role();
    assert_eq!(active.by.to_string(), "keepalived (uid 0)");
    assert_eq!(active.since, gateway.instant());
    let _ = gateway.hears(Down, &delay_req(10, 1));
    gateway.pass(SECOND);
    assert!(!set(&mut gateway, Role::Active));
    assert_eq!(gateway.core.role(), active);
    let roles = |event: &Event| matches!(event, Event::Role(_));
    assert_eq!(
        events(&mut gateway)
            .iter()
            .filter(|event| roles(event))
            .count(),
        2
    );
}

#[test]
fn one_that_takes_over_makes_itself_known_at_once_and_waits_a_moment() {
    let mut gateway = in_standby(unheld());
    hears_all(&mut gateway, 0, 8);
    let last = announce(1, 56, clock(1)).bytes();
    assert!(set(&mut gateway, Role::Active));
    let [first, ..] = gateway.own.as_slice() else {
        panic!("nothing was sent");
    };
    assert_eq!(
        (first.by, first.at, &first.bytes),
        (Down, gateway.now, &last)
    );
    // What comes now is kept for the moment, and corrected by it.
    assert_eq!(gateway.hears(Up, &sync(1, 64)), Outcome::Waits);
    assert_eq!(gateway.hears(Down, &delay_req(10, 64)), Outcome::Waits);
    let came = gateway.now;
    gateway.pass(MS * 19);
    assert_eq!(gateway.left, []);
    gateway.pass(MS * 2);
    let left: Vec<_> = gateway
        .left
        .iter()
        .map(|left| (left.by, left.at - came))
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    for (by, after) in left {
        assert!((19_900_000..=20_200_000).contains(&after), "{by:?} {after}");
    }
    assert_eq!(gateway.hears(Up, &follow_up(1, 64, 9)), Outcome::Waits);
    gateway.pass(MS * 6);
    let follow_up = gateway.left.last().unwrap().frame().correction() >> 16;
    assert!(
        (19_900_000..=20_300_000).contains(&follow_up),
        "{follow_up}"
    );
    assert!(gateway.hears(Up, &sync(1, 65)).is_sent());
    gateway.assert_conserved();
}

/// Its clients are looked for here from now on, and its master.
#[test]
fn one_that_takes_over_moves_the_addresses() {
    let mut gateway = in_standby(unheld());
    for client in 10..60 {
        let _ = gateway.hears(Down, &delay_req(client, 1));
    }
    let _ = gateway.hears(Up, &announce(1, 1, clock(1)));
    // An Announce of an hour ago says where its master is, and nothing else.
    let _ = gateway.hears(Up, &announce(2, 1, clock(2)));
    gateway.pass(SECOND * 30);
    let _ = gateway.hears(Up, &announce(1, 2, clock(1)));
    set(&mut gateway, Role::Active);
    gateway.pass(SECOND);
    let sources = |by| {
        let sent = gateway.own.iter().filter(move |own| own.by == by);
        sent.map(|own| own.bytes[6..12].to_vec())
            .collect::<Vec<_>>()
    };
    let mac = |message: &Message| message.bytes()[6..12].to_vec();
    let masters = [1, 2].map(|master| mac(&announce(master, 2, clock(1))));
    assert_eq!(sources(Down), masters);
    let clients: Vec<_> = (10..60).map(|client| mac(&delay_req(client, 1))).collect();
    assert_eq!(sources(Up), clients);
    let moved: Vec<_> = gateway
        .own
        .iter()
        .filter(|own| own.bytes[12..14] == [0, 6])
        .collect();
    assert_eq!(moved.len(), 51);
    assert_eq!(gateway.core.counters().addresses_moved, 51);
    // One each millisecond, and no more.
    let gaps = moved.windows(2).map(|pair| pair[1].at - pair[0].at);
    assert!(
        gaps.clone().all(|gap| gap >= 1_000_000),
        "{:?}",
        gaps.collect::<Vec<_>>()
    );
    // One that goes back to standby stops it.
    let mut gateway = in_standby(unheld());
    for client in 10..60 {
        let _ = gateway.hears(Down, &delay_req(client, 1));
    }
    set(&mut gateway, Role::Active);
    gateway.pass(MS * 10);
    set(&mut gateway, Role::Standby);
    gateway.pass(SECOND);
    assert!(
        (5..=12).contains(&gateway.own.len()),
        "{}",
        gateway.own.len()
    );
}

#[test]
fn one_that_takes_over_without_an_announce_waits_for_one() {
    let mut gateway = in_standby(unheld());
    let _ = gateway.hears(Down, &delay_req(10, 1));
    set(&mut gateway, Role::Active);
    gateway.pass(MS * 50);
    let unannounced = Dropped(Reason::Unannounced);
    assert_eq!(gateway.hears(Up, &sync(1, 1)), unannounced);
    assert_eq!(gateway.hears(Down, &delay_req(10, 2)), unannounced);
    assert!(gateway.hears(Up, &announce(1, 1, clock(1))).is_sent());
    gateway.pass(MS * 21);
    assert!(gateway.hears(Up, &sync(1, 2)).is_sent());
    // And not for ever.
    let mut gateway = in_standby(unheld());
    set(&mut gateway, Role::Active);
    gateway.pass(SECOND * 3 + MS);
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
}

/// What both of them forward is noticed by one that has just taken over, and by one that goes on forwarding.
#[test]
fn two_that_forward_end_as_a_second_path() {
    let mut gateway = in_standby(unheld());
    hears_all(&mut gateway, 0, 8);
    set(&mut gateway, Role::Active);
    gateway.pass(MS * 30);
    assert!(
        events(&mut gateway)
            .iter()
            .all(|event| !matches!(event, Event::SecondPath(_)))
    );
    assert!(gateway.hears(Up, &sync(1, 100)).is_sent());
    assert_eq!(gateway.hears(Up, &follow_up(1, 100, 9)), Outcome::Waits);
    assert_eq!(
        gateway.hears(Down, &sync(1, 100)),
        Dropped(Reason::SecondPath)
    );
    gateway.pass(MS * 20);
    assert_eq!(gateway.left, []);
    assert_eq!(gateway.core.path_state(), (true, false));
    assert!(events(&mut gateway).contains(&Event::SecondPath(Down)));
    assert_eq!(
        gateway.core.role().role,
        Role::Active,
        "nobody's copy changes the role"
    );
}

#[test]
fn one_of_a_pair_that_stood_still_makes_itself_known_again() {
    for (stopped, pair, again) in [(90, true, 0), (150, true, 1), (150, false, 0)] {
        let mut gateway = Gateway::new(unheld());
        if pair {
            set(&mut gateway, Role::Active);
        }
        assert!(gateway.hears(Up, &announce(1, 1, clock(1))).is_sent());
        for _ in 0..100 {
            let wake = gateway
                .core
                .next_wake()
                .map_or(u64::MAX, |at| at.as_nanos());
            gateway.now = wake.min(gateway.now + 20_000_000);
            gateway.core.advance(gateway.instant());
            gateway.flush();
        }
        assert_eq!(gateway.own.len(), 0, "{stopped} {pair}");
        gateway.skip(MS * stopped);
        assert_eq!(gateway.own.len(), again, "{stopped} {pair}");
        let sent = gateway.hears(Up, &sync(1, 1)).is_sent();
        assert_eq!(sent, again == 0, "{stopped} {pair}");
    }
}

/// It is asked to look at the time often enough for that; one that stands alone or by is not.
#[test]
fn only_one_that_forwards_and_may_be_replaced_looks_at_the_time() {
    let mut gateway = Gateway::new(unheld());
    gateway.pass(MS);
    assert_eq!(gateway.core.next_wake(), None);
    set(&mut gateway, Role::Standby);
    gateway.pass(MS);
    assert_eq!(gateway.core.next_wake(), None);
    set(&mut gateway, Role::Active);
    gateway.pass(SECOND * 4);
    let wake = gateway.core.next_wake().unwrap();
    assert!(wake.as_nanos() - gateway.now <= 50_000_000);
}
