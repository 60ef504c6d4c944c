//! Signed messages between real ptp4l at both ends: verified, held, corrected, and accepted by whoever has the key.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::{
    Gateway, Program, Rig, Role, Sample, Servo, StateChange, TempDir, Transport, find_signing,
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
    let mut rig = Rig::new(gateway, transport).unwrap();
    rig.ptp4l = Some(ptp4l.to_owned());
    rig.more = more;
    rig
}

/// A client that prints what it measures. (This ptp4l reaches SLAVE only where it may set the clock.)
const MEASURES: Role = Role::Client(Servo::Measure);

/// Waits until a client measures.
fn wait_until_it_measures(client: &mut Program) {
    client
        .wait_for("sample", PATIENCE * 4, Sample::parse)
        .unwrap();
}

/// What a client measures in some seconds: medians of path delay and offset.
fn measures(client: &mut Program, case: &str) -> (i64, i64) {
    wait_until_it_measures(client);
    let from = client.line_count();
    std::thread::sleep(Duration::from_secs(4));
    let lines = client.lines_from(from);
    let changes: Vec<StateChange<'_>> =
        lines.iter().filter_map(|l| StateChange::parse(l)).collect();
    assert_eq!(changes, [], "{case}: it keeps its master");
    let samples: Vec<Sample> = lines.iter().filter_map(|l| Sample::parse(l)).collect();
    assert!(samples.len() > 40, "{case}: {} samples", samples.len());
    let delay = median(samples.iter().map(|sample| sample.path_delay_ns));
    let offset = median(samples.iter().map(|sample| sample.offset_ns));
    println!("{case}: path delay {delay} ns, offset {offset} ns");
    (delay, offset)
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

/// Over each transport, with `allow_mutable` and without: what a client measures through the gateway is what it measures
/// without signatures, also where each request is held for up to 20 ms.
#[test]
fn clients_lock_and_measure_as_without_signatures() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        for transport in [Transport::Ethernet, Transport::Udp4, Transport::Udp6] {
            let plain = {
                let rig = rig(&ptpproxy(&HOLDS), transport, &ptp4l, String::new());
                let _grandmaster = rig.start_grandmaster().unwrap();
                let mut client = rig.start_client(MEASURES).unwrap();
                measures(&mut client, &format!("{} unsigned", transport.label())).0
            };
            for key in [KEY, KEY.mutable()] {
                let case = format!(
                    "{} allow_mutable {}",
                    transport.label(),
                    u8::from(key.mutable)
                );
                let keys = Keys::new(&folder, "sa.cfg", &key.file());
                let options = [
                    &HOLDS[..],
                    &["--sa-file", keys.name(), "--require-authentication", "both"],
                ]
                .concat();
                let mut rig = rig(&ptpproxy(&options), transport, &ptp4l, keys.of_ptp4l(key));
                let grandmaster = rig.start_grandmaster().unwrap();
                let mut client = rig.start_client(MEASURES).unwrap();
                let (delay, _) = measures(&mut client, &case);
                drop((client, grandmaster));
                let lines = totals(&mut rig);
                none_refused(&lines, &case);
                assert!(counted(&lines, "held") > 40, "{case}: {lines:#?}");
                assert!(counted(&lines, "verified") > 200, "{case}: {lines:#?}");
                assert_eq!(
                    counted(&lines, "signed") > 100,
                    !key.mutable,
                    "{case}: {lines:#?}"
                );
                assert!(
                    delay < plain * 3 / 2 + 1_000,
                    "{case}: {delay} ns instead of {plain} ns"
                );
            }
        }
    });
}

/// `allow_mutable 1` and no key here: corrected all the same. With `--authenticated pass` it would not be.
#[test]
fn without_keys_what_may_change_is_held_and_corrected() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let key = KEY.mutable();
        let keys = Keys::new(&folder, "sa.cfg", &key.file());
        let options = [&HOLDS[..], &["--authenticated", "mutable"]].concat();
        let mut rig = rig(
            &ptpproxy(&options),
            Transport::Udp4,
            &ptp4l,
            keys.of_ptp4l(key),
        );
        let grandmaster = rig.start_grandmaster().unwrap();
        let mut client = rig.start_client(MEASURES).unwrap();
        let (delay, _) = measures(&mut client, "mutable");
        assert!(delay < 1_000_000, "{delay} ns: holds of 20 ms would show");
        assert!(
            !client
                .lines_from(0)
                .iter()
                .any(|line| line.contains("auth: "))
        );
        drop((client, grandmaster));
        let lines = totals(&mut rig);
        assert!(counted(&lines, "held") > 40, "{lines:#?}");
        assert_eq!(counted(&lines, "authenticated"), 0, "{lines:#?}");
    });
}

/// A client with the wrong key, and one with a key that nobody else has: nothing of theirs reaches the grandmaster.
#[test]
fn who_has_another_key_is_not_served() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let ours = Keys::new(&folder, "sa.cfg", &KEY.file());
        let wrong = Key {
            secret: "another-secret",
            ..KEY
        };
        for (key, reason) in [(wrong, "bad-icv"), (Key { id: 9, ..KEY }, "unknown-key")] {
            let options = ["--sa-file", ours.name(), "--require-authentication", "both"];
            let mut rig = rig(
                &ptpproxy(&options),
                Transport::Ethernet,
                &ptp4l,
                ours.of_ptp4l(KEY),
            );
            let grandmaster = rig.start_grandmaster().unwrap();
            // It hears the grandmaster by the right key, and asks by its own.
            let text = if key == wrong {
                wrong.file()
            } else {
                let right = KEY.file();
                format!("{right}{} SHA256-128 ASCII:{}\n", key.id, key.secret)
            };
            let theirs = Keys::new(&folder, "theirs.cfg", &text);
            rig.more = theirs.of_ptp4l(key);
            let client = rig.start_client(MEASURES).unwrap();
            std::thread::sleep(Duration::from_secs(4));
            let measured = client
                .lines_from(0)
                .iter()
                .any(|line| Sample::parse(line).is_some());
            assert!(!measured, "{reason}: it was served");
            drop((client, grandmaster));
            let lines = totals(&mut rig);
            if reason == "unknown-key" {
                assert!(counted(&lines, reason) > 10, "{lines:#?}");
            }
            assert_eq!(counted(&lines, "answered"), 0, "{lines:#?}");
        }
    });
}

/// Keys are exchanged while everything runs: no exchange is lost until the old key's end, and none passes after it.
#[test]
fn keys_are_exchanged_under_way() {
    in_sandbox!({
        let Some(ptp4l) = signing() else { return };
        let folder = TempDir::new().unwrap();
        let next = Key {
            id: 2,
            secret: "next-secret",
            ..KEY
        };
        let only = |key: Key| key.file();
        let both = format!(
            "{}{} SHA256-128 ASCII:{}\n",
            KEY.file(),
            next.id,
            next.secret
        );
        let ends = Keys::new(&folder, "ends.cfg", &both);
        let ours = Keys::new(&folder, "sa.cfg", &only(KEY));
        let options = [
            &HOLDS[..],
            &["--sa-file", ours.name(), "--require-authentication", "both"],
        ]
        .concat();
        let mut rig = rig(
            &ptpproxy(&options),
            Transport::Udp6,
            &ptp4l,
            ends.of_ptp4l(KEY),
        );
        let grandmaster = rig.start_grandmaster().unwrap();
        let mut client = rig.start_client(MEASURES).unwrap();
        wait_until_it_measures(&mut client);
        let gateway = rig.program.as_mut().unwrap();
        let mut reload = |text: &str, said: &str| {
            ours.write(text);
            gateway.signal(libc::SIGHUP).unwrap();
            gateway.wait_for_words(said, PATIENCE).unwrap();
        };
        reload(&both, "reloaded: keys: 1 added, 1 kept");
        for _ in 0..10 {
            reload(&only(KEY), "reloaded: keys: 1 removed, 1 kept");
            std::thread::sleep(Duration::from_millis(100));
            reload(&both, "reloaded: keys: 1 added, 1 kept");
            std::thread::sleep(Duration::from_millis(100));
        }
        measures(&mut client, "after eleven reloads");
        let gateway = rig.program.as_mut().unwrap();
        let refused = |line: &String| line.contains("dropping (");
        assert!(!gateway.lines_from(0).iter().any(refused));
        // The end of the old key: both ends still sign with it.
        ours.write(&only(next));
        gateway.signal(libc::SIGHUP).unwrap();
        gateway
            .wait_for_words("reloaded: keys: 1 removed, 1 kept", PATIENCE)
            .unwrap();
        std::thread::sleep(Duration::from_secs(1));
        let from = client.line_count();
        std::thread::sleep(Duration::from_secs(1));
        let samples = client.lines_from(from);
        assert!(
            !samples.iter().any(|line| Sample::parse(line).is_some()),
            "{samples:#?}"
        );
        drop((client, grandmaster));
        let lines = totals(&mut rig);
        assert!(counted(&lines, "old-key") > 20, "{lines:#?}");
        assert_eq!(
            counted(&lines, "unknown-key")
                + counted(&lines, "bad-icv")
                + counted(&lines, "replayed"),
            0,
            "{lines:#?}"
        );
        // Those that were open when the key ended.
        assert!(counted(&lines, "unanswered") <= 4, "{lines:#?}");
    });
}
