//! Both sides at once: interfaces of one file, of `any`, two files; and what one side alone can show.

use super::*;

type Packets = Vec<(Duration, Vec<u8>)>;

/// A client that asks eight times a second, and is answered after 1 ms.
fn exchanges(count: u16) -> (Packets, Packets) {
    (0..count)
        .map(|n| {
            let at = 125 * MS * u32::from(n);
            ((at, frame(DELAY_REQ, 2, n, 0)), (at + MS, answer(2, n)))
        })
        .unzip()
}

/// A pcapng of two interfaces.
fn two_interfaces(path: &Path, names: [Option<&str>; 2], count: u16) {
    let mut ng = Ng::new();
    for name in names {
        ng.interface(ETHERNET, name);
    }
    let (requests, answers) = exchanges(count);
    for ((request_at, request), (answer_at, answer)) in requests.iter().zip(&answers) {
        ng.packet(1, *request_at, request);
        ng.packet(0, *answer_at, answer);
    }
    ng.write(path);
}

const REQUEST: &str = "Delay_Req 525400.fffe.000002-1";
const ANSWER: &str = "Delay_Resp 525400.fffe.000001-1";
const CLIENT: &str = "to 525400.fffe.000002-1";

/// The four lines of each held exchange are told apart from those of the first, which is not held.
fn check_exchanges(frames: &[String], count: usize) {
    assert_eq!(
        frames[..2],
        [
            format!("1 0.000000000 down {REQUEST} #0 ethernet forward"),
            format!("2 0.001000000 up {ANSWER} #0 ethernet {CLIENT} forward"),
        ]
    );
    let ends = |end: &str| frames.iter().filter(|line| line.ends_with(end)).count();
    let waited: Vec<_> = frames
        .iter()
        .filter(|line| line.contains(" forward after "))
        .collect();
    assert!(!waited.is_empty(), "{frames:#?}");
    assert_eq!(waited.len(), ends(" wait"), "what waits departs");
    assert!(waited.iter().all(|line| line.contains(REQUEST)));
    let answers = frames.iter().filter(|line| line.contains(ANSWER));
    assert!(answers.clone().all(|line| line.ends_with(" forward")));
    assert_eq!(answers.count(), count, "{frames:#?}");
}

#[test]
fn two_interfaces_by_name() {
    let folder = folder("interfaces");
    let (file, out) = (folder.join("in.pcapng"), folder.join("out.pcap"));
    two_interfaces(&file, [Some("eth0"), Some("eth1")], 16);
    let sides = ["--up", "eth0", "--down", "eth1", "--write", text(&out)];
    let (frames, totals) = good(&replay(&file, &sides));
    check_exchanges(&frames, 16);
    for line in [
        "frames up delay_resp 16 16 0",
        "frames down delay_req 16 16 0",
        "counts answered 16",
    ] {
        assert!(
            totals.iter().any(|total| total.starts_with(line)),
            "{totals:#?}"
        );
    }
    assert_eq!(written(&out).len(), 32);

    // The other way round, nobody of ours asked.
    let (frames, _) = good(&replay(&file, &["--up", "eth1", "--down", "eth0"]));
    assert!(frames[0].ends_with("drop foreign"), "{frames:#?}");
    assert!(frames[1].ends_with("drop master-below"), "{frames:#?}");
}

#[test]
fn an_answer_comes_after_the_departure_of_what_it_answers() {
    let file = folder("early").join("in.pcapng");
    two_interfaces(&file, [Some("eth0"), Some("eth1")], 16);
    let (frames, _) = good(&replay(&file, &["--up", "eth0", "--down", "eth1"]));
    let time = |line: &str| {
        let word = line.split(' ').nth(1).expect("a time");
        word.parse::<f64>().expect("seconds")
    };
    let mut moved = 0;
    for n in 0..16 {
        let of = |what: &str, end: &str| {
            let found = frames
                .iter()
                .find(|line| line.contains(&format!("{what} #{n} ")) && line.contains(end));
            found.map(|line| time(line))
        };
        let answered = of(ANSWER, " forward").expect("answered");
        let captured = f64::from(n) * 0.125 + 0.001;
        match of(REQUEST, " forward after ").filter(|&left| left > captured) {
            Some(left) => {
                assert!((answered - left).abs() < 1e-9, "{n}: {frames:#?}");
                moved += 1;
            }
            None => assert!((answered - captured).abs() < 1e-9, "{n}: {frames:#?}"),
        }
    }
    assert!(moved > 4, "{moved}: {frames:#?}");
}

#[test]
fn jitter_and_seed_count_with_both_sides() {
    let file = folder("seeds").join("in.pcapng");
    two_interfaces(&file, [Some("eth0"), Some("eth1")], 16);
    let with = |more: &[&str]| {
        let sides = ["--up", "eth0", "--down", "eth1"];
        good(&replay(&file, &[&sides[..], more].concat())).0
    };
    assert_eq!(with(&[]), with(&["--seed", "0"]));
    assert_ne!(with(&[]), with(&["--seed", "5"]));
    let unheld = with(&["--jitter", "off"]);
    assert!(unheld.iter().all(|line| line.ends_with(" forward")));
}

/// As dumpcap writes them: each interface is read for itself.
#[test]
fn interfaces_that_were_written_out_of_order() {
    let file = folder("disorder").join("in.pcapng");
    let mut ng = Ng::new();
    ng.interface(ETHERNET, Some("eth0"));
    ng.interface(ETHERNET, Some("eth1"));
    let (requests, answers) = exchanges(16);
    for (requests, answers) in requests.chunks(2).zip(answers.chunks(2)) {
        for (at, bytes) in answers {
            ng.packet(0, *at, bytes);
        }
        for (at, bytes) in requests {
            ng.packet(1, *at, bytes);
        }
    }
    ng.write(&file);
    let sides = ["--up", "eth0", "--down", "eth1"];
    let (frames, totals) = good(&replay(&file, &sides));
    assert!(
        frames.iter().all(|line| !line.contains(" drop ")),
        "{frames:#?}"
    );
    assert!(
        totals.contains(&"frames up delay_resp 16 16 0".to_owned()),
        "{totals:#?}"
    );
}

#[test]
fn two_files() {
    let folder = folder("two-files");
    let (up, down) = (folder.join("up.pcap"), folder.join("down.pcap"));
    let (requests, answers) = exchanges(16);
    capture(&down, &requests);
    capture(&up, &answers);
    let (frames, _) = good(&run(&["--up", text(&up), "--down", text(&down)]));
    let renumbered: Vec<String> = frames
        .iter()
        .map(|line| line.replacen("1 0.001000000 up", "2 0.001000000 up", 1))
        .collect();
    check_exchanges(&renumbered, 16);
    // What is written may be neither.
    for file in [&up, &down] {
        let error = failed(&run(&[
            "--up",
            text(&up),
            "--down",
            text(&down),
            "--write",
            text(file),
        ]));
        assert!(error.contains("the capture itself"), "{error}");
    }
    // One that is cut does not end the other.
    let bytes = fs::read(&up).expect("written");
    fs::write(&up, &bytes[..bytes.len() - 3]).expect("written");
    let output = run(&["--up", text(&up), "--down", text(&down)]);
    let error = failed(&output);
    assert!(error.contains("up.pcap: packet 16 at byte"), "{error}");
    let (_, totals) = lines(&output);
    assert!(
        totals.contains(&"frames down delay_req 16 16 0".to_owned()),
        "{totals:#?}"
    );
}

#[test]
fn a_second_interface_without_a_choice_is_refused() {
    let folder = folder("refused");
    let file = folder.join("in.pcapng");
    two_interfaces(&file, [Some("eth0"), Some("eth1")], 2);
    let output = replay(&file, &["--from", "down"]);
    let error = failed(&output);
    assert!(error.contains("--up eth0 --down eth1"), "{error}");
    assert!(lines(&output).0.is_empty(), "nothing is judged");
    let error = failed(&replay(&file, &["--up", "eth0", "--down", "eth7"]));
    for part in ["--down eth7", "eth0, eth1"] {
        assert!(error.contains(part), "{error}");
    }
    // Without names they have numbers.
    two_interfaces(&file, [None, None], 16);
    let (frames, _) = good(&replay(&file, &["--up", "0", "--down", "1"]));
    check_exchanges(&frames, 16);
    let pcap = folder.join("in.pcap");
    capture(&pcap, &exchanges(1).0);
    let error = failed(&replay(&pcap, &["--up", "eth0", "--down", "eth1"]));
    assert!(error.contains("--up FILE --down FILE"), "{error}");
    // The same interface in two sections is one.
    let mut ng = Ng::new();
    for n in 0..2 {
        ng.interface(ETHERNET, Some("eth1"));
        ng.packet(0, MS * u32::from(n), &frame(DELAY_REQ, 2, n, 0));
        ng.section(true);
    }
    ng.write(&file);
    let (frames, _) = good(&replay(&file, &["--from", "down", "--jitter", "off"]));
    assert_eq!(frames.len(), 2);
}

#[test]
fn a_capture_on_any() {
    const HOST: u8 = 0;
    const MULTICAST: u8 = 2;
    const OTHER: u8 = 3;
    const OUTGOING: u8 = 4;
    let folder = folder("any");
    let (file, out) = (folder.join("in.pcap"), folder.join("out.pcap"));
    let (request, answer) = (frame(DELAY_REQ, 2, 3, 0), answer(2, 3));
    let udp4 = over_udp4(&frame(ANNOUNCE, 1, 9, 0));
    let mut tagged = vec![0; 12];
    tagged.extend([0x81, 0, 0, 5, 0x88, 0xF7]);
    tagged.extend(&request[14..]);
    let mut loopback = cooked(&request, 4, MULTICAST);
    loopback[9] = 4;
    let packets = [
        cooked(&request, 4, MULTICAST),
        cooked(&request, 3, OUTGOING),
        cooked(&answer, 3, MULTICAST),
        cooked(&request, 7, MULTICAST),
        cooked(&request, 4, OTHER),
        cooked(&tagged, 4, MULTICAST),
        cooked(&udp4, 3, MULTICAST),
        cooked(&frame(SYNC, 1, 9, TWO_STEP), 3, HOST),
        loopback,
        cooked(&request, 4, MULTICAST)[..12].to_vec(),
    ];
    let packets: Vec<_> = (0..)
        .zip(packets)
        .map(|(n, bytes)| (MS * n, bytes))
        .collect();
    capture_of(&file, SLL2.into(), &packets);
    let output = replay(&file, &["--up", "3", "--down", "4", "--write", text(&out)]);
    let (frames, totals) = good(&output);
    assert_eq!(
        frames,
        [
            format!("1 0.000000000 down {REQUEST} #3 ethernet forward"),
            format!("3 0.002000000 up {ANSWER} #3 ethernet {CLIENT} forward"),
            format!(
                "5 0.004000000 down {REQUEST} #3 ethernet unknown: needs the destination MAC address"
            ),
            format!(
                "6 0.005000000 down {REQUEST} #3 ethernet vlan 5 unknown: needs the outer VLAN tag"
            ),
            "7 0.006000000 up Announce 525400.fffe.000001-1 #9 udp4 forward".into(),
            "8 0.007000000 up Sync 525400.fffe.000001-1 #9 ethernet drop to-host".into(),
            "9 - - - skipped: no Ethernet interface".into(),
            "10 - - - skipped: its LINUX_SLL2 header is cut".into(),
        ]
    );
    for line in [
        "unknown 1 needs the destination MAC address",
        "unknown 1 needs the outer VLAN tag",
        "skipped 1 no Ethernet interface",
        "skipped 1 its LINUX_SLL2 header is cut",
        "left-out 1 sent by the capturing machine itself",
        "left-out 1 of interface 7, which is neither --up nor --down",
    ] {
        assert!(totals.iter().any(|total| total == line), "{totals:#?}");
    }
    // To its group again, by its IP address.
    let written = written(&out);
    assert_eq!(written[2].1, udp4);
    assert_eq!(written[0].1, request);

    let error = failed(&replay(&file, &["--from", "up"]));
    assert!(error.contains("--up 3 --down 4"), "{error}");
    let older = folder.join("older.pcap");
    capture_of(&older, SLL.into(), &packets);
    for sides in [&["--from", "up"][..], &["--up", "3", "--down", "4"]] {
        let error = failed(&replay(&older, sides));
        assert!(error.contains("-y LINUX_SLL2"), "{error}");
    }
}

#[test]
fn what_a_file_says_was_sent_is_left_out() {
    let file = folder("outbound").join("in.pcapng");
    let mut ng = Ng::new();
    ng.interface(ETHERNET, Some("eth0"));
    let raw = u64::try_from(START.as_nanos()).expect("this century");
    for flags in [1_u32, 2] {
        let flags = flags.to_le_bytes();
        ng.packet_with(0, raw, &frame(DELAY_REQ, 2, 3, 0), &[(2, &flags)]);
    }
    ng.write(&file);
    let (frames, totals) = good(&replay(&file, &["--from", "up"]));
    assert_eq!(frames.len(), 1);
    assert!(
        totals.contains(&"left-out 1 sent by the capturing machine itself".to_owned()),
        "{totals:#?}"
    );
}

#[test]
fn holds_show_with_the_down_side_alone() {
    let folder = folder("down-alone");
    let file = folder.join("in.pcap");
    let requests: Vec<_> = (0..80)
        .map(|n| (125 * MS * u32::from(n), frame(DELAY_REQ, 2, n, 0)))
        .collect();
    capture(&file, &requests);
    let run = |more: &[&str]| {
        let out = folder.join("out.pcap");
        let arguments = [&["--from", "down", "--write", text(&out)], more].concat();
        let (frames, totals) = good(&replay(&file, &arguments));
        assert!(totals.contains(&"frames down delay_req 80 80 0".to_owned()));
        assert!(!totals.iter().any(|line| line.contains("unanswered")));
        let holds: Vec<_> = (written(&out).iter().zip(&requests))
            .map(|((left, _), (came, _))| *left - *came)
            .collect();
        let waits = frames.iter().filter(|line| line.ends_with(" wait")).count();
        (waits, holds)
    };
    let (waits, holds) = run(&["--jitter", "off"]);
    assert_eq!((waits, holds), (0, vec![Duration::ZERO; 80]));
    // An eighth of the interval is 15.6 ms, whatever more is allowed. Its first request has no interval yet.
    for jitter in ["20ms", "80ms"] {
        let (waits, holds) = run(&["--jitter", jitter]);
        assert_eq!(waits, 79);
        let longest = holds.iter().max().expect("some");
        assert!((12 * MS..16 * MS).contains(longest), "{longest:?}");
    }
    let free = [
        "--jitter",
        "120ms",
        "--jitter-share",
        "off",
        "--max-hold",
        "200ms",
    ];
    let (waits, holds) = run(&free);
    assert_eq!(waits, 80);
    let mean = holds.iter().sum::<Duration>() / 80;
    assert!((45 * MS..75 * MS).contains(&mean), "{mean:?}");
    assert_ne!(run(&[&free[..], &["--seed", "5"]].concat()).1, holds);
    assert_eq!(run(&[&free[..], &["--seed", "0"]].concat()).1, holds);
}
