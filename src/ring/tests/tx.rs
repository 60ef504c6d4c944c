//! The transmit ring on real interfaces.

use std::collections::HashMap;
use std::time::Duration;

use super::net::{in_namespace, on_veth, run, veth};
use super::rings::{frame, next, number, put, quiet, realtime, rx, stamps_fit, tx};
use crate::reason::Reason;
use crate::ring::tx::{Done, TxOptions, TxRing};

on_veth! {
    fn a_stamped_batch_after_a_pause_is_warmed_over_the_loopback_interface() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        run("ip link set dev lo up");
        let mut tx = tx(&a);
        let mut kick = |token: Option<u64>| {
            std::thread::sleep(Duration::from_millis(2));
            if token.is_some() {
                tx.warm();
            }
            put(&mut tx, &frame(&[0x88, 0xF7], 60), token);
            assert_eq!(tx.kick().sent, 1);
            let mut stamped = 0;
            tx.completions(&mut |done| stamped += u64::from(matches!(done, Done::Stamped(..))));
            (tx.stats().warmed, stamped)
        };
        assert_eq!(kick(None), (0, 0), "nothing to be stamped");
        assert_eq!(kick(Some(1)), (1, 1));
        assert_eq!(kick(Some(2)), (2, 1));
        run("ip link set dev lo down");
        assert_eq!(kick(Some(3)), (2, 1), "no loopback, no harm");
        run("ip link set dev lo up");
        assert_eq!(kick(Some(4)), (3, 1));
        // What went over the loopback interface is seen by nobody and counted as no error.
        assert_eq!(loopback_counts(), [3, 0, 0], "received, errors, drops");
        let frames = std::iter::from_fn(|| next(&mut rx)).count();
        assert_eq!(frames, 5, "and nothing more on the cable");
        assert_eq!(tx.stats().stamps_lost, 0);
    }
}

on_veth! {
    fn a_warmed_batch_leaves_as_it_was_filled_and_each_stamp_reaches_its_frame() {
        let (a, b) = veth("va", "vb");
        run("ip link set dev lo up");
        let options = TxOptions { frames: 8, ..TxOptions::default() };
        let (mut rx, mut tx) = (rx(&b), TxRing::<u64>::open(&a, &options).unwrap());
        let mut sent = HashMap::new();
        let mut next_token = 0_u64;
        // Batches of up to as many frames as the ring has.
        for batch in 0..64_u64 {
            std::thread::sleep(Duration::from_millis(1));
            for number in 0..=batch % 8 {
                // Only before the first of a batch.
                tx.warm();
                // As short as a frame can be, and longer than the one that goes nowhere.
                let mut bytes = frame(&[0x88, 0xF7], if number % 2 == 0 { 28 } else { 200 });
                bytes[20..28].copy_from_slice(&next_token.to_be_bytes());
                put(&mut tx, &bytes, Some(next_token));
                next_token += 1;
            }
            assert_eq!(tx.kick().sent as u64, batch % 8 + 1);
            tx.completions(&mut |done| match done {
                Done::Stamped(token, stamp) => assert!(sent.insert(token, stamp).is_none()),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!((sent.len() as u64, tx.stats().stamps_lost, tx.stats().resets), (next_token, 0, 0));
        assert_eq!(tx.stats().warmed, 64);
        assert_eq!(loopback_counts(), [64, 0, 0], "received, errors, drops");
        let mut arrived = Vec::new();
        while let Some(frame) = rx.receive() {
            arrived.push((number(frame.bytes), frame.stamp.unwrap()));
        }
        let mut numbers: Vec<u64> = arrived.iter().map(|&(number, _)| number).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..next_token), "each once");
        assert!(stamps_fit(arrived.into_iter(), &sent) > 100);
    }
}

on_veth! {
    fn one_warms_the_path_of_all() {
        let (a, b) = veth("va", "vb");
        run("ip link set dev lo up");
        let (mut one, mut other) = (tx(&a), tx(&b));
        for turn in 1..=3 {
            std::thread::sleep(Duration::from_millis(1));
            one.warm();
            other.warm();
            assert_eq!((one.stats().warmed, other.stats().warmed), (turn, 0));
        }
        put(&mut one, &frame(&[0x88, 0xF7], 60), Some(1));
        std::thread::sleep(Duration::from_millis(1));
        one.warm();
        assert_eq!(one.stats().warmed, 3, "nothing leaves between the frames of a batch");
    }
}

on_veth! {
    fn where_the_loopback_interface_refuses_frames_it_is_left_alone() {
        let (a, b) = veth("va", "vb");
        run("ip link set dev lo up");
        // Any frame is too long for it.
        run("tc qdisc add dev lo root bfifo limit 1");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let mut stamped = 0;
        for number in 0..20_u64 {
            std::thread::sleep(Duration::from_millis(1));
            tx.warm();
            put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(number));
            assert_eq!(tx.kick().sent, 1);
            tx.completions(&mut |done| match done {
                Done::Stamped(token, _) if token == number => stamped += 1,
                other => panic!("{other:?}"),
            });
        }
        assert_eq!((stamped, std::iter::from_fn(|| next(&mut rx)).count()), (20, 20));
        let stats = tx.stats();
        assert_eq!((stats.warmed, stats.stamps_lost, stats.resets), (0, 0, 0));
        let shown = std::process::Command::new("tc").args(["-s", "qdisc", "show", "dev", "lo"]).output();
        let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
        assert!(shown.contains("(dropped 1,"), "{shown}");
    }
}

/// What the loopback interface received, with errors and drops.
fn loopback_counts() -> [u64; 3] {
    let counts = std::fs::read_to_string("/proc/net/dev").unwrap();
    let counts = counts
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"))
        .unwrap();
    let counts: Vec<u64> = counts
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    [counts[1], counts[2], counts[3]]
}

on_veth! {
    fn a_batch_holds_no_more_than_it_may() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        let options = TxOptions { batch: 2, ..TxOptions::default() };
        let mut tx = TxRing::<u64>::open(&a, &options).unwrap();
        for _ in 0..2 {
            for _ in 0..2 {
                put(&mut tx, &frame(&[0x88, 0xF7], 60), None);
            }
            assert!(tx.slot().is_none());
            assert_eq!(tx.kick().sent, 2);
        }
        let frames = std::iter::from_fn(|| next(&mut rx)).count();
        assert_eq!(frames, 4);
    }
}

on_veth! {
    fn every_stamp_reaches_its_frame() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let mut sent = HashMap::new();
        let mut next_token = 0_u64;
        let mut last = 0_i64;
        for batch in 0..200_u64 {
            let stamped = batch % 5 != 4;
            let before = realtime();
            for number in 0..25 {
                let mut bytes = frame(&[0x88, 0xF7], 60);
                bytes[20..28].copy_from_slice(&next_token.to_be_bytes());
                // Not every frame of a stamped batch asks for its stamp.
                let token = (stamped && number % 7 != 3).then_some(next_token);
                put(&mut tx, &bytes, token);
                next_token += 1;
            }
            let report = tx.kick();
            assert_eq!((report.sent, report.unsent), (25, 0));
            let after = realtime();
            tx.completions(&mut |done| match done {
                Done::Stamped(token, stamp) => {
                    assert!((before..=after).contains(&stamp.as_nanos()));
                    assert!(stamp.as_nanos() >= last, "frames leave in order");
                    last = stamp.as_nanos();
                    assert!(sent.insert(token, stamp).is_none());
                }
                Done::Software(token, _) => panic!("{token}: no hardware stamps it"),
                Done::Unsent(token, reason) => panic!("{token}: {reason}"),
            });
        }
        assert_eq!(next_token, 5000);
        let asked = (0..5000_u64).filter(|token| (token / 25) % 5 != 4 && (token % 25) % 7 != 3);
        assert_eq!(asked.clone().count(), sent.len());
        assert!(asked.clone().all(|token| sent.contains_key(&token)));
        let arrived = std::iter::from_fn(|| {
            let frame = rx.receive()?;
            Some((number(frame.bytes), frame.stamp.unwrap()))
        });
        let judged = stamps_fit(arrived.take(4096), &sent);
        assert!(judged > 2_500, "{judged}");
        assert_eq!(tx.stats().stamps_lost, 0);
    }
}

on_veth! {
    fn batches_stay_within_the_error_queue() {
        let (a, _b) = veth("va", "vb");
        let mut tx = tx(&a);
        let limit = tx.stamp_limit();
        assert!(limit >= 200, "{limit}");
        for _ in 0..5 {
            let mut queued = 0_usize;
            while let Some(slot) = tx.slot() {
                slot[..60].copy_from_slice(&frame(&[0x88, 0xF7], 60));
                tx.commit(60, Some(queued as u64));
                queued += 1;
            }
            assert_eq!(queued, limit.min(2048));
            assert_eq!(tx.kick().sent, queued);
            let mut stamped = 0;
            tx.completions(&mut |done| stamped += usize::from(matches!(done, Done::Stamped(..))));
            assert_eq!(stamped, queued);
        }
    }
}

on_veth! {
    fn a_batch_that_is_taken_back_leaves_no_trace() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        for token in [Some(0), None, Some(2)] {
            put(&mut tx, &frame(&[0x88, 0xF7], 60), token);
        }
        assert_eq!(tx.take_back(), 3);
        assert_eq!((tx.queued(), tx.stats().unsent), (0, 3));
        let mut back = Vec::new();
        tx.completions(&mut |done| back.extend(done.last()));
        let expected = matches!(back[..], [Done::Unsent(0, Reason::Stale), Done::Unsent(2, Reason::Stale)]);
        assert!(expected, "{back:?}");
        // The next one leaves alone, with a stamp of its own.
        let bytes = frame(&[0x88, 0xF7], 77);
        put(&mut tx, &bytes, Some(3));
        assert_eq!(tx.kick().sent, 1);
        assert_eq!(next(&mut rx).unwrap().0, bytes);
        assert!(quiet(&mut rx));
        let mut stamped = Vec::new();
        tx.completions(&mut |done| stamped.extend(done.last()));
        assert!(matches!(stamped[..], [Done::Stamped(3, _)]), "{stamped:?}");
    }
}

on_veth! {
    fn it_tells_whether_a_queue_holds_frames() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let kick = |tx: &mut TxRing<u64>| {
            put(tx, &frame(&[0x88, 0xF7], 1400), None);
            assert_eq!(tx.kick().sent, 1);
        };
        kick(&mut tx);
        assert!(next(&mut rx).is_some());
        assert!(!tx.holds_frames());
        run("tc qdisc add dev va root tbf rate 16kbit burst 1600 limit 100000");
        kick(&mut tx);
        kick(&mut tx);
        assert!(tx.holds_frames());
        run("tc qdisc del dev va root");
        assert!(!tx.holds_frames(), "what it held went with it");
    }
}
