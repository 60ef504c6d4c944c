//! Messages with an AUTHENTICATION TLV through the real program: not held, not touched, and swept for often.

use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::{Draft, Kind, Template};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::Namespace;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::{status, until};
use crate::host::{ETHERNET, Host};
use crate::proxy::Proxy;
use crate::segments::{END, Line};
use crate::tap::Tap;

/// AUTHENTICATION (16.14.3): its type, its length, and what stands for the rest.
const TLV: [u8; 8] = [0x80, 0x09, 0, 4, 1, 2, 3, 4];
/// Where messageLength is in a frame without tags.
const LENGTH: std::ops::Range<usize> = 16..18;

/// A host that sends and reads whole frames, byte for byte.
struct Bytes {
    rx: Tap,
    tx: TxRing<()>,
}

impl Bytes {
    fn open(home: &Namespace) -> Self {
        let open = || TxRing::open(&Interface::lookup(END)?, &TxOptions::default());
        Self {
            rx: Tap::open(home, END),
            tx: home.run(open).unwrap().unwrap(),
        }
    }

    /// Signs a message and sends it; the whole frame.
    fn send(&mut self, template: &Template, patch: impl FnOnce(Draft<'_>) -> Draft<'_>) -> Vec<u8> {
        let slot = self.tx.slot().unwrap();
        let plain = patch(template.draft(slot).unwrap()).finish();
        let len = plain + TLV.len();
        slot[plain..len].copy_from_slice(&TLV);
        let message = u16::try_from(len - 14).unwrap();
        slot[LENGTH].copy_from_slice(&message.to_be_bytes());
        let sent = slot[..len].to_vec();
        self.tx.commit(len, None);
        assert_eq!(self.tx.kick().sent, 1);
        sent
    }

    /// The next frame of this messageType, if it comes soon.
    fn next(&mut self, kind: Kind) -> Option<Vec<u8>> {
        let end = Instant::now() + Duration::from_millis(200);
        while Instant::now() < end {
            while let Some(frame) = self.rx.receive() {
                if frame[12..14] == [0x88, 0xF7] && frame[14] & 0x0F == kind as u8 {
                    return Some(frame);
                }
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        None
    }
}

/// Whatever the jitter: not one byte may change, and no time may pass that nobody takes out again.
#[test]
fn signed_messages_pass_as_they_came() {
    const EXCHANGES: u16 = 40;
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        let options = ["--jitter", "50ms", "--sweep", "2ms", "--control", socket];
        let proxy = Proxy::start(&line.gateway, &options);
        assert_eq!(status(socket).sweep_us, 2000);
        let mut master = Host::open(&line.grandmaster, END, ETHERNET);
        master.introduce();
        let (mut above, mut below) = (Bytes::open(&line.grandmaster), Bytes::open(&line.clients));
        let client = Station::client(1);
        let request = Template::new(ETHERNET, Kind::DelayReq, client);
        let response = Template::new(ETHERNET, Kind::DelayResp, Station::MASTER);
        let mut answered = 0;
        for sequence in 0..EXCHANGES {
            let sent = below.send(&request, |draft| draft.sequence(sequence));
            let heard = above.next(Kind::DelayReq);
            assert_eq!(heard.as_ref(), Some(&sent), "request {sequence}");
            let sent = above.send(&response, |draft| {
                draft
                    .sequence(sequence)
                    .timestamp(1_000_000)
                    .requesting(client.identity())
            });
            // One whose request waited for longer than a millisecond, on a busy machine, is dropped.
            if let Some(heard) = below.next(Kind::DelayResp) {
                assert_eq!(heard, sent, "response {sequence}");
                answered += 1;
            }
        }
        assert_eq!(
            proxy.logged("polling every 200us: authenticated messages pass"),
            1,
            "{:?}",
            proxy.log()
        );
        until(socket, "short sweeps", |status| status.sweep_us == 200);
        let totals = proxy.stop().totals;
        assert!(
            answered > EXCHANGES / 2,
            "{answered} of {EXCHANGES}: {}",
            totals.0
        );
        let exchanges = u64::from(EXCHANGES);
        assert_eq!(totals.forwarded("down", "delay_req"), exchanges);
        assert_eq!(totals.count("held"), 0, "{}", totals.0);
        assert_eq!(
            totals.forwarded("up", "delay_resp") + totals.dropped_for("authenticated"),
            exchanges,
            "{}",
            totals.0
        );
    });
}
