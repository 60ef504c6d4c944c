//! An independent dissector finds every forwarded frame well-formed, its checksums right.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::{ETHERNET, Host};
use crate::installed;
use crate::proxy::Proxy;
use crate::segments::{END, Line};
use crate::tap::Tap;

/// Requests of each client: the first is not held, the others are.
const REQUESTS: u16 = 4;
const OPTIONS: &[&str] = &["--jitter", "5ms", "--jitter-share", "off"];

/// One row of what tshark says, by the names below.
struct Row(Vec<String>);

const FIELDS: [&str; 11] = [
    "ptp.v2.messagetype",
    "vlan.id",
    "ip.checksum.status",
    "udp.checksum.status",
    "_ws.malformed",
    "_ws.expert.message",
    "ip.version",
    "ipv6.version",
    "ptp.v2.correction.ns",
    "ptp.v2.flags.twostep",
    "ptp.v2.messagelength",
];

impl Row {
    fn get(&self, field: &str) -> &str {
        let at = FIELDS.iter().position(|name| *name == field).unwrap();
        self.0.get(at).map_or("", String::as_str)
    }

    /// Transport, VLAN and message type.
    fn what(&self) -> (&'static str, String, u8) {
        let network = match (self.get("ip.version"), self.get("ipv6.version")) {
            ("", "") => "ethernet",
            (_, "") => "udp4",
            _ => "udp6",
        };
        let kind = self.get("ptp.v2.messagetype").trim_start_matches("0x");
        let kind = u8::from_str_radix(kind, 16).unwrap_or(u8::MAX);
        (network, self.get("vlan.id").to_owned(), kind)
    }

    fn must_be_good(&self) {
        let (network, ..) = self.what();
        let expect =
            |field, right: &str| assert_eq!(self.get(field), right, "{field}: {:?}", self.0);
        expect("_ws.malformed", "");
        expect("_ws.expert.message", "");
        // 1 is good.
        expect(
            "ip.checksum.status",
            if network == "udp4" { "1" } else { "" },
        );
        expect(
            "udp.checksum.status",
            if network == "ethernet" { "" } else { "1" },
        );
    }
}

#[test]
fn tshark_finds_every_forwarded_frame_right() {
    in_sandbox!({
        let Some(tshark) = installed::find("tshark", "tshark") else {
            return;
        };
        let line = Line::new();
        let taps = [&line.grandmaster, &line.clients].map(|home| Tap::open(home, END));
        let proxy = Proxy::start(&line.gateway, OPTIONS);
        for network in Network::ALL {
            for vlan in [None, Some(5)] {
                let (mut above, mut below) = line.hosts(Shape { network, vlan });
                talk(&mut above, &mut below);
            }
        }
        let totals = proxy.stop().totals;
        let folder = TempDir::new().unwrap();
        let files = ["above.pcap", "below.pcap"].map(|name| folder.path().join(name));
        for (tap, file) in taps.into_iter().zip(&files) {
            tap.write(file);
        }
        let [above, below] = files.map(|file| dissect(&tshark, &file));

        let shapes: Vec<_> = ["ethernet", "udp4", "udp6"]
            .into_iter()
            .flat_map(|network| ["", "5"].map(|vlan| (network, vlan.to_owned())))
            .collect();
        let expected = |kinds: &[(Kind, u16)]| -> BTreeMap<_, u64> {
            let all = shapes.iter().flat_map(|(network, vlan)| {
                let what =
                    |&(kind, count)| ((*network, vlan.clone(), kind as u8), u64::from(count));
                kinds.iter().map(what)
            });
            all.collect()
        };
        let requests = expected(&[(Kind::DelayReq, REQUESTS)]);
        assert_eq!(counts(&above), requests, "{}", totals.0);
        let answers = expected(&[
            (Kind::Announce, 1),
            (Kind::Sync, 2),
            (Kind::FollowUp, 2),
            (Kind::DelayResp, REQUESTS),
        ]);
        assert_eq!(counts(&below), answers, "{}", totals.0);
        assert_eq!(totals.count("follow_ups_made"), 6);

        for row in above.iter().chain(&below) {
            row.must_be_good();
            if row.get("ptp.v2.messagetype") == "0x00" {
                assert_eq!(
                    row.get("ptp.v2.flags.twostep"),
                    "1",
                    "one-step is converted"
                );
            }
        }
        let corrected = below
            .iter()
            .filter(|row| matches!(row.get("ptp.v2.messagetype"), "0x08" | "0x09"));
        let corrections: Vec<u64> = corrected
            .map(|row| row.get("ptp.v2.correction.ns").parse().unwrap())
            .collect();
        assert!(corrections.iter().all(|&ns| ns > 0), "{corrections:?}");
        assert!(
            corrections.iter().any(|&ns| ns > 1_000_000),
            "some were held"
        );
    });
}

/// The kernel leaves the checksum of what a socket here sends to a network card that there is none of.
#[test]
fn a_local_senders_unfinished_checksum_is_completed() {
    in_sandbox!({
        let Some(tshark) = installed::find("tshark", "tshark") else {
            return;
        };
        let line = Line::new();
        line.clients.add_address(END, [10, 0, 0, 2], 24).unwrap();
        line.clients.add_route(END, [224, 0, 0, 0], 4).unwrap();
        let tap = Tap::open(&line.grandmaster, END);
        let proxy = Proxy::start(&line.gateway, OPTIONS);
        Host::open(&line.grandmaster, END, ETHERNET).introduce();
        let socket = line
            .clients
            .run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 319)))
            .unwrap()
            .unwrap();
        let to = |last| SocketAddr::from((Ipv4Addr::new(224, 0, 1, last), 319));
        for sequence in 1..=3_u8 {
            let mut request = [0; 44];
            request[..4].copy_from_slice(&[1, 2, 0, 44]);
            request[20..30].copy_from_slice(&Station::client(1).identity());
            request[31] = sequence;
            socket.send_to(&request, to(129)).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        let totals = proxy.stop().totals;
        assert_eq!(totals.forwarded("down", "delay_req"), 3, "{}", totals.0);
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("above.pcap");
        tap.write(&file);
        let rows = dissect(&tshark, &file);
        assert_eq!(rows.len(), 3);
        for row in rows {
            assert_eq!(row.what().0, "udp4");
            row.must_be_good();
        }
    });
}

/// Everything that is forwarded with an edit, once.
fn talk(above: &mut Host, below: &mut Host) {
    above.introduce();
    let origin = above.sync(1);
    above.follow_up(1, origin);
    above.one_step(2);
    for sequence in 1..=REQUESTS {
        below.request(1, sequence);
        let request = above.next(Kind::DelayReq).expect("a request");
        above.answer(&request);
        below.next(Kind::DelayResp).expect("its answer");
        std::thread::sleep(Duration::from_millis(25));
    }
}

fn counts(rows: &[Row]) -> BTreeMap<(&'static str, String, u8), u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.what()).or_default() += 1;
    }
    counts
}

/// What tshark makes of the PTP frames of a capture.
fn dissect(tshark: &Path, file: &Path) -> Vec<Row> {
    let mut command = Command::new(tshark);
    command
        .arg("-r")
        .arg(file)
        .args(["-Y", "ptp", "-T", "fields", "-E", "separator=|"]);
    for preference in ["udp.check_checksum:TRUE", "ip.check_checksum:TRUE"] {
        command.args(["-o", preference]);
    }
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| Row(line.split('|').map(str::to_owned).collect()))
        .collect()
}
