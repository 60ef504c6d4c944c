//! What passes the gateways' own interfaces, captured beside them by another program: how long a gateway kept a message, by
//! nothing that the gateway says.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
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
/// It reads what the kernel has for it each quarter of a second.
const READ: Duration = Duration::from_secs(1);

/// Captures on each interface of both gateways.
pub(super) struct Witness {
    captures: Vec<Process>,
    folder: TempDir,
}

/// Which message: of what kind, whose, and its sequenceId.
type Key = (Kind, u32, u16);

/// Where one gateway had each message.
#[derive(Default)]
struct Passed {
    arrived: HashMap<Key, i64>,
    departed: HashMap<Key, i64>,
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
                let log = File::create(path.with_extension("log")).unwrap();
                let mut command = Command::new(&dumpcap);
                command.args(["-q", "-p", "-P", "-i", interface, "-f", filter, "-w"]);
                command.arg(&path).stdin(Stdio::null());
                command.stdout(Stdio::null()).stderr(log);
                captures.push(home.spawn(&mut command).unwrap());
                // It makes its file when it hears the interface.
                let started = Instant::now();
                while !path.is_file() {
                    let said = || std::fs::read_to_string(path.with_extension("log"));
                    assert!(started.elapsed() < PATIENCE, "{:?}", said());
                    sleep(Duration::from_millis(10));
                }
            }
        }
        Some(Self { captures, folder })
    }

    /// Ends the captures, and reads them.
    pub(super) fn tells(mut self) -> Sightings {
        sleep(READ);
        for capture in &mut self.captures {
            let ended = capture.stop(PATIENCE).unwrap();
            assert!(ended.success(), "{ended}");
        }
        let all = Sightings([0, 1].map(|gateway| {
            let mut passed = Passed::default();
            for (interface, _) in FILTERS {
                let name = file_name(gateway, interface);
                for (at, frame) in capture_files::frames(self.folder.path(), &name).unwrap() {
                    passed.note(interface, at.try_into().unwrap(), &frame);
                }
            }
            passed
        }));
        let departed: usize = all.0.iter().map(|passed| passed.departed.len()).sum();
        assert!(departed > 0, "nothing left a gateway");
        all
    }
}

impl Passed {
    /// The first copy counts.
    fn note(&mut self, interface: &str, at: i64, frame: &[u8]) {
        let Sight::Message(view) = View::of(frame, ETHERNET) else {
            return;
        };
        let Some(message) = Message::of(view, at) else {
            return;
        };
        let number = message.source.map_or(0, |source| source.number);
        let inward = (message.kind == Kind::Sync) == (interface == UP);
        let map = if inward {
            &mut self.arrived
        } else {
            &mut self.departed
        };
        let number = if message.kind == Kind::Sync {
            0
        } else {
            number
        };
        map.entry((message.kind, number, message.sequence))
            .or_insert(at);
    }
}

/// The way of a message, by the kernel's stamps: nanoseconds.
pub(super) struct Way {
    /// From the sender to the gateway, and from the gateway to the receiver.
    on_cables: [i64; 2],
    /// How much longer than its correction says the gateway had it.
    pub(super) uncorrected: i64,
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
    /// The way of this message: of all gateways that sent a copy, through the one whose correction is furthest off. `None` if
    /// none did, or one that was not seen to have got it.
    pub(super) fn way(&self, far: &FarOff) -> Option<Way> {
        let key = (far.kind, u32::from(far.client), far.sequence);
        let ways: Option<Vec<_>> = (self.0.iter())
            .filter_map(|passed| Some((passed, passed.departed.get(&key)?)))
            .map(|(passed, departed)| {
                let arrived = passed.arrived.get(&key)?;
                Some(Way {
                    on_cables: [arrived - far.departed, far.arrived - departed],
                    uncorrected: departed - arrived - far.correction,
                })
            })
            .collect();
        ways?.into_iter().max_by_key(|way| way.uncorrected.abs())
    }
}
