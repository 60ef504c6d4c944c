//! A host on a cable: it sends and reads whole frames, with the kernel's stamps.

use std::time::{Duration, Instant};

use ptpproxy_lab::lab::clock;
use ptpproxy_lab::lab::frames::{Draft, Kind, TWO_STEP, Template};
use ptpproxy_lab::lab::port::{self, Inbox, Outbox, Seen};
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::lab::view::View;
use ptpproxy_lab::net::Namespace;

/// Ethernet without a tag.
pub const ETHERNET: Shape = Shape {
    network: Network::Ethernet,
    vlan: None,
};

/// One interface of a simulated station, or of many.
pub struct Host {
    inbox: Inbox,
    outbox: Outbox<()>,
    /// The outer layers of its frames.
    pub shape: Shape,
    /// PTP frames read that were cut, had another tag or a wrong checksum, or came without a stamp.
    pub damaged: u64,
    /// PTP frames read.
    pub heard: u64,
}

/// A PTP message as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// messageType.
    pub kind: Kind,
    /// sourcePortIdentity, if a station of the lab has it.
    pub source: Option<Station>,
    /// requestingPortIdentity, if a station of the lab has it.
    pub requesting: Option<Station>,
    /// sequenceId.
    pub sequence: u16,
    /// Whole nanoseconds.
    pub correction: i64,
    /// twoStepFlag.
    pub two_step: bool,
    /// The body's time in nanoseconds.
    pub time: i64,
    /// The receive stamp.
    pub at: i64,
}

impl Message {
    /// `None` for a type that the lab does not know.
    pub fn of(view: View<'_>, at: i64) -> Option<Self> {
        Some(Self {
            kind: view.kind()?,
            source: view.source(),
            requesting: view.requesting(),
            sequence: view.sequence(),
            correction: view.correction() >> 16,
            two_step: view.two_step(),
            time: view.timestamp(),
            at,
        })
    }
}

impl Host {
    /// Opens its rings in a namespace.
    pub fn open(home: &Namespace, interface: &str, shape: Shape) -> Self {
        let (inbox, outbox) = home
            .run(|| port::open(interface, 4096, shape))
            .unwrap()
            .unwrap();
        Self {
            inbox,
            outbox,
            shape,
            damaged: 0,
            heard: 0,
        }
    }

    /// A frame of this type from a station, to be completed by `send`.
    pub fn template(&self, kind: Kind, source: Station) -> Template {
        Template::new(self.shape, kind, source)
    }

    /// Sends one frame; when it departed.
    pub fn send(&mut self, template: &Template, patch: impl FnOnce(Draft<'_>) -> Draft<'_>) -> i64 {
        assert!(
            self.outbox
                .send(template, Some(()), |draft| patch(draft).finish())
        );
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            self.outbox.flush();
            if let Some(((), stamp)) = self.outbox.departed().last() {
                return stamp.expect("the cable is up");
            }
            assert!(Instant::now() < deadline, "no transmit stamp");
        }
    }

    /// Adds one frame to the batch.
    pub fn queue(&mut self, template: &Template, patch: impl FnOnce(Draft<'_>) -> Draft<'_>) {
        assert!(
            self.outbox
                .send(template, None, |draft| patch(draft).finish())
        );
    }

    /// Sends the batch.
    pub fn flush(&mut self) {
        self.outbox.flush();
    }

    /// The next message, if one waits.
    pub fn receive(&mut self) -> Option<Message> {
        loop {
            match self.inbox.receive()? {
                Seen::Other(_) => {}
                Seen::Damaged => {
                    self.heard += 1;
                    self.damaged += 1;
                }
                Seen::Message(view, at) => {
                    self.heard += 1;
                    if let Some(message) = Message::of(view, at) {
                        return Some(message);
                    }
                }
            }
        }
    }

    /// What comes within this time.
    pub fn listen(&mut self, time: Duration) -> Vec<Message> {
        let end = Instant::now() + time;
        let mut all = Vec::new();
        loop {
            all.extend(std::iter::from_fn(|| self.receive()));
            if Instant::now() >= end {
                return all;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// The first message that `wanted` takes, within some seconds.
    pub fn expect(&mut self, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let end = Instant::now() + Duration::from_secs(2);
        loop {
            while let Some(message) = self.receive() {
                if wanted(&message) {
                    return Some(message);
                }
            }
            if Instant::now() >= end {
                return None;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// The next message of this type, within some seconds.
    pub fn next(&mut self, kind: Kind) -> Option<Message> {
        self.expect(|message| message.kind == kind)
    }

    // What the stations say. Times are the shared clock's.

    /// The grandmaster's Announce.
    pub fn announce(&mut self, sequence: u16) {
        let template = self.template(Kind::Announce, Station::MASTER);
        self.send(&template, |draft| draft.sequence(sequence));
    }

    /// A gateway that has just started sends no event message before an Announce went through it.
    pub fn introduce(&mut self) {
        self.announce(0);
        std::thread::sleep(Duration::from_millis(60));
    }

    /// A two-step Sync; when it departed.
    pub fn sync(&mut self, sequence: u16) -> i64 {
        let template = self.template(Kind::Sync, Station::MASTER).flags(TWO_STEP);
        self.send(&template, |draft| draft.sequence(sequence))
    }

    /// A one-step Sync; how much later than it says it departed.
    pub fn one_step(&mut self, sequence: u16) -> i64 {
        let template = self.template(Kind::Sync, Station::MASTER);
        let now = clock::now();
        self.send(&template, |draft| draft.sequence(sequence).timestamp(now)) - now
    }

    /// The grandmaster's Follow_Up of a Sync that left at `origin`.
    pub fn follow_up(&mut self, sequence: u16, origin: i64) {
        let template = self.template(Kind::FollowUp, Station::MASTER);
        self.send(&template, |draft| {
            draft.sequence(sequence).timestamp(origin)
        });
    }

    /// A client's Delay_Req; when it departed.
    pub fn request(&mut self, client: u16, sequence: u16) -> i64 {
        let template = self.template(Kind::DelayReq, Station::client(client.into()));
        self.send(&template, |draft| draft.sequence(sequence))
    }

    /// The grandmaster's answer to a Delay_Req that it heard.
    pub fn answer(&mut self, request: &Message) {
        let template = self.template(Kind::DelayResp, Station::MASTER);
        self.send(&template, |draft| {
            draft
                .sequence(request.sequence)
                .timestamp(request.at)
                .correction(request.correction << 16)
                .requesting(request.source.expect("a station of the lab").identity())
        });
    }
}
