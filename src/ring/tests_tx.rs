//! The transmit ring on real interfaces.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::os::fd::AsFd as _;
use std::time::Duration;

use super::rx::RxRing;
use super::sys;
use super::test_net::{in_namespace, on_veth, raise, run, veth};
use super::test_rings::{frame, next, put, quiet, realtime, rx, tx};
use super::tx::{TxOptions, TxRing};
use super::tx_report::Done;
use crate::reason::Reason;
use crate::time::Stamp;

on_veth! {
    fn a_stamped_batch_after_a_pause_is_warmed_over_the_loopback_interface() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        run("ip link set dev lo up");
        let mut tx = tx(&a);
        let mut kick = |token: Option<u64>| {
            std::thread::sleep(Duration::from_millis(2));
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
        let counts = std::fs::read_to_string("/proc/net/dev").unwrap();
        let counts = counts.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap();
        let counts: Vec<u64> = counts.split_whitespace().map(|n| n.parse().unwrap()).collect();
        assert_eq!((counts[1], counts[2], counts[3]), (3, 0, 0), "received, errors, drops");
        let frames = std::iter::from_fn(|| next(&mut rx)).count();
        assert_eq!(frames, 5, "and nothing more on the cable");
    }
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
                Done::Unsent(token, reason) => panic!("{token}: {reason}"),
            });
        }
        assert_eq!(next_token, 5000);
        let asked = (0..5000_u64).filter(|token| (token / 25) % 5 != 4 && (token % 25) % 7 != 3);
        assert_eq!(asked.clone().count(), sent.len());
        assert!(asked.clone().all(|token| sent.contains_key(&token)));
        // The receive stamp of the very same frame is the judge of the match.
        let mut close = 0;
        for _ in 0..4096 {
            let frame = rx.receive().unwrap();
            let token = u64::from_be_bytes(frame.bytes[20..28].try_into().unwrap());
            if let Some(departed) = sent.get(&token) {
                let transit = frame.stamp.unwrap().since(*departed).unwrap();
                assert!(transit >= 0, "{token}: arrived {transit} ns after it left");
                close += usize::from(transit < 5_000);
            }
        }
        assert!(close > 1500, "{close} of about 2700 frames within 5 us");
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
    fn default_error_queue_is_measured() {
        // The facts behind the budget: how many stamps a buffer of a known size keeps.
        let (a, _b) = veth("va", "vb");
        let mut tx = tx(&a);
        let half: libc::c_int = 212_992 / 2;
        sys::set_option(tx.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, &half).unwrap();
        let now = sys::get_option::<libc::c_int>(tx.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF).unwrap();
        let budget = super::stamp_budget::StampBudget::new(usize::try_from(now).unwrap()).limit();
        for token in 0..1000 {
            put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(token));
        }
        assert_eq!(tx.kick().sent, 1000);
        let mut stamped = 0_usize;
        tx.completions(&mut |_| stamped += 1);
        println!("{now} bytes keep {stamped} stamps; the budget is {budget}");
        assert!(stamped < 1000 && budget <= stamped, "{stamped} kept, budget {budget}");
    }
}

on_veth! {
    fn bad_sizes_do_not_stall_the_ring() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let refused = |tx: &mut TxRing<u64>, token, len: usize, from_type: &[u8]| {
            let bytes = frame(from_type, len.clamp(20, 2000));
            let slot = tx.slot().unwrap();
            let fill = bytes.len().min(slot.len());
            slot[..fill].copy_from_slice(&bytes[..fill]);
            tx.commit(len, Some(token));
            let mut reasons = Vec::new();
            tx.completions(&mut |done| match done {
                Done::Unsent(back, reason) if back == token => reasons.push(reason),
                other => panic!("{other:?}"),
            });
            reasons
        };
        assert_eq!(refused(&mut tx, 1, 0, &[0x88, 0xF7]), [Reason::BadLength]);
        assert_eq!(refused(&mut tx, 2, 13, &[0x88, 0xF7]), [Reason::BadLength]);
        assert_eq!(refused(&mut tx, 3, 1515, &[0x88, 0xF7]), [Reason::TooLarge]);
        assert_eq!(refused(&mut tx, 4, 1519, &[0x81, 0, 0, 5]), [Reason::TooLarge]);
        assert_eq!(refused(&mut tx, 5, 1518, &[0x88, 0xA8, 0, 5]), [Reason::TooLarge]);
        assert_eq!(refused(&mut tx, 6, 1 << 40, &[0x88, 0xF7]), [Reason::TooLarge]);
        assert_eq!(tx.queued(), 0);
        // What is accepted at the very limit does leave.
        for (len, from_type) in [
            (1514, &[0x88, 0xF7][..]),
            (1518, &[0x81, 0x00, 0x00, 0x05, 0x88, 0xF7]),
            (1514, &[0x88, 0xA8, 0x00, 0x05, 0x88, 0xF7]),
            (14, &[0x88, 0xF7]),
        ] {
            let bytes = frame(from_type, len);
            put(&mut tx, &bytes, Some(9));
            let report = tx.kick();
            assert_eq!((report.sent, report.unsent), (1, 0));
            assert_eq!(next(&mut rx).unwrap().0, bytes);
            let mut stamped = 0;
            tx.completions(&mut |_| stamped += 1);
            assert_eq!(stamped, 1);
        }
    }
}

on_veth! {
    fn shrunken_mtu_mixes_no_stamps() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("ip link set dev va mtu 1000");
        for (token, len) in [(0, 60), (1, 1400), (2, 61), (3, 1400), (4, 62)] {
            put(&mut tx, &frame(&[0x88, 0xF7], len), Some(token));
        }
        let report = tx.kick();
        assert_eq!((report.sent, report.unsent), (5, 0), "the kernel skips none");
        let mut stamped = Vec::new();
        tx.completions(&mut |done| match done {
            Done::Stamped(token, _) => stamped.push(token),
            other => panic!("{other:?}"),
        });
        assert_eq!(stamped, [0, 1, 2, 3, 4]);
        for len in [60, 1400, 61, 1400, 62] {
            assert_eq!(next(&mut rx).unwrap().0.len(), len);
        }
        assert_eq!(tx.stats().resets, 0);
        tx.set_mtu(1000);
        put(&mut tx, &frame(&[0x88, 0xF7], 1400), Some(5));
        let mut refused = Vec::new();
        tx.completions(&mut |done| refused.push(done));
        assert!(matches!(refused[..], [Done::Unsent(5, Reason::TooLarge)]), "{refused:?}");
    }
}

on_veth! {
    fn link_down_takes_everything_back() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("ip link set dev va down");
        for token in 0..10 {
            put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(token));
        }
        let report = tx.kick();
        assert_eq!((report.sent, report.unsent), (0, 10));
        assert!(tx.is_down());
        assert_eq!(tx.stats().last_error, libc::ENETDOWN);
        let mut back = Vec::new();
        tx.completions(&mut |done| match done {
            Done::Unsent(token, reason) => {
                assert_eq!(reason, Reason::TxFailed);
                back.push(token);
            }
            Done::Stamped(..) => panic!("stamped though down"),
        });
        assert_eq!(back, (0..10).collect::<Vec<_>>());
        raise("va");
        assert!(quiet(&mut rx), "nothing stale leaves after link up");
        let bytes = frame(&[0x88, 0xF7], 77);
        put(&mut tx, &bytes, Some(11));
        assert_eq!(tx.kick().sent, 1);
        assert!(!tx.is_down());
        assert_eq!(next(&mut rx).unwrap().0, bytes);
        let mut stamped = Vec::new();
        tx.completions(&mut |done| stamped.push(done));
        assert!(matches!(stamped[..], [Done::Stamped(11, _)]), "{stamped:?}");
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
        tx.completions(&mut |done| back.push(done));
        let expected = matches!(back[..], [Done::Unsent(0, Reason::Stale), Done::Unsent(2, Reason::Stale)]);
        assert!(expected, "{back:?}");
        // The next one leaves alone, with a stamp of its own.
        let bytes = frame(&[0x88, 0xF7], 77);
        put(&mut tx, &bytes, Some(3));
        assert_eq!(tx.kick().sent, 1);
        assert_eq!(next(&mut rx).unwrap().0, bytes);
        assert!(quiet(&mut rx));
        let mut stamped = Vec::new();
        tx.completions(&mut |done| stamped.push(done));
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

on_veth! {
    /// Stamps that were given up are read all the same, all of them by one call.
    fn late_stamps_are_read_however_few_are_expected() {
        let (a, b) = veth("va", "vb");
        let (_rx, mut tx) = (rx(&b), tx(&a));
        run("tc qdisc add dev va root tbf rate 64kbit burst 1600 limit 100000");
        let bytes = frame(&[0x88, 0xF7], 400);
        for token in 0..10 {
            put(&mut tx, &bytes, Some(token));
        }
        assert_eq!(tx.kick().sent, 10);
        let mut seen = Vec::new();
        for _ in 0..6 {
            // Each that finds nothing makes it less likely that any will come.
            tx.completions(&mut |done| seen.push(done));
        }
        let early = seen.len();
        assert!(early < 9, "some are late: {seen:?}");
        let patience = std::time::Instant::now() + Duration::from_secs(20);
        while tx.holds_frames() && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        tx.completions(&mut |done| seen.push(done));
        assert_eq!(seen.len(), 10, "{early} came early");
        for (token, done) in (0..).zip(&seen) {
            assert!(matches!(done, Done::Stamped(at, _) if *at == token), "{seen:?}");
        }
    }
}

on_veth! {
    fn rings_survive_a_recreated_interface() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("ip link del va");
        put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(1));
        let report = tx.kick();
        assert_eq!((report.sent, report.unsent), (0, 1));
        assert!(tx.is_down());
        tx.completions(&mut |done| assert!(matches!(done, Done::Unsent(1, _))));
        let (a, b) = veth("va", "vb");
        rx.rebind(&b).unwrap();
        tx.rebind(&a).unwrap();
        put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(2));
        assert_eq!(tx.kick().sent, 1);
        assert!(next(&mut rx).is_some());
        let mut stamped = Vec::new();
        tx.completions(&mut |done| stamped.push(done));
        assert!(matches!(stamped[..], [Done::Stamped(2, _)]), "{stamped:?}");
    }
}

on_veth! {
    /// A queue that refuses frames in mid-kick: the refused frame has used a stamp id up.
    fn full_queue_never_mixes_stamps() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("tc qdisc add dev va root tbf rate 500kbit burst 250 limit 600");
        let mut stamps = HashMap::new();
        let mut arrived = Vec::new();
        let (mut sent, mut unsent) = (0, 0);
        let mut token = 0_u64;
        let collect = |tx: &mut TxRing<u64>, stamps: &mut HashMap<u64, Stamp>| {
            tx.completions(&mut |done| match done {
                Done::Stamped(token, stamp) => assert!(stamps.insert(token, stamp).is_none()),
                Done::Unsent(_, reason) => assert_eq!(reason, Reason::TxFailed),
            });
        };
        let mut listen = |rx: &mut RxRing| {
            while let Some(frame) = rx.receive() {
                let number = u64::from_be_bytes(frame.bytes[20..28].try_into().unwrap());
                arrived.push((number, frame.stamp));
            }
        };
        for round in 0..150_u64 {
            for _ in 0..=round % 17 {
                let mut bytes = frame(&[0x88, 0xF7], 120);
                bytes[20..28].copy_from_slice(&token.to_be_bytes());
                put(&mut tx, &bytes, Some(token));
                token += 1;
            }
            let report = tx.kick();
            sent += report.sent;
            unsent += report.unsent;
            std::thread::sleep(Duration::from_millis(round * 7 % 40));
            collect(&mut tx, &mut stamps);
            listen(&mut rx);
        }
        std::thread::sleep(Duration::from_millis(200));
        collect(&mut tx, &mut stamps);
        listen(&mut rx);
        println!(
            "{sent} sent, {unsent} refused, {} stamped, {:?}",
            stamps.len(),
            tx.stats()
        );
        assert_eq!(arrived.len(), sent);
        assert!(unsent > 100, "the queue refused too little: {unsent}");
        assert!(stamps.len() > 100, "hardly a stamp: {}", stamps.len());
        for (number, stamp) in arrived {
            if let Some(departed) = stamps.get(&number) {
                let transit = stamp.unwrap().since(*departed).unwrap();
                // Frames are 2 ms apart on this link: a neighbour's stamp would show.
                assert!((0..500_000).contains(&transit), "{number}: {transit} ns");
            }
        }
    }
}

on_veth! {
    /// Both rings behind the loop's contract, there and back.
    fn port_answers_the_contract() {
        use super::port::PacketPort;
        use crate::engine::{Completion, Port as _, Token};
        let (a, b) = veth("va", "vb");
        let port = |interface| PacketPort {
            rx: rx(interface),
            tx: TxRing::open(interface, &super::TxOptions::default()).unwrap(),
        };
        let (mut one, mut other) = (port(&a), port(&b));
        for (from, to) in [(true, false), (false, true)] {
            let [source, sink] = if from && !to { [&mut one, &mut other] } else { [&mut other, &mut one] };
            let bytes = frame(&[0x88, 0xF7], 60);
            source.slot().unwrap()[..60].copy_from_slice(&bytes);
            source.commit(60, Some(Token::new(NonZeroU64::new(5).unwrap())));
            source.slot().unwrap()[..60].copy_from_slice(&bytes);
            source.commit(2000, Some(Token::new(NonZeroU64::new(6).unwrap())));
            assert_eq!(source.queued(), 1);
            assert_eq!(source.kick().sent, 1);
            let mut seen = Vec::new();
            source.completions(&mut |done| seen.push(match done {
                Completion::Stamped(token, _) => (token.into_value(), None),
                Completion::Unsent(token, reason) => (token.into_value(), Some(reason)),
            }));
            seen.sort_unstable();
            assert_eq!(seen, [(5, None), (6, Some(Reason::TooLarge))]);
            assert_eq!(next(&mut sink.rx).unwrap().0, bytes);
            assert!(sink.receive().is_none());
        }
    }
}
