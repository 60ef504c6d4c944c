//! Cases that once went wrong, each by name: what was found by fuzzing, by simulation or by reading.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::wire::PortIdentity;

use testkit::frames::*;
use testkit::gateway::Outcome::{self, Dropped};
use testkit::gateway::{Gateway, MS, SECOND, unheld};

/// The ninth request of a batch took the residence of the first, whose place it had taken.
#[test]
fn the_ninth_request_of_a_batch_has_its_own_residence() {
    let mut gateway = Gateway::new(unheld());
    gateway.stamps = false;
    for number in 0..9_u16 {
        let age = MS * u32::from(number);
        assert!(
            gateway
                .hears_late(Down, &delay_req(10, number), age)
                .is_sent()
        );
    }
    gateway.stamp_all();
    let ninth = gateway.hears(Up, &delay_resp(1, 8, port(10)));
    assert_eq!(ninth.correction(), 8_010_000 << 16);
}

/// Two early departures in a row: the second was forgotten, and the third request overtook it.
#[test]
fn a_request_behind_an_early_departure_is_not_overtaken() {
    for seed in 0..50 {
        let mut gateway = Gateway::new(Settings {
            jitter: MS * 20,
            syntonize: false,
            seed,
            ..unheld()
        });
        for number in 0..2 {
            let sent = gateway.hears(Down, &delay_req(10, number));
            if sent == Outcome::Waits {
                gateway.pass(MS * 21);
            }
            assert!(
                gateway
                    .hears(Up, &delay_resp(1, number, port(10)))
                    .is_sent()
            );
            gateway.pass(SECOND);
        }
        gateway.left.clear();
        for number in 2..6 {
            assert_eq!(gateway.hears(Down, &delay_req(10, number)), Outcome::Waits);
            gateway.flush();
        }
        gateway.pass(MS * 30);
        let order: Vec<_> = gateway
            .left
            .iter()
            .map(|left| left.frame().sequence_id())
            .collect();
        assert_eq!(order, [2, 3, 4, 5], "seed {seed}");
    }
}

/// A Follow_Up that came before its one-step Sync kept its memory for ever.
#[test]
fn memory_comes_back_from_a_follow_up_of_a_one_step_sync() {
    let mut gateway = Gateway::new(Settings {
        hold_frames: 16,
        ..unheld()
    });
    for number in 0..100 {
        assert_eq!(gateway.hears(Up, &follow_up(1, number, 9)), Outcome::Waits);
        assert!(gateway.hears(Up, &one_step(1, number, 9)).is_sent());
        gateway.pass(MS);
        assert_eq!(gateway.core.waiting(), 0, "{number}");
    }
}

/// Signaling to all-ones went round between two gateways at `--client-rate`.
#[test]
fn signaling_to_all_is_not_sent_back_where_it_came_from() {
    let mut gateway = Gateway::new(unheld());
    let message = signaling(10, 1, PortIdentity::ALL);
    assert!(gateway.hears(Down, &message).is_sent());
    assert_eq!(gateway.hears(Up, &message), Dropped(Reason::SecondPath));
    assert_eq!(gateway.hears(Down, &message), Dropped(Reason::Duplicate));
}

/// `--max-rate` was passed by when the next request of a client pushed the last one out.
#[test]
fn a_second_request_does_not_push_the_first_past_its_pace() {
    let mut gateway = Gateway::new(Settings {
        max_rate: Some(20),
        ..unheld()
    });
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert_eq!(gateway.hears(Down, &delay_req(10, 2)), Outcome::Waits);
    let third = gateway.hears(Down, &delay_req(10, 3));
    assert_eq!(third, Dropped(Reason::MaxRate));
    gateway.pass(MS * 40);
    assert!(gateway.left.is_empty());
    gateway.pass(MS * 11);
    assert_eq!(gateway.left.len(), 1);
}

/// A lost stamp at the head of the queue of deadlines stopped every departure after 16384 more.
#[test]
fn one_lost_stamp_does_not_stop_departures() {
    let mut gateway = Gateway::new(Settings {
        tx_timestamp_timeout: SECOND,
        client_rate: 100_000,
        ..unheld()
    });
    gateway.stamps = false;
    assert!(gateway.hears(Down, &delay_req(10, 0)).is_sent());
    let lost = std::mem::take(&mut gateway.in_flight);
    gateway.stamps = true;
    for number in 0..40_000_u16 {
        let sent = gateway.hears(Down, &delay_req(11, number));
        assert!(sent.is_sent(), "{number}: {sent:?}");
        gateway.skip(std::time::Duration::from_micros(20));
    }
    drop(lost);
}

/// A value or a key with a line end in it broke the message about it into two lines.
#[test]
fn an_error_about_a_value_of_two_lines_stays_on_one() {
    for text in [
        "up = \"a\"\ndown = \"b\"\njitter = \"\"\"5\n6\"\"\"\n",
        "up = \"a\"\ndown = \"b\"\njitter = \"5\\r6\"\n",
        "up = \"a\"\ndown = \"b\"\n\"jit\\nter\" = 5\n",
    ] {
        let path = std::path::Path::new("x.toml");
        let problems =
            ptpproxy::config::ConfigFile::parse(path, text.as_bytes(), &ptpproxy::cli::flags())
                .unwrap_err();
        for line in problems.to_lines() {
            assert!(!line.contains(['\n', '\r']), "{line:?}");
        }
    }
}
