//! The receive ring on real interfaces.

use std::io::Write as _;
use std::time::Duration;

use super::net::{in_namespace, on_veth, raise, run, veth};
use super::rings::{drop_all, frame, next, ptp_only, put, quiet, raw, readable, realtime, rx, tx};
use crate::ring::rx::{RxOptions, RxRing};
use crate::time::ClockId;

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
    fn frames_longer_than_a_slot_come_whole_and_in_order() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        let mut raw = raw(&a);
        let types = [&[0x88, 0xF7][..], &[0x81, 0x00, 0x00, 0x05, 0x88, 0xF7]];
        let frames: Vec<_> = [60, 442, 443, 1514, 64, 512, 1000]
            .iter()
            .flat_map(|&length| types.map(|from_type| frame(from_type, length)))
            .collect();
        for bytes in &frames {
            raw.write_all(bytes).unwrap();
        }
        for bytes in &frames {
            let (got, stamp, _, truncated) = next(&mut rx).unwrap();
            assert!(got == *bytes && !truncated && stamp.is_some(), "{} of {} bytes", got.len(), bytes.len());
        }
        assert!(quiet(&mut rx));
        assert!(!readable(&rx), "nothing is left in the queue");
    }
}

on_veth! {
    fn a_frame_whose_copy_was_lost_is_marked_and_the_next_is_whole() {
        let (a, b) = veth("va", "vb");
        let mut rx = rx(&b);
        let mut raw = raw(&a);
        let sent: Vec<_> = (0_u16..600)
            .map(|number| {
                let mut bytes = frame(&[0x88, 0xF7], 1500);
                bytes[20..22].copy_from_slice(&number.to_be_bytes());
                bytes
            })
            .collect();
        // More than the socket's queue holds.
        for bytes in &sent {
            raw.write_all(bytes).unwrap();
        }
        let mut whole = 0;
        for bytes in &sent {
            let (got, .., truncated) = next(&mut rx).unwrap();
            assert!(bytes.starts_with(&got) && (truncated || got.len() == bytes.len()), "another frame's copy");
            whole += u32::from(!truncated);
        }
        assert!((1..600).contains(&whole), "{whole} whole");
        raw.write_all(&sent[0]).unwrap();
        assert_eq!(next(&mut rx).unwrap().0, sent[0]);
    }
}

on_veth! {
    fn frames_of_jumbo_size_are_marked() {
        let (a, b) = veth("va", "vb");
        run("ip link set va mtu 4000");
        run("ip link set vb mtu 4000");
        let mut rx = rx(&b);
        let mut raw = raw(&a);
        let bytes = frame(&[0x88, 0xF7], 3000);
        raw.write_all(&bytes).unwrap();
        let (got, .., truncated) = next(&mut rx).unwrap();
        assert!(truncated && got.len() < 512 && bytes.starts_with(&got));
        assert!(quiet(&mut rx));
        assert!(!readable(&rx), "nothing is left in the queue");
        let bytes = frame(&[0x88, 0xF7], 1000);
        raw.write_all(&bytes).unwrap();
        assert_eq!(next(&mut rx).unwrap().0, bytes);
    }
}

on_veth! {
    fn full_ring_counts_its_drops() {
        let (a, b) = veth("va", "vb");
        // They fill a page of 64 KB.
        let options = RxOptions { frames: 128, ..RxOptions::default() };
        let mut rx = RxRing::open(&b, &ptp_only(), &options).unwrap();
        let mut raw = raw(&a);
        for _ in 0..140 {
            raw.write_all(&frame(&[0x88, 0xF7], 60)).unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(std::iter::from_fn(|| rx.receive().map(drop)).count(), 128);
        assert_eq!(rx.drops(), (140, 12));
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
