//! Why nothing passes shows in a small network at once, and one flood hides nothing else.

use std::time::{Duration, Instant};

use ptpproxy::control::reply::Status;
use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::ask;
use crate::proxy::Proxy;
use crate::segments::{END, Line};

/// What the first bytes of the PTP header are: majorSdoId and messageType, version, domain; and the reason.
const KINDS: [(u8, u8, u8, &str); 5] = [
    (0x01, 1, 0, "version"),
    (0x11, 2, 0, "gptp"),
    (0x01, 2, 9, "domain"),
    (0x02, 2, 0, "peer-delay"),
    (0x0F, 2, 0, "unknown-type"),
];
pub(crate) const PEER_DELAY: usize = 3;

/// Sends from the far end of one side.
pub(crate) struct Sender(TxRing<()>);

impl Sender {
    pub(crate) fn new(home: &Namespace) -> Self {
        let open = || {
            let interface = Interface::lookup(END)?;
            TxRing::<()>::open(&interface, &TxOptions::default())
        };
        Self(home.run(open).unwrap().unwrap())
    }

    pub(crate) fn send(&mut self, kind: usize) {
        let (first, version, domain, _) = KINDS[kind];
        let mut frame = [0; 14 + 54];
        frame[..12].copy_from_slice(&[0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 99]);
        frame[12..19].copy_from_slice(&[0x88, 0xF7, first, version, 0, 54, domain]);
        frame[34..44].copy_from_slice(&[0, 0x1B, 0x19, 0xFF, 0xFE, 9, 9, 9, 0, 1]);
        let Some(slot) = self.0.slot() else {
            return;
        };
        slot[..frame.len()].copy_from_slice(&frame);
        self.0.commit(frame.len(), None);
        let _ = self.0.kick();
    }
}

fn status(socket: &str) -> Status {
    serde_json::from_str(&ask(&["status", "--json", "--socket", socket])).unwrap()
}

fn dropped(status: &Status, side: &str, reason: &str) -> u64 {
    let drops = status.drops.iter();
    let of = drops.filter(|drop| drop.side == side && drop.reason == reason);
    of.map(|drop| drop.count).sum()
}

#[test]
fn in_a_small_network_each_reason_shows_within_5_s() {
    in_sandbox!({
        for filter in ["tree", "plain"] {
            let folder = TempDir::new().unwrap();
            let socket = folder.path().join("gateway.sock");
            let socket = socket.to_str().unwrap();
            let line = Line::new();
            let arguments = ["--control", socket, "--domain", "0", "--filter", filter];
            let proxy = Proxy::start(&line.gateway, &arguments);
            let _hosts = line.hosts(crate::host::ETHERNET);
            let mut senders = [&line.grandmaster, &line.clients].map(Sender::new);
            let start = Instant::now();
            let mut next = start;
            loop {
                if Instant::now() >= next {
                    next += Duration::from_secs(2);
                    for sender in &mut senders {
                        (0..KINDS.len()).for_each(|kind| sender.send(kind));
                    }
                }
                let status = status(socket);
                let missing: Vec<_> = ["up", "down"]
                    .iter()
                    .flat_map(|side| KINDS.map(|(.., reason)| (*side, reason)))
                    .filter(|(side, reason)| dropped(&status, side, reason) == 0)
                    .collect();
                if missing.is_empty() {
                    break;
                }
                assert!(
                    start.elapsed() < Duration::from_secs(5),
                    "{filter}: {missing:?}"
                );
                std::thread::sleep(Duration::from_millis(200));
            }
            proxy.stop();
        }
    });
}

#[test]
fn a_flood_is_sampled_thinly_within_a_second_and_hides_nothing_else() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", socket, "--domain", "0"]);
        let _hosts = line.hosts(crate::host::ETHERNET);
        let mut above = Sender::new(&line.grandmaster);
        let mut sent = 0;
        // More than the core would be shown in many minutes if nothing changed.
        while sent < 12_000 {
            for _ in 0..4 {
                above.send(PEER_DELAY);
                sent += 1;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let counted = dropped(&status(socket), "up", "peer-delay");
        assert!(counted > 0 && counted < sent / 4, "{counted} of {sent}");
        for kind in 0..KINDS.len() {
            above.send(kind);
        }
        let end = Instant::now() + Duration::from_secs(5);
        while KINDS
            .iter()
            .any(|&(.., reason)| dropped(&status(socket), "up", reason) == 0)
        {
            assert!(Instant::now() < end, "{:#?}", status(socket).drops);
            std::thread::sleep(Duration::from_millis(100));
        }
        proxy.stop();
    });
}
