//! What passes the gateways' own interfaces, captured beside them by another program: how long a gateway kept a message, by
//! nothing that the gateway says.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::view::{Sight, View};
use ptpproxy_lab::net::Process;
use ptpproxy_lab::ptp4l::TempDir;
use testkit::capture_files;
use testkit::segments::Switched;

use crate::host::{ETHERNET, Message};
use crate::installed;
use crate::proxy::{DOWN, UP};
use crate::strict_client::FarOff;

/// Event messages on their way into a gateway, and out of one. Sync is type 0, Delay_Req type 1.
const FILTERS: [(&str, &str); 2] = [
    (
        UP,
        "ether proto 0x88f7 and ((inbound and ether[14] & 15 = 0) or (outbound and ether[14] & 15 = 1))",
    ),
    (
        DOWN,
        "ether proto 0x88f7 and ((inbound and ether[14] & 15 = 1) or (outbound and ether[14] & 15 = 0))",
    ),
];
/// A capture has begun, or ended, by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// dumpcap writes what it has each quarter of a second; by then it has.
const WRITTEN: Duration = Duration::from_secs(1);
/// A correction is no further off, by the kernel's own timestamps of what passed the gateway.
const EXACT_NS: i64 = 200_000;

/// Captures on each interface of both gateways.
pub(super) struct Witness {
    captures: Vec<Process>,
    folder: TempDir,
}

/// Which message: of what kind, whose (of a Sync 0), and its sequenceId.
type Key = (Kind, u32, u16);

/// When one gateway had copies of each message.
#[derive(Default)]
struct Passed {
    arrived: HashMap<Key, Vec<i64>>,
    departed: HashMap<Key, Vec<i64>>,
}

/// What both saw.
pub(super) struct Sightings([Passed; 2]);

fn file_name(gateway: usize, interface: &str) -> String {
    format!("{gateway}-{interface}.pcap")
}

impl Witness {
    /// Starts all; `None`, and a line that says so, without dumpcap.
    pub(super) fn start(network: &Switched) -> Option<Self> {
        let dumpcap = installed::find("dumpcap", "wireshark-common")?;
        let folder = TempDir::new().unwrap();
        let mut captures = Vec::new();
        for (n, home) in network.gateways.iter().enumerate() {
            for (interface, filter) in FILTERS {
                let path = folder.path().join(file_name(n, interface));
                let log = path.with_extension("log");
                let mut command = Command::new(&dumpcap);
                command.args(["-q", "-p", "-P", "-i", interface, "-f", filter, "-w"]);
                command.arg(&path).stdin(Stdio::null());
                command
                    .stdout(Stdio::null())
                    .stderr(File::create(&log).unwrap());
                captures.push(home.spawn(&mut command).unwrap());
                // It makes its file when it hears the interface.
                let started = Instant::now();
                while !path.is_file() {
                    let said = || fs::read_to_string(&log);
                    assert!(started.elapsed() < PATIENCE, "{:?}", said());
                    sleep(Duration::from_millis(10));
                }
            }
        }
        Some(Self { captures, folder })
    }

    /// Ends the captures, which are whole, and reads them.
    pub(super) fn read(mut self) -> Sightings {
        sleep(WRITTEN);
        for capture in &mut self.captures {
            let ended = capture.stop(PATIENCE).unwrap();
            assert!(ended.success(), "{ended}");
        }
        Sightings([0, 1].map(|gateway| {
            let mut passed = Passed::default();
            for (interface, _) in FILTERS {
                let name = file_name(gateway, interface);
                let log = self.folder.path().join(&name).with_extension("log");
                let log = fs::read_to_string(log).unwrap();
                let lost = log.lines().find_map(lost_packets);
                assert_eq!(lost, Some(0), "{log}");
                let frames = capture_files::frames(self.folder.path(), &name).unwrap();
                assert!(!frames.is_empty(), "nothing passed {interface}: {log}");
                for (at, frame) in frames {
                    passed.note(interface, at.try_into().unwrap(), &frame);
                }
            }
            passed
        }))
    }
}

/// Of dumpcap's line at its end, `Packets received/dropped on interface 'up0': 812/0 (pcap:0/...`, the packets dropped.
fn lost_packets(line: &str) -> Option<u64> {
    let (_, counts) = line.split_once("received/dropped on interface ")?;
    let (_, dropped) = counts.split_once(": ")?.1.split_once('/')?;
    dropped.split_whitespace().next()?.parse().ok()
}

impl Passed {
    fn note(&mut self, interface: &str, at: i64, frame: &[u8]) {
        let Sight::Message(view) = View::of(frame, ETHERNET) else {
            return;
        };
        let Some(message) = Message::of(view, at) else {
            return;
        };
        let (number, inward) = match message.kind {
            Kind::Sync => (0, interface == UP),
            _ => (
                message.source.map_or(0, |source| source.number),
                interface == DOWN,
            ),
        };
        let times = if inward {
            &mut self.arrived
        } else {
            &mut self.departed
        };
        let key = (message.kind, number, message.sequence);
        times.entry(key).or_default().push(at);
    }
}

/// The way of a message, by the kernel's timestamps: nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// From the sender to the gateway, and from the gateway to the receiver.
    on_cables: [i64; 2],
    /// How much longer than its correction says the gateway had it.
    uncorrected: i64,
}

impl Way {
    /// Whether the gateway is right, and what is wrong was added by a switch: that can only delay.
    pub(super) fn is_late_on_a_cable(&self) -> bool {
        self.uncorrected.abs() < EXACT_NS && self.on_cables.iter().all(|&ns| ns >= 0)
    }
}

impl Display for Way {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (error, [before, after]) = (self.uncorrected, self.on_cables);
        write!(
            to,
            "{before} ns to a gateway, {error} ns uncorrected in it, {after} ns from it"
        )
    }
}

impl Sightings {
    /// The way of this message: of all copies that a gateway got and sent, the one whose correction is furthest off.
    ///
    /// # Errors
    /// When no gateway sent it, or one did that was not seen to get it.
    pub(super) fn way(&self, far: &FarOff) -> Result<Way, &'static str> {
        let key = (far.kind, u32::from(far.client), far.sequence);
        let mut worst: Option<Way> = None;
        for passed in &self.0 {
            let times = |map: &HashMap<_, Vec<i64>>| map.get(&key).cloned().unwrap_or_default();
            let (arrived, departed) = (times(&passed.arrived), times(&passed.departed));
            if arrived.is_empty() && !departed.is_empty() {
                return Err("a gateway sent it that never got it");
            }
            for (&to, &from) in
                (arrived.iter()).flat_map(|to| departed.iter().map(move |from| (to, from)))
            {
                let way = Way {
                    on_cables: [to - far.departed, far.arrived - from],
                    uncorrected: from - to - far.correction,
                };
                if worst.is_none_or(|worst| way.uncorrected.abs() > worst.uncorrected.abs()) {
                    worst = Some(way);
                }
            }
        }
        worst.ok_or("no gateway sent it")
    }
}
