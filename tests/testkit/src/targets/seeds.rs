//! What the fuzz targets start from: each message by each transport under each tag, what real peers said,
//! and scripts of exchanges that go well with one step more.

use ptpproxy::wire::{MessageType, PortIdentity};

use crate::frames::*;

/// Frames of real peers, as hexadecimal digits, one a line (`cargo run -p ptpproxy-lab --bin record`).
const PEERS: &str = include_str!("peers.txt");

/// Configuration files: those that are installed, and what people write by mistake.
const FILES: [&str; 10] = [
    include_str!("../../../../deploy/ptpproxy.toml"),
    include_str!("../../../../deploy/samples/broadcast-udp.toml"),
    include_str!("../../../../deploy/samples/plant.toml"),
    include_str!("../../../../deploy/samples/telecom-small-cell.toml"),
    "jitter = 20ms",
    "[limits]\nmax-rate = 5",
    "domain = [1, \"x\", 256]",
    "max_hold = \"\"\"5s\"\"\"",
    "a.b.c = { d = 1979-05-27 }",
    "spin = 0x1F\nspin = nan",
];

/// A file of security associations, and what linuxptp 4.4 signed with each kind of key in it.
const ASSOCIATIONS: &[u8] = include_bytes!("../../../../src/auth/tests/captured/sa.cfg");
const SIGNED: [&[u8]; 5] = [
    include_bytes!("../../../../src/auth/tests/captured/sha256-128.pcap"),
    include_bytes!("../../../../src/auth/tests/captured/sha256.pcap"),
    include_bytes!("../../../../src/auth/tests/captured/aes128.pcap"),
    include_bytes!("../../../../src/auth/tests/captured/aes256-mutable.pcap"),
    include_bytes!("../../../../src/auth/tests/captured/tc-below.pcap"),
];

/// What is asked on the control socket.
const QUESTIONS: [&str; 7] = [
    "status\n",
    "clients\n",
    "clients sort=requests limit=20\n",
    "clients limit=-1 sort=\n",
    "reload\n",
    "status status\r\nclients\n",
    "\n",
];

/// Target, name and octets of each.
pub fn all() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut seeds = Vec::new();
    let bare = FILES[0].replace("\n#", "\n").replace("\n ", "\n# ");
    let files = FILES.into_iter().map(str::to_owned).chain([bare]);
    for (number, file) in files.enumerate() {
        seeds.push(("config", format!("{number}"), file.into_bytes()));
    }
    for (number, question) in QUESTIONS.iter().enumerate() {
        seeds.push(("control", format!("{number}"), question.as_bytes().to_vec()));
    }
    seeds.push(("auth", "file".to_owned(), [&[0], ASSOCIATIONS].concat()));
    for (number, frame) in SIGNED.into_iter().flat_map(captured).enumerate() {
        seeds.push(("auth", format!("frame-{number}"), [&[1], frame].concat()));
    }
    for (number, frame) in peers().enumerate() {
        seeds.push((
            "frame",
            format!("peer-{number}"),
            [&[9; 8], &frame[..]].concat(),
        ));
        for how in 0..2 {
            let input = [&[how, 0], &frame[..]].concat();
            seeds.push(("filter", format!("peer-{number}-{how}"), input));
        }
    }
    let messages = [
        sync(1, 1),
        one_step(1, 2, 9),
        follow_up(1, 1, 9),
        announce(1, 1, clock(1)),
        delay_req(10, 2),
        delay_req(20, 2),
        delay_resp(1, 1, port(10)),
        delay_resp(1, 1, port(20)),
        signaling(1, 1, PortIdentity::ALL),
        grant(1, 1, port(10), 300),
        management(1, 3, port(30), RESPONSE),
        management(30, 4, port(1), GET),
        peer_delay(MessageType::PdelayReq, 1),
        sync(1, 3).signed(),
    ];
    let mut number = 0;
    for message in &messages {
        for transport in TRANSPORTS {
            for tags in TAGS {
                let frame = message.clone().on(Way { transport, tags }).bytes();
                number += 1;
                seeds.push(("frame", format!("{number}"), [&[9; 8], &frame[..]].concat()));
                for how in 0..2 {
                    let input = [&[how, 0], &frame[..]].concat();
                    seeds.push(("filter", format!("{number}-{how}"), input));
                }
            }
        }
    }
    // Scripts: exchanges and Syncs that go well, then one step of each kind, at several settings.
    for what in 0..32_u8 {
        for head in [
            [0xC8, 2, 1],
            [0xC9, 2, 1],
            [0xE9, 2, 1],
            [0x41, 1, 1],
            [0xC0, 2, 1],
        ] {
            let mut script = head.to_vec();
            for round in 0..12 {
                script.extend([28, 0, round, 0xF8, 3, 0xFF, 0, 0]);
                script.extend([27, 2, round, 0xF8, 4, 0xFF, 0, 0]);
                script.extend([what, 0x12, round, 0xF8, round & 5, 0xFF, 0, 0]);
            }
            let name = format!("{what}-{}-{}", head[0], head[1]);
            seeds.push(("script", name, script));
        }
    }
    seeds
}

fn peers() -> impl Iterator<Item = Vec<u8>> {
    let lines = PEERS.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let pairs = line.as_bytes().chunks_exact(2);
        let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.filter_map(octet).collect()
    })
}

/// The frames of a capture: a header of 24 bytes, and before each frame 16 more with its length.
fn captured(pcap: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = pcap.get(24..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (head, frames) = rest.split_first_chunk::<16>()?;
        let len = u32::from_le_bytes(*head.get(8..)?.first_chunk()?);
        let (frame, after) = frames.split_at_checked(usize::try_from(len).ok()?)?;
        rest = after;
        Some(frame)
    })
}
