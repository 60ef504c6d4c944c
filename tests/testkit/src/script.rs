//! Octets as a script: settings, then frames on both sides with time passing between them. What must
//! hold whatever the script says is asserted as it runs: for property tests, fuzzing and regressions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{
    AllowList, Authenticated, ClientMatch, ManagementPolicy, OneStep, Settings, Sorted,
};
use ptpproxy::filter::{Instruction, Sampling, Spec, fit, interpreter};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{Trace, Wanted, What};
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::{Address, Frame, Lane, MessageType, PortIdentity};

use crate::frames::*;
use crate::gateway::{Gateway, MS, Outcome, SECOND};

/// Octets of one step.
pub const STEP: usize = 8;
/// Octets of the settings.
pub const HEAD: usize = 3;

const HOSTS: [u8; 8] = [1, 2, 10, 10, 11, 12, 30, 66];
const WAYS: [Way; 8] = [
    ETHERNET,
    ETHERNET,
    ETHERNET,
    UDP4,
    Way {
        transport: ptpproxy::wire::Transport::Udp6,
        tags: &[],
    },
    Way {
        tags: &[(0x8100, 0x0005)],
        ..ETHERNET
    },
    Way {
        tags: &[(0x88A8, 0x2064), (0x8100, 0x0005)],
        ..UDP4
    },
    Way {
        tags: &[(0x8100, 0xE000)],
        ..ETHERNET
    },
];
const PAUSES: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_micros(100),
    MS,
    Duration::from_millis(7),
    Duration::from_millis(30),
    Duration::from_millis(130),
    Duration::from_millis(1100),
    Duration::from_secs(35),
];

/// Runs a script.
///
/// # Panics
/// If anything leaves that must not.
pub fn run(octets: &[u8]) {
    let Some((head, steps)) = octets.split_first_chunk::<HEAD>() else {
        return;
    };
    let mut script = Script::new(settings(*head));
    for step in steps.as_chunks::<STEP>().0 {
        script.step(*step);
        script.each_drop_is_told();
    }
    script.end();
}

fn settings([a, b, c]: [u8; HEAD]) -> Settings {
    let bit = |octet: u8, n: u8| octet >> n & 1 == 1;
    Settings {
        jitter: if bit(a, 0) { MS * 20 } else { Duration::ZERO },
        jitter_share: if bit(a, 1) { None } else { Some(0.125) },
        max_rate: match a >> 2 & 3 {
            0 => Some(40),
            1 => Some(400),
            _ => None,
        },
        authenticated: if bit(a, 4) {
            Authenticated::Drop
        } else {
            Authenticated::Pass
        },
        one_step: if bit(a, 5) {
            OneStep::Rewrite
        } else {
            OneStep::Convert
        },
        estimate: bit(a, 6),
        syntonize: bit(a, 7),
        management: match b & 3 {
            0 => ManagementPolicy::Off,
            1 => ManagementPolicy::All,
            _ => ManagementPolicy::Get,
        },
        domains: if bit(b, 2) { vec![0] } else { Vec::new() },
        grandmasters: if bit(b, 3) {
            vec![clock(1)].into()
        } else {
            Sorted::default()
        },
        max_clients: if bit(b, 4) { 2 } else { 8 },
        client_rate: if bit(b, 5) { 5 } else { 256 },
        hold_frames: 16,
        seed: c.into(),
        ..Settings::default()
    }
}

/// What a Delay_Resp must share with a Delay_Req that has gone up.
type Exchange = (PortIdentity, u16, u8, u8, Lane);

struct Script {
    gateway: Gateway,
    settings: Settings,
    /// When requests were heard last, and when they last went up.
    heard: HashMap<(Exchange, Address), u64>,
    asked: HashMap<Exchange, u64>,
    /// Answers that went down since, by master.
    answered: HashMap<(Exchange, PortIdentity), u64>,
    seen: usize,
    /// The kernel's filters by side, and the version of the client table that they were made for.
    filters: [Vec<Instruction>; 2],
    version: Option<u64>,
    /// What whoever watches is told, and the drops among it.
    trace: Arc<Trace>,
    drops_told: u64,
}

impl Script {
    fn new(settings: Settings) -> Self {
        let mut gateway = Gateway::new(settings.clone());
        let trace = Arc::new(Trace::default());
        trace.want(Some(Wanted::default()));
        gateway.core.watch(Some(Arc::clone(&trace)));
        Self {
            gateway,
            settings,
            heard: HashMap::new(),
            asked: HashMap::new(),
            answered: HashMap::new(),
            seen: 0,
            filters: [Vec::new(), Vec::new()],
            version: None,
            trace,
            drops_told: 0,
        }
    }

    fn step(&mut self, [what, who, number, way, pause, extra, at, flip]: [u8; STEP]) {
        let side = if what & 1 == 0 { Down } else { Up };
        match what >> 5 {
            7 => self.apply([number, way, extra]),
            6 if extra & 7 == 0 => self.hand_over(),
            _ => {}
        }
        self.pass(PAUSES[usize::from(pause & 7)], pause & 8 != 0);
        match pause >> 4 & 3 {
            0 => {
                self.gateway.stamps = true;
                self.gateway.stamp_all();
            }
            1 => self.gateway.stamps = false,
            _ => {}
        }
        let host = HOSTS[usize::from(who & 7)];
        let other = HOSTS[usize::from(who >> 3 & 7)];
        let number_of = u16::from(number & 7);
        let target = match number >> 3 & 3 {
            0 => PortIdentity::ALL,
            1 => every_port(other),
            _ => port(other),
        };
        let mut message = match what >> 1 & 15 {
            0 | 1 => delay_req(host, number_of),
            2 | 3 => delay_resp(host, number_of, port(other)),
            4 => sync(host, number_of),
            5 => follow_up(host, number_of, self.gateway.now),
            6 => one_step(host, number_of, self.gateway.now),
            7 => announce(host, number_of, clock(other)),
            8 => signaling(host, number_of, target),
            9 => grant(host, number_of, target, u32::from(at)),
            10 => management(host, number_of, target, extra & 7),
            11 => peer_delay(MessageType::PdelayReq, host),
            12 => peer_delay(MessageType::PdelayRespFollowUp, host),
            // What a network does when all goes well.
            13 => {
                let way = WAYS[usize::from(way & 7)];
                self.hear(Down, &delay_req(host, number_of).on(way).bytes(), 0);
                delay_resp(1, number_of, port(host))
            }
            14 => {
                let way = WAYS[usize::from(way & 7)];
                self.hear(Up, &sync(host, number_of).on(way).bytes(), 0);
                follow_up(host, number_of, self.gateway.now)
            }
            _ => delay_req(host, number_of).sdo(1),
        };
        message = message.on(WAYS[usize::from(way & 7)]);
        message = match way >> 3 & 7 {
            0 => message.to(To::Host(other)),
            1 => message.to(To::PeerGroup),
            2 => message.domain(3),
            3 => message.sdo(2),
            4 => message.signed(),
            _ => message,
        };
        message.correction = match way >> 6 {
            0 => i64::MAX - 5,
            1 => -1_000_000,
            _ => 0,
        };
        let mut bytes = message.bytes();
        if flip != 0 {
            let at = usize::from(at) % bytes.len();
            bytes[at] ^= flip;
        }
        let age = match extra >> 5 {
            0 => 90_000_000,
            1 => 150_000_000,
            2 => 300_000,
            _ => 0,
        };
        self.hear(side, &bytes, age);
    }

    /// Other settings while frames wait; the domains stay, for what waits was let in by them.
    fn apply(&mut self, head: [u8; HEAD]) {
        let [a, b, _] = head;
        let applied = Settings {
            domains: self.settings.domains.clone(),
            max_hold: if a & 2 == 0 { MS * 100 } else { MS * 30 },
            clients: if b >> 6 == 0 {
                vec![ClientMatch::Clock(clock(10))].into()
            } else {
                AllowList::default()
            },
            ..settings(head)
        };
        let waiting = self.gateway.core.waiting();
        self.gateway
            .core
            .apply(applied.validated().expect("they fit"));
        assert_eq!(
            self.gateway.core.waiting(),
            waiting,
            "what waits goes on waiting"
        );
        let now = self.gateway.core.settings();
        assert_eq!(now.max_clients, self.settings.max_clients);
        assert_eq!(now.hold_frames, self.settings.hold_frames);
    }

    /// Another process goes on, where this one was.
    fn hand_over(&mut self) {
        let settings = self.gateway.core.settings().clone();
        let before = std::mem::take(&mut self.gateway.left);
        let mut next = self.gateway.handed_over(settings).expect("its own state");
        next.left = before;
        next.core.watch(Some(Arc::clone(&self.trace)));
        assert_eq!(next.core.waiting(), self.gateway.core.waiting());
        assert_eq!(next.core.clients(), self.gateway.core.clients());
        self.gateway = next;
    }

    fn hear(&mut self, side: Side, bytes: &[u8], age: u64) {
        let now = self.gateway.now;
        let passes_filter = self.kernel_passes(side, bytes);
        let at = now - age;
        let stamp = Stamp::new(ClockId::Steady, i64::try_from(at).expect("years"));
        let frame = Frame::parse(bytes);
        let outcome = self.gateway.hears_bytes(side, bytes, at, Ok(stamp));
        let Ok(frame) = frame else {
            assert!(matches!(outcome, Outcome::Dropped(_)));
            return;
        };
        if frame.message_type() == MessageType::DelayReq && side == Down {
            let kept = matches!(outcome, Outcome::Sent(_) | Outcome::Waits);
            if kept {
                self.heard
                    .insert((request(&frame), frame.destination()), at);
            }
        }
        match &outcome {
            Outcome::Sent(sent) => {
                assert!(
                    passes_filter,
                    "the kernel would drop {:?}",
                    frame.message_type()
                );
                only_allowed_octets_differ(&frame, sent);
                self.leaves(side.other(), sent, Some(frame.correction()), now);
            }
            Outcome::Waits => assert!(passes_filter, "the kernel would drop it"),
            Outcome::Dropped(Reason::SecondPath) if side == Up => {
                assert!(passes_filter, "nobody would see the second path");
            }
            Outcome::Dropped(_) => {}
        }
        self.see_what_left();
        self.gateway.assert_conserved();
    }

    fn pass(&mut self, time: Duration, in_one_step: bool) {
        if in_one_step || time > SECOND {
            self.gateway.skip(time);
        } else {
            self.gateway.pass(time);
        }
        self.see_what_left();
    }

    fn see_what_left(&mut self) {
        while let Some(left) = self.gateway.left.get(self.seen).cloned() {
            self.seen += 1;
            self.leaves(left.by, &left.bytes, None, left.at);
        }
    }

    /// A frame leaves: may it? `before` is its correctionField as it came, if that is known.
    fn leaves(&mut self, by: Side, bytes: &[u8], before: Option<i64>, now: u64) {
        let frame = Frame::parse(bytes).expect("what leaves is a frame");
        let kind = frame.message_type();
        assert_ne!(frame.major_sdo_id(), 1);
        if !self.settings.domains.is_empty() {
            assert!(self.settings.domains.contains(&frame.domain()));
        }
        let max_hold = u64::try_from(self.settings.max_hold.as_nanos()).expect("short");
        match (by, kind) {
            (Up, MessageType::DelayReq) => {
                let key = request(&frame);
                let heard = (key, frame.destination());
                let heard = self.heard.get(&heard).copied().expect("it was heard");
                assert!(
                    now - heard <= max_hold,
                    "late by {} ns",
                    now - heard - max_hold
                );
                if let Some(before) = before {
                    assert_eq!(frame.correction(), before);
                }
                self.asked.insert(key, now);
                self.answered.retain(|(exchange, _), _| *exchange != key);
            }
            (Up, MessageType::Signaling | MessageType::Management) => {}
            (Down, MessageType::DelayResp) => {
                let key = answer(&frame);
                let asked = self.asked.get(&key).copied().expect("it was asked");
                // One that waited for its stamp while the loop stood still may be late; no new one is.
                let age = now - asked;
                assert!(before.is_none() || age < 2_000_000_000, "{age} ns");
                let by_master = (key, frame.port_identity());
                // In unicast each destination counts its own sequenceIds.
                if frame.is_multicast() {
                    let twice = self.answered.insert(by_master, now);
                    assert_eq!(twice, None, "a second answer");
                }
            }
            (
                Down,
                MessageType::Sync
                | MessageType::FollowUp
                | MessageType::Announce
                | MessageType::Signaling
                | MessageType::Management,
            ) => {}
            (by, kind) => panic!("{kind} leaves by {by:?}"),
        }
        // Nothing stays for longer than this, so nothing more is ever taken out.
        let most = i64::try_from(max_hold + max_hold / 100).expect("short") << 16;
        if let Some(before) = before
            && frame.correction() != i64::MAX
        {
            let added = frame.correction() - before;
            assert!((0..=most).contains(&added), "{} ns", added >> 16);
            let corrected = matches!(kind, MessageType::DelayResp | MessageType::FollowUp);
            assert!(added == 0 || corrected, "{kind} corrected");
        }
    }

    /// Whether the kernel's filter, made for the clients of this moment, lets a frame in.
    fn kernel_passes(&mut self, side: Side, bytes: &[u8]) -> bool {
        let version = self.gateway.core.clients_version();
        if self.version != Some(version) {
            let clients: Vec<_> = self.gateway.core.client_identities().collect();
            let domains = &self.settings.domains;
            for side in [Up, Down] {
                let spec = Spec {
                    side,
                    domains: (!domains.is_empty()).then_some(domains),
                    clients: Some(&clients),
                    watch_second_path: true,
                    neighbours: None,
                    sampling: Sampling::each(0),
                    key: [7, 11, 13],
                };
                self.filters[side as usize] = fit(&spec, 4096).expect("it fits").0;
            }
            self.version = Some(version);
        }
        // The kernel takes the outermost tag out of the data.
        let mut data = bytes.to_vec();
        if matches!(data.get(12..14), Some([0x81, 0x00] | [0x88, 0xA8])) && data.len() >= 18 {
            data.drain(12..16);
        }
        let run =
            interpreter::run(&self.filters[side as usize], &data, 1).expect("a valid program");
        run.verdict != 0
    }

    /// Whoever watches is told of each drop, once.
    fn each_drop_is_told(&mut self) {
        let mut words = Vec::new();
        while let Some((step, _)) = self.trace.take(&mut words) {
            self.drops_told += u64::from(matches!(step.what, What::Dropped { .. }));
        }
        let counters = self.gateway.core.counters();
        let of = |reason| counters.dropped_for(reason);
        let dropped: u64 = Reason::ALL.iter().map(|&reason| of(reason)).sum();
        assert_eq!((self.drops_told, self.trace.lost()), (dropped, 0));
    }

    /// In the end nothing waits any more.
    fn end(&mut self) {
        self.pass(MS * 200, false);
        self.gateway.stamp_all();
        self.pass(MS * 20, false);
        assert_eq!(self.gateway.core.waiting(), 0, "something waits for ever");
        self.each_drop_is_told();
        self.gateway.assert_conserved();
    }
}

fn request(frame: &Frame<'_>) -> Exchange {
    (
        frame.port_identity(),
        frame.sequence_id(),
        frame.domain(),
        frame.major_sdo_id(),
        frame.lane(),
    )
}

fn answer(frame: &Frame<'_>) -> Exchange {
    (
        frame.requesting_port().expect("a Delay_Resp"),
        frame.sequence_id(),
        frame.domain(),
        frame.major_sdo_id(),
        frame.lane(),
    )
}

/// correctionField, twoStepFlag and the UDP checksum may change; the rest stays.
fn only_allowed_octets_differ(before: &Frame<'_>, sent: &[u8]) {
    let ptp = before.layout().ptp_offset();
    let udp = before.lane().transport() != ptpproxy::wire::Transport::Ethernet;
    let bytes = before.bytes();
    assert_eq!(bytes.len(), sent.len());
    for (at, (old, new)) in bytes.iter().zip(sent).enumerate() {
        let correction = (ptp + 8..ptp + 16).contains(&at);
        let flags = at == ptp + 6 && old | 2 == *new;
        let checksum = udp && (ptp - 2..ptp).contains(&at);
        assert!(old == new || correction || flags || checksum, "octet {at}");
    }
}
