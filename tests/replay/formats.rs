//! What the programs of others write: every PTP frame of a readable file is accounted for.

use super::*;

/// Replays the bytes of a capture as frames from upstream.
fn from_up(name: &str, bytes: &[u8]) -> Output {
    let file = folder(name).join("in");
    fs::write(&file, bytes).expect("written");
    replay(&file, &["--from", "up"])
}

fn verdicts(frames: &[String]) -> Vec<&str> {
    let last = |line: &'_ String| line.rfind(" ethernet ").map_or(0, |at| at + 10);
    frames.iter().map(|line| &line[last(line)..]).collect()
}

fn nanos(at: Duration) -> u64 {
    u64::try_from((START + at).as_nanos()).expect("this century")
}

#[test]
fn check_sequences_are_no_part_of_frames() {
    let folder = folder("fcs");
    let (file, out) = (folder.join("in.pcap"), folder.join("out.pcap"));
    let (announce, sync) = (frame(ANNOUNCE, 1, 1, 0), frame(SYNC, 1, 1, TWO_STEP));
    let with_fcs = |frame: &[u8]| [frame, &[0x11, 0x22, 0x33, 0x44]].concat();
    // The same length in bytes, and in words of two.
    for word in [0x4400_0001, 0x2400_0001] {
        let mut bytes = pcap_header(word);
        bytes.extend(pcap_packet(Duration::ZERO, &with_fcs(&announce), 0));
        bytes.extend(pcap_packet(MS, &with_fcs(&sync), 0));
        // Cut within the check sequence, and before it.
        bytes.extend(pcap_packet(
            2 * MS,
            &with_fcs(&frame(FOLLOW_UP, 1, 1, 0))[..59],
            3,
        ));
        bytes.extend(pcap_packet(3 * MS, &announce[..70], 12));
        fs::write(&file, bytes).expect("written");
        let (frames, _) = good(&replay(&file, &["--from", "up", "--write", text(&out)]));
        assert_eq!(frames.len(), 4);
        assert!(
            frames[..3].iter().all(|line| line.ends_with(" forward")),
            "{frames:#?}"
        );
        assert!(frames[3].ends_with("drop truncated"), "{frames:#?}");
        let written = written(&out);
        assert_eq!(written[0].1, announce);
        assert_eq!(written[1].1, sync);
    }
    // The upper half says nothing of FCS: all of it is frame.
    capture_of(&file, 0x4000_0001, &[(Duration::ZERO, with_fcs(&announce))]);
    good(&replay(&file, &["--from", "up", "--write", text(&out)]));
    assert_eq!(written(&out)[0].1, with_fcs(&announce));

    // Of an interface, in bits; of a packet, which knows better.
    for (interface, packet, kept) in [(32, 0_u32, &announce), (0, 4 << 5, &announce)] {
        let mut ng = Ng::new();
        ng.interface_with(ETHERNET, &[(9, &[9]), (13, &[interface])]);
        let flags = packet.to_le_bytes();
        ng.packet_with(
            0,
            nanos(Duration::ZERO),
            &with_fcs(&announce),
            &[(2, &flags)],
        );
        ng.write(&file);
        good(&replay(&file, &["--from", "up", "--write", text(&out)]));
        assert_eq!(written(&out)[0].1, **kept);
    }
}

#[test]
fn obsolete_packet_blocks_have_times() {
    let mut ng = Ng::new();
    ng.interface(ETHERNET, None);
    ng.old_packet(0, Duration::ZERO, &frame(ANNOUNCE, 1, 1, 0));
    ng.old_packet(0, 100 * MS, &frame(SYNC, 1, 1, TWO_STEP));
    let (frames, _) = good(&from_up("obsolete", &ng.bytes));
    assert_eq!(
        frames,
        [
            "1 0.000000000 up Announce 525400.fffe.000001-1 #1 ethernet forward",
            "2 0.100000000 up Sync 525400.fffe.000001-1 #1 ethernet forward",
        ]
    );
}

#[test]
fn what_cannot_be_judged_is_skipped_and_counted() {
    let announce = |n| frame(ANNOUNCE, 1, n, 0);
    let mut ng = Ng::new();
    // Names and comments that are no text, an option of a wrong length, an unknown one.
    ng.interface_with(
        ETHERNET,
        &[(1, &[0xFF, 0xFE]), (8, &[1]), (9, &[9]), (0x9999, &[7; 5])],
    );
    let raw = nanos(Duration::ZERO);
    ng.packet_with(0, raw, &announce(1), &[(1, &[0xFF]), (6, &[1])]);
    // Simple Packet Block.
    let simple = [&78_u32.to_le_bytes()[..], &announce(2)].concat();
    ng.block(3, &simple);
    ng.packet(5, MS, &announce(3));
    ng.packet_with(0, u64::MAX, &announce(4), &[]);
    // More bytes than its block has; a block that is too short; an unknown block.
    let mut long = vec![0; 12];
    long.extend([78_u32.to_le_bytes(), 78_u32.to_le_bytes()].concat());
    ng.block(6, &long);
    ng.block(6, &[0; 8]);
    ng.block(0x0BAD, &[0xFF; 7]);
    ng.packet(0, 2 * MS, &announce(7));
    let (frames, totals) = good(&from_up("skipped", &ng.bytes));
    assert_eq!(
        frames,
        [
            "1 0.000000000 up Announce 525400.fffe.000001-1 #1 ethernet forward",
            "2 - - - skipped: a Simple Packet Block has no time",
            "3 - - - skipped: its interface is not described",
            "4 - - - skipped: its time is out of range",
            "5 - - - skipped: its block is cut",
            "6 - - - skipped: its block is cut",
            "7 0.002000000 up Announce 525400.fffe.000001-1 #7 ethernet forward",
        ]
    );
    for line in [
        "skipped 2 its block is cut",
        "skipped 1 its interface is not described",
        "skipped 1 its time is out of range",
        "skipped 1 a Simple Packet Block has no time",
    ] {
        assert!(totals.iter().any(|total| total == line), "{totals:#?}");
    }
}

#[test]
fn times_of_every_interface_and_section() {
    let sync = |n| frame(SYNC, 1, n, TWO_STEP);
    let mut ng = Ng::new();
    ng.interface_with(ETHERNET, &[]);
    // Microseconds, then milliseconds, then 2^-10 s with an offset: in either byte order.
    ng.packet_with(0, 1_700_000_000_000_000, &sync(1), &[]);
    ng.section(true);
    ng.interface_with(ETHERNET, &[(9, &[3])]);
    ng.packet_with(0, 1_700_000_000_002, &sync(2), &[]);
    ng.section(true);
    let offset = 1_600_000_000_i64.to_be_bytes();
    ng.interface_with(ETHERNET, &[(9, &[0x8A]), (14, &offset)]);
    ng.packet_with(0, 100_000_000 * 1024 + 512, &sync(3), &[]);
    ng.section(false);
    let offset = (-1_i64).to_le_bytes();
    ng.interface_with(ETHERNET, &[(9, &[9]), (14, &offset)]);
    ng.packet_with(0, 1_700_000_002_000_000_001, &sync(4), &[]);
    let (frames, _) = good(&from_up("times", &ng.bytes));
    let times: Vec<_> = frames
        .iter()
        .map(|line| line.split(' ').nth(1).expect("a time"))
        .collect();
    assert_eq!(
        times,
        ["0.000000000", "0.002000000", "0.500000000", "1.000000001"]
    );
}

#[test]
fn a_cut_frame_is_truncated() {
    let mut bytes = pcap_header(1);
    bytes.extend(pcap_packet(
        Duration::ZERO,
        &frame(ANNOUNCE, 1, 1, 0)[..60],
        18,
    ));
    bytes.extend(pcap_packet(MS, &frame(ANNOUNCE, 1, 2, 0), 0));
    let (frames, _) = good(&from_up("cut", &bytes));
    assert_eq!(frames[0], "1 0.000000000 up - drop truncated");
    assert!(frames[1].ends_with(" forward"));

    // IP says more than the frame holds; what UDP says is right.
    let whole = over_udp4(&frame(SYNC, 1, 1, TWO_STEP));
    let mut longer = whole.clone();
    longer[16..18].copy_from_slice(&350_u16.to_be_bytes());
    let file = folder("longer").join("in.pcap");
    capture(&file, &[(Duration::ZERO, longer), (MS, whole)]);
    let (frames, _) = good(&replay(&file, &["--from", "up"]));
    assert_eq!(frames[0], "1 0.000000000 up - drop truncated");
    assert!(frames[1].ends_with(" forward"));
}

#[test]
fn multicast_to_the_machines_own_mac_goes_on() {
    let mut sync = over_udp4(&frame(SYNC, 1, 1, TWO_STEP));
    sync[..6].copy_from_slice(&[0x52, 0x54, 0, 0, 0, 0xF0]);
    let file = folder("own-mac").join("in.pcap");
    capture(&file, &[(Duration::ZERO, sync)]);
    let (frames, _) = good(&replay(&file, &["--from", "up"]));
    assert_eq!(
        frames,
        ["1 0.000000000 up Sync 525400.fffe.000001-1 #1 udp4 forward"]
    );
}

#[test]
fn one_interface_of_another_kind_is_no_matter() {
    let file = folder("another").join("in.pcapng");
    let mut ng = Ng::new();
    ng.interface(ETHERNET, Some("eth0"));
    ng.interface(ETHERNET, Some("eth1"));
    ng.interface(220, Some("usbmon1"));
    ng.packet(2, Duration::ZERO, &[0; 40]);
    ng.packet(0, MS, &frame(ANNOUNCE, 1, 1, 0));
    ng.write(&file);
    let (frames, totals) = good(&replay(&file, &["--up", "eth0", "--down", "eth1"]));
    assert_eq!(verdicts(&frames), ["forward"]);
    let left = "left-out 1 of interface usbmon1, which is neither --up nor --down";
    assert!(totals.contains(&left.to_owned()), "{totals:#?}");
    let error = failed(&replay(&file, &["--up", "eth0", "--down", "usbmon1"]));
    assert!(
        error.contains("usbmon1 was captured on a link of type 220"),
        "{error}"
    );
}
