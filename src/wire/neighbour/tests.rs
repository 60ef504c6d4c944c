use super::*;
use proptest::prelude::*;

const ME: [u8; 6] = [2, 0, 0, 0, 0, 7];
const ALL: [u8; 6] = [0xFF; 6];

fn framed(to: [u8; 6], tags: &[u8], ethertype: u16, rest: &[u8]) -> Vec<u8> {
    [&to[..], &ME, tags, &ethertype.to_be_bytes(), rest].concat()
}

fn arp(operation: u8, mac: [u8; 6], sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    [
        &[0, 1, 8, 0, 6, 4, 0, operation][..],
        &mac,
        &sender,
        &[0; 6],
        &target,
    ]
    .concat()
}

/// A message with a sum that was added up here, byte by byte.
fn nd(kind: u8, from: &str, to: &str, target: &str, options: &[u8]) -> Vec<u8> {
    let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let mut message = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &octets(target), options].concat();
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    let sum: u32 = [
        &octets(from)[..],
        &octets(to),
        &len,
        &[0, 58],
        message.as_slice(),
    ]
    .concat()
    .chunks(2)
    .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u32::from(low)))
    .sum();
    let sum = (sum & 0xFFFF) + (sum >> 16);
    let sum = !((sum & 0xFFFF) + (sum >> 16));
    message[2..4].copy_from_slice(&sum.to_be_bytes()[2..]);
    [
        &[0x60, 0, 0, 0][..],
        &len,
        &[58, 255],
        &octets(from),
        &octets(to),
        &message,
    ]
    .concat()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn read_it(bytes: &[u8]) -> Option<Result<(Option<IpAddr>, Said), Reason>> {
    Neighbour::parse(bytes).map(|read| read.map(|read| (read.sender(), read.said())))
}

#[test]
fn arp_says_who_asks_and_who_answers() {
    let (a, b, none) = ([10, 0, 0, 1], [10, 0, 0, 2], [0; 4]);
    let (ip_a, ip_b) = (ip("10.0.0.1"), ip("10.0.0.2"));
    let bad = Some(Err(Reason::NeighbourBad));
    let good = |sender, said| Some(Ok((sender, said)));
    for (what, packet, to, expected) in [
        (
            "asks",
            arp(1, ME, a, b),
            ALL,
            good(Some(ip_a), Said::WhoHas(ip_b)),
        ),
        (
            "answers",
            arp(2, ME, a, b),
            [2; 6],
            good(Some(ip_a), Said::IHave(Some(ip_b))),
        ),
        (
            "probes",
            arp(1, ME, none, b),
            ALL,
            good(None, Said::WhoHas(ip_b)),
        ),
        (
            "answers a probe",
            arp(2, ME, a, none),
            [2; 6],
            good(Some(ip_a), Said::IHave(None)),
        ),
        (
            "announces",
            arp(1, ME, a, a),
            ALL,
            good(Some(ip_a), Said::IHave(None)),
        ),
        (
            "announces by a reply",
            arp(2, ME, a, a),
            ALL,
            good(Some(ip_a), Said::IHave(None)),
        ),
        ("another's MAC", arp(1, [2; 6], a, b), ALL, bad),
        ("a group's IP", arp(1, ME, [224, 0, 1, 129], b), ALL, bad),
        ("broadcast IP", arp(1, ME, a, [255; 4]), ALL, bad),
        ("loopback", arp(1, ME, [127, 0, 0, 1], b), ALL, bad),
        (
            "to a group",
            arp(1, ME, a, b),
            [1, 0, 0x5E, 0, 1, 0x81],
            bad,
        ),
        ("nothing at all", arp(2, ME, none, b), ALL, bad),
        ("cut", arp(1, ME, a, b)[..27].to_vec(), ALL, bad),
        ("another operation", arp(3, ME, a, b), ALL, None),
    ] {
        assert_eq!(
            read_it(&framed(to, &[], 0x0806, &packet)),
            expected,
            "{what}"
        );
    }
    let mut token_ring = arp(1, ME, a, b);
    token_ring[1] = 6;
    assert_eq!(read_it(&framed(ALL, &[], 0x0806, &token_ring)), None);
    assert_eq!(read_it(&framed(ALL, &[], 0x0800, &arp(1, ME, a, b))), None);
}

#[test]
fn discovery_says_who_asks_and_who_answers() {
    let (a, b) = ("fe80::1", "fd00::2");
    let (ip_a, ip_b) = (ip(a), ip(b));
    let node = "ff02::1:ff00:2";
    let mine = [&[1, 1][..], &ME].concat();
    let yours = [&[2, 1][..], &ME].concat();
    let not_mine = [1, 1, 2, 2, 2, 2, 2, 2];
    let bad = Some(Err(Reason::NeighbourBad));
    let good = |sender, said| Some(Ok((sender, said)));
    let changed = |at: usize, to: u8| {
        let mut packet = nd(135, a, node, b, &mine);
        packet[at] = to;
        packet
    };
    for (what, packet, expected) in [
        (
            "asks",
            nd(135, a, node, b, &mine),
            good(Some(ip_a), Said::WhoHas(ip_b)),
        ),
        (
            "asks one",
            nd(135, a, b, b, &[]),
            good(Some(ip_a), Said::WhoHas(ip_b)),
        ),
        (
            "probes",
            nd(135, "::", node, b, &[14, 1, 0, 0, 0, 0, 0, 0]),
            good(None, Said::WhoHas(ip_b)),
        ),
        (
            "answers",
            nd(136, b, a, b, &yours),
            good(Some(ip_b), Said::IHave(Some(ip_a))),
        ),
        (
            "answers for its other address",
            nd(136, "fe80::2", a, b, &yours),
            good(Some(ip_b), Said::IHave(Some(ip_a))),
        ),
        (
            "announces",
            nd(136, b, "ff02::1", b, &yours),
            good(Some(ip_b), Said::IHave(None)),
        ),
        ("another's MAC", nd(135, a, node, b, &not_mine), bad),
        (
            "an endless option",
            nd(135, a, node, b, &[14, 0, 0, 0, 0, 0, 0, 0]),
            bad,
        ),
        (
            "an option cut",
            nd(135, a, node, b, &[14, 2, 0, 0, 0, 0, 0, 0]),
            bad,
        ),
        ("half an option", nd(135, a, node, b, &[14]), bad),
        ("about a group", nd(135, a, node, "ff02::2", &mine), bad),
        ("from a group", nd(135, "ff02::1", node, b, &mine), bad),
        ("about nobody", nd(135, a, node, "::", &mine), bad),
        ("from a router away", changed(7, 254), bad),
        ("changed on the way", changed(40 + 20, 9), bad),
        ("another code", changed(41, 1), bad),
        ("longer than it is", changed(5, 200), bad),
        ("shorter than it may be", changed(5, 20), bad),
        ("a router's", changed(40, 134), None),
        ("no ICMP", changed(6, 17), None),
    ] {
        let frame = framed([0x33, 0x33, 0, 0, 0, 1], &[], 0x86DD, &packet);
        assert_eq!(read_it(&frame), expected, "{what}");
    }
}

/// In each VLAN: the parser reads it as a question by nobody, and it is as long as a frame has to be.
#[test]
fn a_probe_is_a_question_by_nobody() {
    let from = Mac([2, 9, 9, 9, 9, 9]);
    for tags in [
        &[][..],
        &[0x81, 0, 0x60, 5],
        &[0x88, 0xA8, 0, 7, 0x81, 0, 0, 5],
    ] {
        let asked = framed(ALL, tags, 0x0806, &arp(1, ME, [10, 0, 0, 1], [10, 0, 0, 2]));
        let asked = Neighbour::parse(&asked).unwrap().unwrap();
        for (target, group) in [
            ("10.0.0.9", ALL),
            ("fd00::1:203", [0x33, 0x33, 0xFF, 1, 2, 3]),
        ] {
            for to in [None, Some(Mac([2, 1, 1, 1, 1, 1]))] {
                let probe = asked.probe(ip(target), to);
                let mut out = [0xEE; 128];
                let len = probe.write(&mut out, from).unwrap();
                assert!(len >= 60 && out[len..].iter().all(|&octet| octet == 0xEE));
                let read = Neighbour::parse(&out[..len]).unwrap().unwrap();
                assert_eq!(
                    (read.sender(), read.said()),
                    (None, Said::WhoHas(ip(target)))
                );
                assert_eq!(read.source(), from);
                assert_eq!(read.lane().vlans(), asked.lane().vlans(), "{tags:?}");
                assert_eq!(out[..6], to.map_or(group, |mac| mac.0));
                assert_eq!(out[12..12 + tags.len()], *tags);
                assert_eq!(probe.write(&mut out[..len - 1], from), None, "no room");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(start in 0_usize..3, bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let ethertype = [0x0806, 0x86DD, 0x8100][start];
        let _ = Neighbour::parse(&bytes);
        let _ = Neighbour::parse(&framed(ALL, &[], ethertype, &bytes));
        let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &bytes].concat();
        let _ = Neighbour::parse(&framed(ALL, &[], 0x0806, &arp));
        let nd = [&[0x60, 0, 0, 0, 0, 24, 58, 255][..], &[0; 32], &[135, 0], &bytes].concat();
        let _ = Neighbour::parse(&framed(ALL, &[], 0x86DD, &nd));
    }
}

/// What it writes says what it should, to whoever asked, in its VLAN.
#[test]
fn an_answer_of_our_own_reads_as_the_holders() {
    let holder = Mac([2, 0, 0, 0, 0, 0x55]);
    let (a, b, none) = ([10, 0, 0, 1], [10, 0, 0, 2], [0; 4]);
    let all_nodes = [0x33, 0x33, 0, 0, 0, 1];
    let ns = |from: &str, to: &str| nd(135, from, to, "fe80::2", &[]);
    let (six, four) = (ip("fe80::2"), ip("10.0.0.2"));
    for (ethertype, question, to, expected) in [
        (
            0x0806,
            arp(1, ME, a, b),
            ME,
            (Some(four), Said::IHave(Some(ip("10.0.0.1")))),
        ),
        (
            0x0806,
            arp(1, ME, none, b),
            ME,
            (Some(four), Said::IHave(None)),
        ),
        (
            0x86DD,
            ns("fe80::1", "ff02::1:ff00:2"),
            ME,
            (Some(six), Said::IHave(Some(ip("fe80::1")))),
        ),
        (
            0x86DD,
            ns("::", "ff02::1:ff00:2"),
            all_nodes,
            (Some(six), Said::IHave(None)),
        ),
    ] {
        for tags in [&[][..], &[0x81, 0, 0xE0, 5]] {
            let asked = framed(ALL, tags, ethertype, &question);
            let asked = Neighbour::parse(&asked).unwrap().unwrap();
            let answer = asked.answer(holder).unwrap();
            let mut out = [0xA5; 128];
            let len = answer.write(&mut out).unwrap();
            assert!(len >= 60);
            assert_eq!(out[..6], to, "{question:?}");
            assert_eq!(out[6..12], holder.0);
            assert_eq!(&out[12..12 + tags.len()], tags);
            assert_eq!(read_it(&out[..len]), Some(Ok(expected)), "{question:?}");
            assert_eq!(answer.write(&mut out[..len - 1]), None);
            // An answer is no question.
            let answered = Neighbour::parse(&out[..len]).unwrap().unwrap();
            assert_eq!(answered.answer(holder), None);
        }
    }
}
