//! Other settings while it runs: what waits leaves as it would have, and what comes follows the new ones.

use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{ClientMatch, Settings};
use ptpproxy::reason::Reason;

use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, MS, SECOND, unheld};

/// Holds that need no known rate.
fn held() -> Settings {
    Settings {
        jitter: MS * 100,
        jitter_share: None,
        syntonize: false,
        seed: 7,
        ..unheld()
    }
}

/// Clients that were answered once, and then asked again: all of them wait.
fn with_waiting(settings: &Settings, clients: std::ops::Range<u8>) -> Gateway {
    let mut gateway = Gateway::new(settings.clone());
    for client in clients.clone() {
        assert!(gateway.hears(Down, &delay_req(client, 1)).is_sent());
        assert!(gateway.hears(Up, &delay_resp(1, 1, port(client))).is_sent());
    }
    gateway.pass(SECOND);
    for client in clients {
        assert_eq!(gateway.hears(Down, &delay_req(client, 2)), Outcome::Waits);
    }
    gateway
}

#[test]
fn what_waits_keeps_its_moment_under_a_shorter_max_hold() {
    let settings = held();
    let mut undisturbed = with_waiting(&settings, 10..70);
    let mut gateway = with_waiting(&settings, 10..70);
    for gateway in [&mut undisturbed, &mut gateway] {
        gateway.pass(MS * 50);
    }
    let before = gateway.left.len();
    assert!((10..50).contains(&before), "{before} have left");
    let shorter = Settings {
        jitter: Duration::ZERO,
        max_hold: MS * 20,
        grid: Duration::from_millis(2),
        ..settings
    };
    gateway.core.apply(shorter.validated().expect("they fit"));
    for gateway in [&mut undisturbed, &mut gateway] {
        gateway.pass(MS * 60);
    }
    assert_eq!(gateway.left.len(), 60);
    assert_eq!(gateway.left, undisturbed.left);
    // The next one goes at once; what is as old as those were is stale now.
    assert!(gateway.hears(Down, &delay_req(10, 3)).is_sent());
    let late = gateway.hears_late(Down, &delay_req(11, 3), MS * 50);
    assert_eq!(late, Dropped(Reason::Stale));
    gateway.assert_conserved();
}

#[test]
fn places_under_a_limit_are_kept_and_new_ones_follow() {
    let settings = Settings {
        max_rate: Some(100),
        ..unheld()
    };
    let mut gateway = Gateway::new(settings.clone());
    // At 100 a second: the first goes, and each of the others 10 ms after the one before.
    let outcomes: Vec<_> = (10..16)
        .map(|client| gateway.hears(Down, &delay_req(client, 1)))
        .collect();
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Outcome::Waits)
            .count(),
        5
    );
    let start = gateway.now;
    let faster = Settings {
        max_rate: Some(1000),
        ..settings.clone()
    };
    gateway.core.apply(faster.validated().expect("they fit"));
    for client in 20..26 {
        assert_eq!(gateway.hears(Down, &delay_req(client, 1)), Outcome::Waits);
    }
    gateway.pass(MS * 100);
    let at: Vec<u64> = gateway
        .left
        .iter()
        .map(|left| (left.at - start) / 1_000_000)
        .collect();
    assert_eq!(
        at,
        [9, 19, 29, 39, 49, 50, 51, 52, 53, 54, 55],
        "milliseconds"
    );
    let off = Settings {
        max_rate: None,
        ..settings
    };
    gateway.core.apply(off.validated().expect("they fit"));
    assert!((30..50).all(|client| gateway.hears(Down, &delay_req(client, 1)).is_sent()));
    gateway.assert_conserved();
}

#[test]
fn who_is_not_listed_any_more_is_forgotten() {
    let settings = held();
    let mut gateway = with_waiting(&settings, 10..14);
    let listed = Settings {
        clients: vec![ClientMatch::Clock(clock(10)), ClientMatch::Port(port(11))].into(),
        ..settings.clone()
    };
    gateway.core.apply(listed.validated().expect("they fit"));
    assert_eq!(gateway.core.clients(), 4);
    assert_eq!(
        gateway.hears(Down, &delay_req(12, 3)),
        Dropped(Reason::NotAllowed)
    );
    assert_eq!(gateway.core.clients(), 3, "with its next message");
    assert_eq!(gateway.hears(Down, &delay_req(10, 3)), Outcome::Waits);
    for _ in 0..12 {
        gateway.skip(SECOND);
    }
    assert_eq!(gateway.core.clients(), 2, "a silent one within seconds");
    gateway.core.apply(settings.validated().expect("they fit"));
    assert!(
        gateway.hears(Down, &delay_req(12, 4)).is_sent(),
        "as a new one"
    );
    gateway.assert_conserved();
}

#[test]
fn settings_that_do_not_fit_change_nothing() {
    let settings = held();
    let mut gateway = with_waiting(&settings, 10..12);
    let bad = Settings {
        jitter: SECOND,
        max_clients: 1,
        ..settings.clone()
    };
    assert!(bad.validated().is_err());
    let kept = Settings {
        max_clients: 1,
        hold_frames: 16,
        seed: 99,
        ..settings.clone()
    };
    gateway.core.apply(kept.validated().expect("they fit"));
    assert_eq!(
        format!("{:?}", gateway.core.settings()),
        format!("{settings:?}")
    );
}
