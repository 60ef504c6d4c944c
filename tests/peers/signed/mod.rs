//! Signed messages between real ptp4l at both ends: verified, held, corrected, and accepted by whoever has the key.
//!
//! [`measured`]: clients lock, and measure as without signatures; [`chain`]: two gateways in a row, and linuxptp's own
//! transparent clock beside ours; [`keys`]: wrong ones, and others while it runs; [`tampered`]: byte for byte, what nobody
//! with the key has made.

mod chain;
mod keys;
mod measured;
mod tampered;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    Ends, Gateway, Program, Rig, Role, Sample, Servo, StateChange, TempDir, Transport, find_signing,
};
use testkit::signatures::Key;

use super::{median, ptpproxy};

const KEY: Key = Key::of(3, "one-secret");
const PATIENCE: Duration = Duration::from_secs(5);
/// Held for up to 20 ms, whatever the interval of the requests.
const HOLDS: [&str; 4] = ["--jitter", "20ms", "--jitter-share", "off"];

/// The ptp4l that signs; a line that says so if there is none.
fn signing() -> Option<PathBuf> {
    let found = find_signing();
    if found.is_none() {
        skip(
            "no ptp4l of linuxptp 4.4 or later: `tests/peers/newer-linuxptp FOLDER` unpacks one, and \
             PTPPROXY_SIGNING_PTP4L=FOLDER/ptp4l names it",
        );
    }
    found
}

/// A file of keys, readable by its owner alone.
struct Keys {
    path: PathBuf,
}

impl Keys {
    fn new(folder: &TempDir, name: &str, text: &str) -> Self {
        let keys = Self {
            path: folder.path().join(name),
        };
        keys.write(text);
        keys
    }

    fn write(&self, text: &str) {
        fs::write(&self.path, text).unwrap();
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn name(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// What a ptp4l is told of them.
    fn of_ptp4l(&self, key: Key) -> String {
        let Key { spp, id, .. } = key;
        format!("sa_file {}\nspp {spp}\nactive_key_id {id}\n", self.name())
    }
}

fn rig(gateway: &Gateway, transport: Transport, ptp4l: &Path, more: String) -> Rig {
    let ptp4l = Some(ptp4l.to_owned());
    let ends = Ends {
        ptp4l,
        more,
        ..Ends::default()
    };
    Rig::with(gateway, transport, ends).unwrap()
}

/// A client whose servo locks.
const LOCKS: Role = Role::Client(Servo::Lock);

/// Waits until a client measures.
fn wait_until_it_measures(client: &mut Program) {
    client
        .wait_for("sample", PATIENCE * 4, Sample::parse)
        .unwrap();
}

/// What a client measures in some seconds after it has locked: medians of path delay and offset. It stays locked.
fn measures(client: &mut Program, case: &str) -> (i64, i64) {
    client.wait_until_slave().unwrap();
    let from = client.line_count();
    std::thread::sleep(Duration::from_secs(4));
    let lines = client.lines_from(from);
    let changes: Vec<StateChange<'_>> =
        lines.iter().filter_map(|l| StateChange::parse(l)).collect();
    assert_eq!(changes, [], "{case}: it stays SLAVE");
    let samples: Vec<Sample> = lines.iter().filter_map(|l| Sample::parse(l)).collect();
    assert!(samples.len() > 40, "{case}: {} samples", samples.len());
    let unlocked = samples.iter().filter(|sample| !sample.locked).count();
    assert_eq!(unlocked, 0, "{case}: its servo stays in s2");
    let delay = median(samples.iter().map(|sample| sample.path_delay_ns));
    let offset = median(samples.iter().map(|sample| sample.offset_ns));
    println!("{case}: path delay {delay} ns, offset {offset} ns");
    (delay, offset)
}

/// Whether a client measures anything within some seconds.
fn is_served(client: &Program) -> bool {
    std::thread::sleep(Duration::from_secs(4));
    client
        .lines_from(0)
        .iter()
        .any(|line| Sample::parse(line).is_some())
}

/// Totals of the gateway: lines of standard output at its end.
fn totals(rig: &mut Rig) -> Vec<String> {
    let mut program = rig.program.take().unwrap();
    assert!(program.stop(PATIENCE).unwrap().success());
    std::thread::sleep(Duration::from_millis(50));
    program.lines_from(0)
}

/// A count of the totals.
fn counted(lines: &[String], name: &str) -> u64 {
    let words = lines
        .iter()
        .flat_map(|line| line.split_whitespace().zip(line.split_whitespace().skip(1)));
    words
        .filter(|(word, _)| *word == name)
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum()
}

/// Requests were held: two of three, for at this load one may be read when its moment has come.
fn many_held(lines: &[String], case: &str) {
    let (held, requests) = (counted(lines, "held"), counted(lines, "delay_req"));
    assert!(requests > 40 && held > requests / 3, "{case}: {lines:#?}");
}

fn none_refused(lines: &[String], case: &str) {
    for reason in [
        "unsigned",
        "bad-authentication",
        "unknown-key",
        "old-key",
        "bad-icv",
        "replayed",
    ] {
        assert_eq!(counted(lines, reason), 0, "{case}: {reason}: {lines:#?}");
    }
}
