//! The transmit ring when frames, links and queues are not as it wants them.

use std::collections::HashMap;
use std::time::Duration;

use super::net::{in_namespace, on_veth, raise, run, veth};
use super::rings::{frame, next, number, put, quiet, rx, stamps_fit, tx};
use crate::reason::Reason;
use crate::ring::rx::RxRing;
use crate::ring::tx::{Done, TxRing};
use crate::time::Stamp;

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
        assert_eq!(refused(&mut tx, 6, usize::MAX / 2, &[0x88, 0xF7]), [Reason::TooLarge]);
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
        tx.completions(&mut |done| refused.extend(done.last()));
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
            Done::Stamped(..) | Done::Software(..) => panic!("stamped though down"),
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
        tx.completions(&mut |done| stamped.extend(done.last()));
        assert!(matches!(stamped[..], [Done::Stamped(11, _)]), "{stamped:?}");
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
            tx.completions(&mut |done| seen.extend(done.last()));
        }
        let early = seen.len();
        assert!(early < 9, "some are late: {seen:?}");
        let patience = std::time::Instant::now() + Duration::from_secs(20);
        while tx.holds_frames() && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        tx.completions(&mut |done| seen.extend(done.last()));
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
        tx.completions(&mut |done| stamped.extend(done.last()));
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
                Done::Software(..) => panic!("no hardware stamps these"),
                Done::Unsent(_, reason) => assert_eq!(reason, Reason::TxFailed),
            });
        };
        let mut listen = |rx: &mut RxRing| {
            while let Some(frame) = rx.receive() {
                arrived.push((number(frame.bytes), frame.stamp.unwrap()));
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
        assert!(stamps_fit(arrived, &stamps) > 100);
    }
}
