//! What nobody with the key has made, byte for byte through the real program: each is dropped, and status shows why.

use std::process::Command;
use std::time::{Duration, Instant};

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::control::reply::Status;
use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy::wire::MessageType;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;
use testkit::frames::{
    Message, announce, clock, delay_req, delay_resp, follow_up, port, signaling, sync,
};
use testkit::proxy::Proxy;
use testkit::segments::{END, Line};
use testkit::signatures::Key;
use testkit::tap::Tap;

use super::{KEY, Keys, PATIENCE};

const OTHER: Key = Key::of(4, "another-association");
/// Bytes of the Ethernet header.
const ETHERNET: usize = 14;
/// Where messageLength ends.
const LENGTH: usize = 3;
/// Bytes of the AUTHENTICATION TLV.
const TLV: usize = 26;

/// Fields of the header: the byte that is changed, and the reason. The signature covers them all; a few say so much of the
/// message that it is dropped before.
const HEADER: [(&str, usize, &str); 14] = [
    ("majorSdoId", 0, "bad-icv"),
    ("versionPTP", 1, "version"),
    ("messageLength", LENGTH, "unsigned"),
    ("domainNumber", 4, "bad-icv"),
    ("minorSdoId", 5, "bad-icv"),
    ("flagField", 7, "bad-icv"),
    ("correctionField", 13, "bad-icv"),
    ("messageTypeSpecific", 17, "bad-icv"),
    ("sourcePortIdentity, clock", 25, "bad-icv"),
    ("sourcePortIdentity, port", 29, "bad-icv"),
    ("sequenceId", 31, "bad-icv"),
    ("controlField", 32, "bad-icv"),
    ("logMessageInterval", 33, "bad-icv"),
    ("originTimestamp", 38, "bad-icv"),
];
/// Fields of the TLV, by their offset in it.
const OF_TLV: [(&str, usize, &str); 6] = [
    ("tlvType", 1, "unsigned"),
    ("lengthField", 3, "bad-authentication"),
    ("spp", 4, "unknown-key"),
    ("secParamIndicator", 5, "bad-authentication"),
    ("keyID", 9, "unknown-key"),
    ("ICV", 20, "bad-icv"),
];

/// A station at an end: sends and hears whole frames.
struct Station {
    rx: Tap,
    tx: TxRing<()>,
}

impl Station {
    fn open(home: &Namespace) -> Self {
        let open = || TxRing::open(&Interface::lookup(END)?, &TxOptions::default());
        Self {
            rx: Tap::open(home, END),
            tx: home.run(open).unwrap().unwrap(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.tx.slot().unwrap()[..bytes.len()].copy_from_slice(bytes);
        self.tx.commit(bytes.len(), None);
        assert_eq!(self.tx.kick().sent, 1);
    }

    /// Whether this message came: the same, but for what a gateway may change.
    fn hears(&mut self, message: &Message) -> bool {
        let wanted = message.bytes();
        let name = |frame: &[u8]| {
            (
                frame.get(14).copied(),
                frame.get(34..46).map(<[u8]>::to_vec),
            )
        };
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            while let Some(frame) = self.rx.receive() {
                if frame.len() == wanted.len() && name(&frame) == name(&wanted) {
                    return true;
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// PTP messages that came and were not read yet.
    fn heard(&mut self) -> usize {
        let frames = std::iter::from_fn(|| self.rx.receive());
        frames.filter(|frame| frame[12..14] == [0x88, 0xF7]).count()
    }
}

/// A gateway that lets nothing pass but what is signed, between a grandmaster and a client that has asked.
struct Network {
    above: Station,
    below: Station,
    socket: String,
    proxy: Proxy,
    _line: Line,
    _folder: TempDir,
}

impl Network {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let keys = Keys::new(&folder, "sa.cfg", &Key::files(&[KEY, OTHER]));
        let socket = folder
            .path()
            .join("gateway.sock")
            .to_string_lossy()
            .into_owned();
        let line = Line::new();
        // The kernel's filter would drop some of it before anybody looks.
        let options = [
            &["--jitter", "off", "--filter", "plain", "--control", &socket][..],
            &["--sa-file", keys.name(), "--require-authentication", "both"],
        ];
        let proxy = Proxy::start(&line.gateway, &options.concat());
        let mut network = Self {
            above: Station::open(&line.grandmaster),
            below: Station::open(&line.clients),
            socket,
            proxy,
            _line: line,
            _folder: folder,
        };
        for (from, message) in [
            (Up, announce(1, 0, clock(1))),
            (Up, sync(1, 0)),
            (Up, follow_up(1, 0, 9)),
        ] {
            network.passes(from, &KEY.signs(message), "a grandmaster");
            // A gateway that has just started lets no event message pass until a moment after an Announce.
            std::thread::sleep(Duration::from_millis(100));
        }
        network
    }

    fn sides(&mut self, from: Side) -> (&mut Station, &mut Station) {
        match from {
            Up => (&mut self.above, &mut self.below),
            Down => (&mut self.below, &mut self.above),
        }
    }

    fn passes(&mut self, from: Side, message: &Message, case: &str) {
        let (sender, receiver) = self.sides(from);
        sender.send(&message.bytes());
        assert!(receiver.hears(message), "{case}: {message:?} does not pass");
    }

    /// The right message passes, after the one that it answers or completes: that is not waited for longer than 2 s.
    fn passes_after(&mut self, from: Side, message: &Message) {
        let sequence = message.sequence_id;
        let before = match message.kind {
            MessageType::FollowUp => Some((Up, sync(1, sequence))),
            MessageType::DelayResp => Some((Down, delay_req(2, sequence))),
            _ => None,
        };
        if let Some((from, message)) = before {
            self.passes(from, &KEY.signs(message), "what it belongs to");
        }
        self.passes(from, message, "untouched");
    }

    fn status(&self) -> Status {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
        let output = command
            .args(["status", "--json", "--socket", &self.socket])
            .output();
        serde_json::from_slice(&output.unwrap().stdout).unwrap()
    }

    /// Sends a frame that must not pass; the one reason whose count grows in status.
    fn refused(&mut self, from: Side, bytes: &[u8], case: &str) -> String {
        let counts = |status: &Status| -> Vec<(String, u64)> {
            let of = status.drops.iter();
            of.map(|drop| {
                (
                    format!("{} {} {}", drop.side, drop.message, drop.reason),
                    drop.count,
                )
            })
            .collect()
        };
        let before = counts(&self.status());
        let (sender, receiver) = self.sides(from);
        receiver.heard();
        sender.send(bytes);
        let end = Instant::now() + PATIENCE;
        let grown = loop {
            let now = counts(&self.status());
            let grown: Vec<(String, u64)> = now
                .into_iter()
                .filter(|row| !before.contains(row))
                .collect();
            if !grown.is_empty() || Instant::now() > end {
                break grown;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let (_, receiver) = self.sides(from);
        assert_eq!(receiver.heard(), 0, "{case}: it passed");
        let [(row, _)] = &grown[..] else {
            panic!("{case}: {grown:?}");
        };
        row.rsplit(' ').next().unwrap().to_owned()
    }
}

/// One byte of each field, in messages of both sides: none has any effect, and the right message passes after them all.
#[test]
fn one_changed_byte_in_each_field_is_dropped_with_its_reason() {
    in_sandbox!({
        let mut network = Network::new();
        let of_delay_resp = [
            ("requestingPortIdentity, clock", 50, "bad-icv"),
            ("requestingPortIdentity, port", 53, "bad-icv"),
        ];
        let of_announce = [
            ("grandmasterPriority1", 47, "bad-icv"),
            ("grandmasterClockQuality", 48, "bad-icv"),
            ("grandmasterIdentity", 58, "bad-icv"),
            ("stepsRemoved", 62, "bad-icv"),
        ];
        for (from, message, own) in [
            (Up, announce(1, 1, clock(1)), &of_announce[..]),
            (Up, sync(1, 1), &[]),
            (Up, follow_up(1, 2, 9), &[]),
            (Down, delay_req(2, 6), &[]),
            (Up, delay_resp(1, 7, port(2)), &of_delay_resp),
        ] {
            let message = KEY.signs(message);
            let bytes = message.bytes();
            let tlv = message.ptp().len() - TLV;
            let of_tlv = OF_TLV.map(|(field, at, reason)| (field, tlv + at, reason));
            for &(field, at, reason) in HEADER.iter().chain(own).chain(&of_tlv) {
                let case = format!("{:?}, {field}", message.kind);
                let mut changed = bytes.clone();
                match at {
                    // The type is in the other half.
                    0 => changed[ETHERNET] ^= 0x40,
                    // Cut short by two: longer, the frame would end before it.
                    LENGTH => changed[ETHERNET + at] -= 2,
                    at => changed[ETHERNET + at] ^= 0x04,
                }
                let said = network.refused(from, &changed, &case);
                assert_eq!(said, reason, "{case}");
            }
            network.passes_after(from, &message);
        }
        let totals = network.proxy.stop().totals;
        assert_eq!(totals.count("verified"), 10, "{}", totals.0);
    });
}

/// Of each side: wrong and unknown keys, no signature, two of them, one of another association, and what was there before.
/// Status warns of each, with its remedy.
#[test]
fn what_nobody_with_the_key_has_made_is_dropped_with_its_reason() {
    in_sandbox!({
        let mut network = Network::new();
        let guessed = Key {
            secret: "guessed",
            ..KEY
        };
        let unknown = Key { id: 9, ..KEY };
        for (from, message) in [
            (Down, delay_req(2, 6)),
            (Up, delay_resp(1, 7, port(2))),
            (Up, sync(1, 1)),
            (Up, follow_up(1, 2, 9)),
            (Up, announce(1, 1, clock(1))),
            (Down, signaling(2, 1, port(1))),
        ] {
            let right = KEY.signs(message.clone());
            let cases = [
                (guessed.signs(message.clone()), "bad-icv"),
                (unknown.signs(message.clone()), "unknown-key"),
                (message.clone(), "unsigned"),
                (KEY.signs(right.clone()), "bad-authentication"),
            ];
            for (wrong, reason) in cases {
                let case = format!("{:?}: {reason}", message.kind);
                assert_eq!(
                    network.refused(from, &wrong.bytes(), &case),
                    reason,
                    "{case}"
                );
            }
            network.passes_after(from, &right);
            // The second answer to a request is one too many, whoever signed it.
            let again = match message.kind {
                MessageType::DelayResp => "duplicate",
                _ => "replayed",
            };
            let case = format!("{:?}: {again}", message.kind);
            assert_eq!(
                network.refused(from, &right.bytes(), &case),
                again,
                "{case}"
            );
        }
        // Its client is another association's.
        let others = OTHER.signs(delay_req(2, 8)).bytes();
        assert_eq!(
            network.refused(Down, &others, "another association"),
            "bad-authentication"
        );
        let status = network.status();
        for reason in [
            "bad-icv",
            "unknown-key",
            "bad-authentication",
            "replayed",
            "signatures-refused",
        ] {
            let warned = status.warnings.iter().any(|warning| warning.code == reason);
            assert!(warned, "{reason}: {:#?}", status.warnings);
        }
        let log = network.proxy.stop().log;
        assert!(
            !log.iter().any(|line| line.contains(KEY.secret)),
            "{log:#?}"
        );
    });
}
