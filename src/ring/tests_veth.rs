//! The rings on real interfaces.

use std::collections::HashMap;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::interface::Interface;
use super::rx::{RxOptions, RxRing};
use super::sys;
use super::test_net::{in_namespace, raise, run, veth};
use super::tx::{Done, TxOptions, TxRing};
use crate::reason::Reason;
use crate::time::{ClockId, Stamp};

/// A test that runs in a namespace of its own.
macro_rules! on_veth {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        $(#[$attribute])*
        #[test]
        fn $name() {
            fn body() $body
            in_namespace(concat!("ring::tests_veth::", stringify!($name)), body);
        }
    };
}

const fn op(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "operation codes are below 256"
        )]
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Lets EtherType 0x88F7 through, or below one more tag, and nothing else.
fn ptp_only() -> Vec<libc::sock_filter> {
    let load = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let done = libc::BPF_RET | libc::BPF_K;
    vec![
        op(load, 0, 0, 12),
        op(equal, 3, 0, 0x88F7),
        op(equal, 0, 3, 0x8100),
        op(load, 0, 0, 16),
        op(equal, 0, 1, 0x88F7),
        op(done, 0, 0, u32::MAX),
        op(done, 0, 0, 0),
    ]
}

fn drop_all() -> Vec<libc::sock_filter> {
    vec![op(libc::BPF_RET | libc::BPF_K, 0, 0, 0)]
}

fn rx(interface: &Interface) -> RxRing {
    let mut ring = RxRing::open(interface, &ptp_only(), &RxOptions::default()).unwrap();
    // Right after the first socket asked for stamps, the kernel still switches them on.
    std::thread::sleep(Duration::from_millis(50));
    while ring.receive().is_some() {}
    ring
}

fn tx(interface: &Interface) -> TxRing<u64> {
    TxRing::open(interface, &TxOptions::default()).unwrap()
}

/// A frame that starts with the PTP multicast address and these bytes from the EtherType on.
fn frame(from_type: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 1];
    bytes.extend(from_type);
    let start = bytes.len();
    bytes.resize(length, 0);
    for (number, byte) in (0_u8..=255).cycle().zip(&mut bytes[start..]) {
        *byte = number;
    }
    bytes
}

fn put(ring: &mut TxRing<u64>, bytes: &[u8], token: Option<u64>) {
    let slot = ring.slot().expect("a free slot");
    slot[..bytes.len()].copy_from_slice(bytes);
    ring.commit(bytes.len(), token);
}

/// The next frame within a second, with its stamp, `to_host` and `truncated`.
fn next(ring: &mut RxRing) -> Option<(Vec<u8>, Option<Stamp>, bool, bool)> {
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        if let Some(frame) = ring.receive() {
            return Some((
                frame.bytes.to_vec(),
                frame.stamp,
                frame.to_host,
                frame.truncated,
            ));
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    None
}

fn quiet(ring: &mut RxRing) -> bool {
    std::thread::sleep(Duration::from_millis(50));
    ring.receive().is_none()
}

/// A plain packet socket: sends frames as any program would.
fn raw(interface: &Interface) -> std::fs::File {
    let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).unwrap();
    sys::bind_packet(socket.as_fd(), interface.index, 0).unwrap();
    socket.into()
}

fn realtime() -> i64 {
    super::SystemClock.sample().realtime_ns
}

on_veth! {
    fn frames_arrive_with_software_stamps() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let bytes = frame(&[0x88, 0xF7], 60);
        for _ in 0..100 {
            let before = realtime();
            put(&mut tx, &bytes, None);
            assert_eq!(tx.kick().sent, 1);
            let (got, stamp, to_host, truncated) = next(&mut rx).unwrap();
            let after = realtime();
            assert_eq!(got, bytes);
            assert!(!to_host && !truncated);
            let stamp = stamp.unwrap();
            assert_eq!(stamp.clock(), ClockId::Realtime);
            assert!((before..=after).contains(&stamp.as_nanos()));
        }
        assert_eq!(rx.drops(), (100, 0));
        assert_eq!(rx.drops(), (100, 0));
    }
}

on_veth! {
    fn unicast_to_us_is_told_apart() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        let mut raw = raw(&a);
        let mut bytes = frame(&[0x88, 0xF7], 60);
        bytes[..6].copy_from_slice(&b.mac);
        raw.write_all(&bytes).unwrap();
        assert!(next(&mut rx).unwrap().2);
        bytes[5] ^= 1;
        raw.write_all(&bytes).unwrap();
        assert!(!next(&mut rx).unwrap().2, "promiscuous, but not ours");
    }
}

on_veth! {
    fn without_promiscuous_mode_groups_still_arrive() {
        let (a, b) = veth("va", "vb");
        let options = RxOptions { promiscuous: false, ..RxOptions::default() };
        let mut rx = RxRing::open(&b, &ptp_only(), &options).unwrap();
        let text = std::process::Command::new("ip").args(["maddr", "show", "dev", "vb"]).output().unwrap();
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        for address in ["01:1b:19:00:00:00", "01:80:c2:00:00:0e", "01:00:5e:00:01:81", "33:33:00:00:01:81"] {
            assert!(text.contains(address), "{address} missing in {text}");
        }
        raw(&a).write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        assert!(next(&mut rx).is_some());
        let flags = std::process::Command::new("ip").args(["-d", "link", "show", "vb"]).output().unwrap();
        assert!(String::from_utf8_lossy(&flags.stdout).contains("promiscuity 0"));
    }
}

on_veth! {
    fn tags_come_back_in_place() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        let mut raw = raw(&a);
        for from_type in [
            &[0x81, 0x00, 0x20, 0x05, 0x88, 0xF7][..],
            &[0x81, 0x00, 0xE0, 0x00, 0x88, 0xF7],
            &[0x88, 0xA8, 0x0F, 0xFE, 0x88, 0xF7],
            &[0x88, 0xA8, 0x00, 0x07, 0x81, 0x00, 0x00, 0x08, 0x88, 0xF7],
        ] {
            let bytes = frame(from_type, 64);
            raw.write_all(&bytes).unwrap();
            assert_eq!(next(&mut rx).unwrap().0, bytes, "raw socket {from_type:02X?}");
            put(&mut tx, &bytes, None);
            assert_eq!(tx.kick().sent, 1);
            assert_eq!(next(&mut rx).unwrap().0, bytes, "ring {from_type:02X?}");
        }
        assert_eq!(rx.malformed(), 0);
    }
}

on_veth! {
    fn filter_is_attached_and_replaced() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        let mut raw = raw(&a);
        raw.write_all(&frame(&[0x08, 0x00], 60)).unwrap();
        assert!(quiet(&mut rx));
        rx.set_filter(&drop_all()).unwrap();
        raw.write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        assert!(quiet(&mut rx));
        rx.set_filter(&ptp_only()).unwrap();
        raw.write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        assert!(next(&mut rx).is_some());
    }
}

on_veth! {
    fn own_transmissions_are_not_heard() {
        let (a, b) = veth("va", "vb");
        let (mut here, mut there, mut tx) = (rx(&a), rx(&b), tx(&a));
        put(&mut tx, &frame(&[0x88, 0xF7], 60), None);
        raw(&a).write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        assert_eq!(tx.kick().sent, 1);
        assert!(next(&mut there).is_some() && next(&mut there).is_some());
        assert!(quiet(&mut here));
    }
}

on_veth! {
    fn oversized_frames_are_marked() {
        let (a, b) = veth("va", "vb");
        let options = RxOptions { frame_size: 512, ..RxOptions::default() };
        let mut rx = RxRing::open(&b, &ptp_only(), &options).unwrap();
        let bytes = frame(&[0x88, 0xF7], 1000);
        let mut raw = raw(&a);
        raw.write_all(&bytes).unwrap();
        let (got, .., truncated) = next(&mut rx).unwrap();
        assert!(truncated && got.len() < 512 && bytes.starts_with(&got));
        let bytes = frame(&[0x81, 0x00, 0x00, 0x05, 0x88, 0xF7], 1000);
        raw.write_all(&bytes).unwrap();
        let (got, .., truncated) = next(&mut rx).unwrap();
        assert!(truncated && bytes.starts_with(&got));
    }
}

on_veth! {
    fn full_ring_counts_its_drops() {
        let (a, b) = veth("va", "vb");
        let options = RxOptions { frames: 8, ..RxOptions::default() };
        let mut rx = RxRing::open(&b, &ptp_only(), &options).unwrap();
        let mut raw = raw(&a);
        for _ in 0..20 {
            raw.write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(std::iter::from_fn(|| rx.receive().map(drop)).count(), 8);
        assert_eq!(rx.drops(), (20, 12));
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
        assert!(close > 2400, "{close} of about 2700 frames within 5 us");
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
    fn shrunken_mtu_skips_frames_and_mixes_no_stamps() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("ip link set dev va mtu 1000");
        for (token, len) in [(0, 60), (1, 1400), (2, 60), (3, 1400), (4, 60)] {
            put(&mut tx, &frame(&[0x88, 0xF7], len), Some(token));
        }
        let _ = tx.kick();
        assert_eq!(tx.queued(), 0);
        tx.completions(&mut |done| panic!("{done:?}: which stamp is whose cannot be known"));
        for _ in 0..3 {
            assert_eq!(next(&mut rx).unwrap().0.len(), 60);
        }
        // The counter is set back within little more than a second, and stamps come again.
        tx.set_mtu(1000);
        let end = Instant::now() + Duration::from_secs(3);
        let mut stamped = Vec::new();
        let mut token = 100;
        while stamped.is_empty() && Instant::now() < end {
            token += 1;
            put(&mut tx, &frame(&[0x88, 0xF7], 60), Some(token));
            assert_eq!(tx.kick().sent, 1);
            tx.completions(&mut |done| stamped.push(done));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(matches!(stamped[..], [Done::Stamped(back, _)] if back == token));
        assert_eq!(tx.stats().resets, 1);
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
    fn receiver_survives_link_down() {
        let (a, b) = veth("va", "vb");
        let (mut rx, mut tx) = (rx(&b), tx(&a));
        run("ip link set dev vb down");
        assert_eq!(rx.take_error().and_then(|error| error.raw_os_error()), Some(libc::ENETDOWN));
        assert!(rx.take_error().is_none());
        raise("vb");
        put(&mut tx, &frame(&[0x88, 0xF7], 60), None);
        assert_eq!(tx.kick().sent, 1);
        assert!(next(&mut rx).is_some());
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
    fn monitor_tells_a_life() {
        use super::monitor::{LinkChange, Monitor};
        let (_a, b) = veth("va", "vb");
        let mut monitor = Monitor::open(&[&b]).unwrap();
        let told = |monitor: &mut Monitor, wanted: &dyn Fn(&LinkChange) -> bool| {
            let end = Instant::now() + Duration::from_secs(3);
            let mut seen = Vec::new();
            while Instant::now() < end {
                monitor.changes(&mut |change| seen.push(change)).unwrap();
                if seen.iter().any(wanted) {
                    return seen.len();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            panic!("not told, only {seen:?}");
        };
        run("ip link set dev vb down");
        told(&mut monitor, &|change| matches!(change, LinkChange::Changed { which: 0, now } if !now.up));
        raise("vb");
        told(&mut monitor, &|change| matches!(change, LinkChange::Changed { now, .. } if now.running));
        run("ip link set dev va down");
        told(&mut monitor, &|change| matches!(change, LinkChange::Changed { now, .. } if !now.running && now.up));
        run("ip link set dev vb mtu 1400");
        told(&mut monitor, &|change| matches!(change, LinkChange::Changed { now, .. } if now.mtu == 1400));
        run("ip link del va");
        told(&mut monitor, &|change| matches!(change, LinkChange::Gone { which: 0 }));
        let (_, again) = veth("va", "vb");
        assert_ne!(again.index, b.index);
        told(&mut monitor, &|change| matches!(change, LinkChange::Recreated { now, .. } if now.index == again.index));
    }
}

on_veth! {
    fn bridge_ports_come_and_go_unnoticed() {
        use super::monitor::{LinkChange, Monitor};
        let (_a, b) = veth("va", "vb");
        run("ip link add name br0 type bridge");
        let mut monitor = Monitor::open(&[&b]).unwrap();
        run("ip link set dev vb master br0");
        run("ip link set dev vb nomaster");
        std::thread::sleep(Duration::from_millis(50));
        let mut seen = Vec::new();
        monitor.changes(&mut |change| seen.push(change)).unwrap();
        assert!(seen.iter().all(|change| matches!(change, LinkChange::Changed { .. })), "{seen:?}");
        assert!(seen.iter().any(|change| matches!(change, LinkChange::Changed { now, .. } if now.master.is_some())));
    }
}

on_veth! {
    fn pairs_of_real_interfaces_are_judged() {
        use super::pair::check_pair;
        let _ = veth("va", "vb");
        let _ = veth("vc", "vd");
        run("ip link add name br0 type bridge");
        run("ip link add link va name mac0 type macvlan mode bridge");
        assert!(check_pair("va", "vb").is_ok(), "a veth's link is its peer");
        assert!(check_pair("va", "vc").is_ok());
        run("ip link set dev vb master br0");
        run("ip link set dev vd master br0");
        for (up, down, why) in [
            ("vb", "br0", "part of br0"),
            ("vb", "vd", "both belong to br0"),
            ("mac0", "va", "mac0 sits on va"),
            ("lo", "va", "loopback"),
            ("va", "va", "same interface"),
        ] {
            let text = check_pair(up, down).unwrap_err().to_string();
            assert!(text.contains(why), "{text}");
        }
    }
}

on_veth! {
    fn groups_are_joined() {
        use super::groups::GroupMembership;
        run("ip link add name va type veth peer name vb");
        for name in ["va", "vb"] {
            run(&format!("ip link set dev {name} up"));
        }
        raise("vb");
        let b = Interface::lookup("vb").unwrap();
        let (groups, warnings) = GroupMembership::join(&b);
        assert_eq!((groups.families(), &warnings[..]), (2, &[][..]));
        let listing = || {
            let output = std::process::Command::new("ip").args(["maddr", "show", "dev", "vb"]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let text = listing();
        for group in ["224.0.1.129", "ff01::181", "ff02::181", "ff05::181", "ff08::181", "ff0e::181"] {
            assert!(text.contains(group), "{group} missing in {text}");
        }
        assert!(!text.contains("224.0.0.107") && !text.contains("::6b"), "{text}");
        drop(groups);
        assert!(!listing().contains("224.0.1.129"));
        let (_groups, warnings) = GroupMembership::join(&Interface { index: 9999, ..b });
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].contains("vb") && warnings[0].contains("IGMP"), "{warnings:?}");
    }
}

on_veth! {
    fn veth_has_no_hardware_stamps() {
        use super::hardware::{HardwareInfo, Stamping, Timestamping};
        let (a, b) = veth("va", "vb");
        assert!(!HardwareInfo::query(&a).unwrap().transmit);
        let stamping = Stamping::set_up(Timestamping::Auto, &a, &b).unwrap();
        assert_eq!(stamping.source, super::StampSource::Software);
        assert!(stamping.why.contains("va has no PTP hardware clock"), "{}", stamping.why);
        let refused = Stamping::set_up(Timestamping::Hardware, &a, &b).unwrap_err().to_string();
        assert!(refused.contains("--timestamping"), "{refused}");
    }
}

on_veth! {
    fn setup_errors_name_interface_and_cause() {
        let (a, b) = veth("va", "vb");
        run("ip link del va");
        for text in [
            RxRing::open(&b, &ptp_only(), &RxOptions::default()).unwrap_err().to_string(),
            TxRing::<u64>::open(&a, &TxOptions::default()).unwrap_err().to_string(),
        ] {
            assert!(text.starts_with('v') && text.contains("gone"), "{text}");
        }
        let text = Interface::lookup("va").unwrap_err().to_string();
        assert!(text.contains("no interface \"va\""), "{text}");
        let options = RxOptions { frames: 1000, ..RxOptions::default() };
        let text = RxRing::open(&b, &ptp_only(), &options).unwrap_err().to_string();
        assert!(text.contains("power of two"), "{text}");
    }
}
