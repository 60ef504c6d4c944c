//! What is found wrong between two snapshots.

use super::*;
use crate::side::PerSide;
use crate::telemetry::{ClientSlots, Measures, PortState, RefusedSender, State, SyncDue, Tenant};
use crate::wire::{Address, Announce, ClockIdentity, Lane, Mac, PortIdentity, Transport};

const NOW: Instant = Instant::from_nanos(100_000_000_000);
const DELAY_REQ: Kind = Kind::Message(MessageType::DelayReq);

fn master(number: u8, since_sync_ms: u64) -> MasterState {
    let clock = ClockIdentity([number; 8]);
    MasterState {
        sender: PortIdentity { clock, port: 1 },
        domain: 0,
        sdo: 0,
        lane: Lane::new(Transport::Ethernet, &[]),
        announced: Some(Announce {
            grandmaster: clock,
            ..Announce::default()
        }),
        allowed: true,
        multicast: true,
        last_seen: NOW,
        last_sync: Some(Instant::from_nanos(
            NOW.as_nanos() - since_sync_ms * 1_000_000,
        )),
        sync_interval: Duration::from_millis(125),
        rate_ppm: Some(0.0),
        variation_ns: None,
    }
}

/// A gateway with nothing wrong.
fn good() -> Snapshot {
    let port = |name: &str| PortState {
        name: name.to_owned(),
        present: true,
        up: true,
        running: true,
        ..PortState::default()
    };
    Snapshot {
        number: 1,
        counters: crate::telemetry::Counters::default(),
        measures: Measures::default(),
        state: State {
            at: NOW,
            ports: PerSide {
                up: port("eth0"),
                down: port("eth1"),
            }
            .into(),
            masters: vec![master(1, 100)],
            masters_known: 1,
            due: SyncDue {
                multicast_since: Some(Instant::from_nanos(1)),
                ..SyncDue::default()
            },
            ..State::default()
        },
    }
}

/// A share of each sender, and both counts since the snapshot before only.
#[test]
fn whose_signatures_are_refused_is_said_with_its_share() {
    let sender = |port: u16, refused: u64, verified: u64| RefusedSender {
        side: Side::Down,
        sender: PortIdentity {
            clock: ClockIdentity([u8::try_from(port).expect("small"); 8]),
            port,
        },
        reason: Reason::BadIcv,
        last: NOW,
        refused,
        verified,
    };
    let (mut before, mut now) = (good(), good());
    before.state.refused = vec![sender(1, 5, 100), sender(3, 9, 0)];
    now.state.refused = vec![sender(1, 10, 115), sender(2, 7, 0), sender(3, 9, 50)];
    let found = warnings(&before, &now, &Troubles::default(), NOW);
    let [warning] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(warning.kind.code(), "signatures-refused");
    let expected = "signatures refused: 100 % of 7 from 020202.0202.020202-2 on the down side (bad-icv); \
                    25 % of 20 from 010101.0101.010101-1 on the down side (bad-icv); ";
    assert!(warning.text.starts_with(expected), "{}", warning.text);
    // A row that was lost and begun anew meanwhile.
    before.state.refused = vec![sender(2, 70, 0)];
    let found = warnings(&before, &now, &Troubles::default(), NOW);
    assert!(
        found[0].text.contains("100 % of 7 from 020202"),
        "{found:?}"
    );
}

fn codes(before: &Snapshot, now: &Snapshot) -> Vec<String> {
    let found = warnings(before, now, &Troubles::default(), NOW);
    assert!(found.iter().all(|warning| !warning.text.is_empty()));
    found
        .iter()
        .map(|found| found.kind.code().to_owned())
        .collect()
}

#[test]
fn each_trouble_has_its_code() {
    type Change = fn(&mut Snapshot);
    let table: [(&str, Change); 37] = [
        ("", |_| {}),
        ("link", |now| now.state.ports.up.running = false),
        ("link", |now| now.state.ports.downs[0].present = false),
        ("no-sync", |now| now.state.masters.clear()),
        ("no-sync", |now| now.state.masters[0] = master(1, 2_100)),
        ("", |now| {
            // Three intervals are longer than two seconds.
            now.state.masters[0] = MasterState {
                sync_interval: Duration::from_secs(1),
                ..master(1, 2_900)
            };
        }),
        ("no-sync", |now| now.state.masters[0].allowed = false),
        ("two-grandmasters", |now| {
            now.state.masters.push(master(2, 10))
        }),
        ("", |now| now.state.masters.push(master(2, 5_000))),
        ("", |now| {
            let other = MasterState {
                domain: 4,
                ..master(2, 10)
            };
            now.state.masters.push(other);
        }),
        ("", |now| {
            let other = MasterState {
                allowed: false,
                ..master(2, 10)
            };
            now.state.masters.push(other);
        }),
        ("", |now| {
            // Clients ask several unicast masters.
            let other = MasterState {
                multicast: false,
                ..master(2, 10)
            };
            now.state.masters.push(other);
        }),
        ("second-path", |now| now.state.second_path = true),
        ("second-path", |now| {
            (now.counters.answered, now.counters.copied) = (100, 5);
        }),
        ("", |now| {
            (now.counters.answered, now.counters.copied) = (100, 4);
        }),
        ("answers-missing", |now| {
            (now.counters.answered, now.counters.unanswered) = (85, 15);
        }),
        ("", |now| {
            (now.counters.answered, now.counters.unanswered) = (95, 5)
        }),
        ("", |now| {
            (now.counters.answered, now.counters.unanswered) = (0, 5)
        }),
        ("answers-missing", |now| {
            for _ in 0..20 {
                now.counters.forward(Side::Down, DELAY_REQ);
            }
        }),
        ("answers-missing", |now| {
            (now.counters.answered, now.counters.unanswered) = (1, 30);
            now.counters.forward(Side::Down, DELAY_REQ);
        }),
        ("no-answers", |now| {
            (now.counters.answered, now.counters.unanswered) = (0, 8);
            now.counters.forward(Side::Down, DELAY_REQ);
        }),
        ("second-path", |now| {
            // Exchanges that go both ways are dropped: the grandmaster is not to blame.
            now.state.second_path = true;
            (now.counters.answered, now.counters.unanswered) = (0, 8);
            now.counters.forward(Side::Down, DELAY_REQ);
        }),
        ("no-sync", |now| {
            // Without Sync it is no wonder.
            (now.counters.answered, now.counters.unanswered) = (0, 8);
            now.counters.forward(Side::Down, DELAY_REQ);
            now.state.masters.clear();
        }),
        ("no-master", |now| {
            now.state.masters.clear();
            (now.state.masters_known, now.state.due) = (0, SyncDue::default());
        }),
        ("", |now| {
            // A unicast master whose clients have gone.
            now.state.masters.clear();
            now.state.due = SyncDue::default();
        }),
        ("", |now| {
            // It has just started.
            now.state.masters.clear();
            now.state.masters_known = 0;
            now.state.due = SyncDue {
                started: Instant::from_nanos(NOW.as_nanos() - 9_900_000_000),
                ..SyncDue::default()
            };
        }),
        ("answers-slow", |now| {
            for _ in 0..20 {
                now.measures.response.add(80_000_000);
            }
        }),
        ("ring-drops", |now| now.state.ports.up.counts.ring_drops = 1),
        ("ring-drops", |now| {
            now.state.ports.up.counts.ring_drops = 1;
            now.state.late.longest = Duration::from_micros(4_999);
        }),
        ("starved", |now| {
            now.state.ports.up.counts.ring_drops = 1;
            now.state.late.longest = Duration::from_millis(5);
        }),
        // Late, but nothing was lost.
        ("", |now| now.state.late.longest = Duration::from_millis(40)),
        ("loop-late", |now| now.state.late.times = 1),
        ("stamps-lost", |now| {
            let port = &mut now.state.ports.downs[0];
            (port.counts.stamps_lost, port.events) = (2, 20);
        }),
        ("", |now| {
            // Less than a tenth.
            let port = &mut now.state.ports.downs[0];
            (port.counts.stamps_lost, port.events) = (2, 21);
        }),
        ("stamps-lost", |now| {
            // One of several: what left by the others says nothing.
            let good = &now.state.ports.downs[0];
            let (good, mut bad) = (good.clone(), good.clone());
            (bad.counts.stamps_lost, bad.events) = (2, 20);
            now.state.ports.downs = vec![bad, good];
            now.state.ports.downs[1].events = 1_000;
            let sync = Kind::Message(MessageType::Sync);
            (0..1_020).for_each(|_| now.counters.forward(Side::Up, sync));
        }),
        // Chance.
        ("", |now| now.state.ports.up.counts.stamps_lost = 1),
        ("table-full", |now| {
            now.counters.drop(Side::Down, DELAY_REQ, Reason::TableFull);
        }),
    ];
    for (n, (code, change)) in table.into_iter().enumerate() {
        let before = good();
        let mut now = good();
        change(&mut now);
        let expected: Vec<String> = [code.to_owned()]
            .into_iter()
            .filter(|code| !code.is_empty())
            .collect();
        assert_eq!(codes(&before, &now), expected, "row {n}");
        // What was so before is no news, but a state is.
        if matches!(
            code,
            "ring-drops"
                | "starved"
                | "loop-late"
                | "stamps-lost"
                | "table-full"
                | "answers-missing"
                | "answers-slow"
                | "no-answers"
        ) || now.counters.copied > 0
        {
            assert!(codes(&now, &now).is_empty(), "row {n}");
        } else {
            assert_eq!(codes(&now, &now), expected, "row {n}");
        }
    }
}

#[test]
fn others_frames_are_no_trouble() {
    let mut now = good();
    for reason in [
        Reason::Foreign,
        Reason::NotOurClient,
        Reason::PeerDelay,
        Reason::Domain,
    ] {
        now.counters.drop(Side::Up, DELAY_REQ, reason);
    }
    assert!(codes(&good(), &now).is_empty());
}

/// A client with this mean interval, residence and response time in milliseconds.
fn client(interval: u32, residence: u32, response: u32) -> ClientView {
    let slots = ClientSlots::new(1);
    let mac = Mac([2, 0, 0, 0, 0, 1]);
    let tenant = Tenant {
        identity: PortIdentity::default(),
        lane: Lane::new(Transport::Ethernet, &[]),
        mac,
        address: Address::Mac(mac),
    };
    slots.open(0, &tenant, NOW);
    let slot = slots.slot(0).unwrap();
    slot.requested(interval * 1_000);
    slot.departed(0, residence * 1_000_000);
    slot.answered(u64::from(response) * 1_000_000);
    slots.read(0).unwrap()
}

#[test]
fn a_short_interval_is_reported_with_its_rule() {
    let limits = Limits {
        client_rate: 100,
        ..Limits::default()
    };
    for (interval, residence, response, rule) in [
        (125, 10, 1, None),
        (125, 10, 110, None),
        (125, 20, 110, Some("asks again before it is answered")),
        (20, 100, 100, Some("more than 8 requests are open")),
        (10, 1, 1, Some("--client-rate 100")),
        (12, 1, 1, None),
    ] {
        let found = too_short(&client(interval, residence, response), &limits);
        match rule {
            None => assert_eq!(found, None, "{interval}"),
            Some(rule) => assert!(
                found.as_ref().is_some_and(|text| text.contains(rule)),
                "{interval}: {found:?}"
            ),
        }
    }
}

#[test]
fn of_many_clients_the_first_are_named() {
    let mut troubles = Troubles::default();
    for _ in 0..10 {
        troubles.unanswered(&client(125, 1, 1), &[]);
    }
    let found = warnings(&good(), &good(), &troubles, NOW);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, WarningKind::ClientsUnanswered);
    assert!(found[0].text.ends_with("and 7 more"), "{}", found[0].text);
}

#[test]
fn nobody_who_asks_is_reported_after_30_s_with_what_is_seen_instead() {
    let at = |second: u64| Instant::from_nanos(second * 1_000_000_000);
    // Sync passes all the time; what is sent downstream in each second is told to `send`.
    let text = |seconds: u64, send: &dyn Fn(u64, &mut Snapshot)| {
        let mut quiet = Quiet::default();
        let mut now = good();
        for second in 1..=seconds {
            now.state.masters[0].last_sync = Some(at(second));
            send(second, &mut now);
            quiet.look(&std::sync::Arc::new(now.clone()), at(second));
        }
        quiet.found(&now, at(seconds)).map(|found| found.text)
    };
    assert_eq!(text(30, &|_, _| {}), None);
    let nobody = text(31, &|_, _| {}).unwrap();
    assert!(
        nobody.ends_with(WarningKind::NobodyAsks.remedy()),
        "{nobody}"
    );
    let asks = |second: u64, now: &mut Snapshot| {
        if second == 20 {
            now.counters.forward(Side::Down, DELAY_REQ);
        }
    };
    assert_eq!(text(49, &asks), None, "it asked 29 s ago");
    assert!(text(50, &asks).is_some());
    let guarded = |second: u64, now: &mut Snapshot| {
        now.state.masters[0].allowed = second != 20;
    };
    assert_eq!(text(50, &guarded), None, "Sync did not pass 30 s ago");
    for (reason, word) in [
        (Reason::PeerDelay, "E2E"),
        (Reason::Gptp, "802.1AS"),
        (Reason::Domain, "--domain"),
        (Reason::Version, "PTPv1"),
    ] {
        let found = text(40, &|second, now| {
            if second == 35 {
                now.counters.drop(Side::Down, Kind::Malformed, reason);
            }
        });
        assert!(
            found.as_ref().is_some_and(|text| text.contains(word)),
            "{found:?}"
        );
        // Long ago, and upstream, is no reason.
        let found = text(140, &|second, now| {
            if second == 35 {
                now.counters.drop(Side::Down, Kind::Malformed, reason);
            }
            now.counters.drop(Side::Up, Kind::Malformed, reason);
        });
        assert!(
            found.as_ref().is_some_and(|text| !text.contains(word)),
            "{found:?}"
        );
    }
}
