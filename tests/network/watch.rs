//! `ptpproxy watch`: exchanges as they happen, and dropped frames as a capture that others read.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ptpproxy::control::seen::{Seen, Watching};
use ptpproxy::wire::{ClockIdentity, PortIdentity};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::skip_without_rights;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::until;
use crate::host::{ETHERNET, Host};
use crate::installed;
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::Line;

const OPTIONS: [&str; 4] = ["--jitter", "20ms", "--jitter-share", "off"];

/// A `ptpproxy watch` that runs.
struct Watch {
    process: Child,
    lines: Receiver<String>,
}

/// How one ended.
struct Ended {
    code: Option<i32>,
    lines: Vec<String>,
    errors: String,
}

impl Watch {
    fn start(socket: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
        command.args(["watch", "--socket", socket]).args(arguments);
        Self::launch(&mut command)
    }

    fn launch(command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { process, lines }
    }

    /// The first line: it watches from now on.
    fn first(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it watches")
    }

    /// The steps that come until one is as it should be.
    fn until(&self, so: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut all = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("never, after {all:#?}"));
            let seen: Seen = serde_json::from_str(&line).expect(&line);
            let found = so(&seen);
            all.push(seen);
            if found {
                return all;
            }
        }
    }

    fn interrupt(&self) {
        let id = self.process.id().to_string();
        let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(killed.success());
    }

    fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status.code();
            }
            if Instant::now() > deadline {
                let _ = self.process.kill();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut errors = String::new();
        let mut from = self.process.stderr.take().unwrap();
        from.read_to_string(&mut errors).unwrap();
        Ended {
            code,
            lines: self.lines.iter().collect(),
            errors,
        }
    }
}

/// A client's portIdentity as text.
fn identity(client: u16) -> String {
    let [clock @ .., a, b] = Station::client(u32::from(client)).identity();
    let clock = ClockIdentity(clock);
    let port = u16::from_be_bytes([a, b]);
    PortIdentity { clock, port }.to_string()
}

/// A client asks and is answered.
fn exchange(above: &mut Host, below: &mut Host, client: u16, sequence: u16) {
    below.request(client, sequence);
    let request = above
        .expect(|m| m.kind == Kind::DelayReq && m.sequence == sequence)
        .expect("a request");
    above.answer(&request);
    below
        .expect(|m| m.kind == Kind::DelayResp && m.sequence == sequence)
        .expect("an answer");
}

/// A gateway that forwards, and its socket.
fn gateway(line: &Line, folder: &TempDir) -> (Proxy, String, Host, Host) {
    let socket = folder.path().join("gateway.sock");
    let socket = socket.to_str().unwrap().to_owned();
    let proxy = Proxy::start(
        &line.gateway,
        &[&OPTIONS[..], &["--control", &socket]].concat(),
    );
    let (mut above, below) = line.hosts(ETHERNET);
    above.introduce();
    until(&socket, "ready", |status| !status.listening);
    (proxy, socket, above, below)
}

#[test]
fn a_clients_exchanges_show_step_by_step() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let line = Line::new();
        let (proxy, socket, mut above, mut below) = gateway(&line, &folder);
        // The first answer is what makes holds begin.
        for client in [1, 2] {
            exchange(&mut above, &mut below, client, 1);
        }
        let client = identity(1);
        let watch = Watch::start(&socket, &[&client, "--json"]);
        let first: Watching = serde_json::from_str(&watch.first()).unwrap();
        assert_eq!((first.protocol, first.up.as_str()), (1, "up0"));
        for sequence in 2..6 {
            exchange(&mut above, &mut below, 2, sequence);
            exchange(&mut above, &mut below, 1, sequence);
            let steps = watch.until(|seen| {
                seen.event == "forward" && seen.message.as_deref() == Some("delay_resp")
            });
            let mine = |seen: &Seen| {
                seen.client.as_deref() == Some(client.as_str())
                    && seen.sequence_id == Some(sequence)
            };
            assert!(steps.iter().all(mine), "{steps:#?}");
            let (asked, answer) = (&steps[0], &steps[steps.len() - 1]);
            assert_eq!((asked.from.as_str(), answer.from.as_str()), ("down", "up"));
            assert_eq!(asked.sender.as_ref(), Some(&client));
            let departed = steps.iter().find(|seen| seen.event == "depart");
            let departed = departed.expect("departed");
            let residence = departed.residence_ns.expect("measured");
            assert!(departed.time_ns >= asked.time_ns);
            if let Some(hold) = asked.hold_ns {
                assert_eq!(asked.event, "wait");
                assert!(hold < 20_000_000 && residence >= hold, "{steps:#?}");
                assert_eq!(departed.late_ns, Some(residence - hold));
            }
            // By the master's rate, which differs by little.
            let correction = answer.correction_ns.expect("corrected");
            let difference = (correction - residence as f64).abs();
            assert!(difference <= 1.0 + residence as f64 * 1e-3, "{steps:#?}");
        }
        // The same request once more, while the first is open.
        below.request(1, 90);
        below.request(1, 90);
        let steps = watch.until(|seen| seen.event == "drop");
        let dropped = &steps[steps.len() - 1];
        assert_eq!(dropped.reason.as_deref(), Some("duplicate"));
        watch.interrupt();
        let ended = watch.end();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert!(ended.errors.contains("none lost"), "{}", ended.errors);

        // For people, and so many lines.
        let watch = Watch::start(&socket, &["--count", "3"]);
        assert!(watch.first().starts_with("# time"));
        exchange(&mut above, &mut below, 1, 91);
        let ended = watch.end();
        assert_eq!((ended.code, ended.lines.len()), (Some(0), 3));
        let about = ended.lines.iter().filter(|line| line.contains(&client));
        assert_eq!(about.count(), 3, "{:#?}", ended.lines);
        assert!(ended.lines[0].contains("Delay_Req"), "{:#?}", ended.lines);
        // For so long, and nothing happens.
        let ended = Watch::start(&socket, &["--seconds", "0.2s", "--json"]).end();
        assert_eq!((ended.code, ended.lines.len()), (Some(0), 1));
        // A gateway that ends.
        let watch = Watch::start(&socket, &[]);
        watch.first();
        proxy.stop();
        let ended = watch.end();
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.errors.contains("the gateway has ended"),
            "{}",
            ended.errors
        );
    });
}

#[test]
fn dropped_frames_are_a_capture_with_their_reasons() {
    in_sandbox!({
        let Some(tshark) = installed::find("tshark", "tshark") else {
            return;
        };
        let folder = TempDir::new().unwrap();
        let line = Line::new();
        let (proxy, socket, mut above, mut below) = gateway(&line, &folder);
        exchange(&mut above, &mut below, 1, 1);
        let file = folder.path().join("drops.pcapng");
        let path = file.to_str().unwrap();
        // A link in its place, wherever it leads.
        let target = folder.path().join("target");
        symlink(&target, &file).unwrap();
        let ended = Watch::start(&socket, &["--capture-drops", path]).end();
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0));
        assert!(
            ended.errors.contains("is there already"),
            "{}",
            ended.errors
        );
        assert!(!target.exists());
        fs::remove_file(&file).unwrap();

        let watch = Watch::start(&socket, &["--capture-drops", path, "--json"]);
        watch.first();
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Nobody below may be a master; one that answers twice; a stranger's request above.
        let sync = below.template(Kind::Sync, Station::client(9));
        for sequence in 2..5 {
            below.send(&sync, |draft| draft.sequence(sequence));
            below.request(1, sequence);
            let request = above.next(Kind::DelayReq).expect("a request");
            above.answer(&request);
            above.answer(&request);
            below.next(Kind::DelayResp).expect("an answer");
        }
        above.request(77, 1);
        let steps = watch.until(|seen| seen.reason.as_deref() == Some("foreign"));
        watch.interrupt();
        let ended = watch.end();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert!(
            ended.errors.contains(&format!("{} frames", steps.len())),
            "{}",
            ended.errors
        );
        assert!(steps.iter().all(|seen| seen.event == "drop"), "{steps:#?}");
        let told = steps.iter().map(|seen| {
            let interface = if seen.from == "up" { "up0" } else { "down0" };
            let reason = seen.reason.clone().unwrap();
            format!("{interface}|{}|{reason}", seen.sequence_id.unwrap())
        });
        let told: Vec<String> = told.collect();
        let of = |reason: &str| told.iter().filter(|line| line.ends_with(reason)).count();
        assert_eq!(
            (of("|master-below"), of("|duplicate"), of("|foreign")),
            (3, 3, 1),
            "{told:#?}"
        );
        assert_eq!(read(&tshark, &file), told);
        let bytes = fs::read(&file).unwrap();
        let has = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(has("sample") && has("none lost"));

        // A gateway that goes leaves a whole file.
        let other = folder.path().join("other.pcapng");
        let watch = Watch::start(&socket, &["--capture-drops", other.to_str().unwrap()]);
        watch.first();
        below.send(&sync, |draft| draft.sequence(9));
        watch.first();
        let totals = proxy.stop().totals;
        assert_eq!(totals.dropped("down", "sync", "master-below"), 4);
        let ended = watch.end();
        assert_eq!(ended.code, Some(1));
        assert_eq!(read(&tshark, &other), ["down0|9|master-below"]);
    });
}

/// What tshark reads: interface, sequenceId and comment of each packet.
fn read(tshark: &Path, file: &Path) -> Vec<String> {
    let mut command = Command::new(tshark);
    command.arg("-r").arg(file);
    command.args(["-T", "fields", "-E", "separator=|"]);
    for field in ["frame.interface_name", "ptp.v2.sequenceid", "frame.comment"] {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The socket's group may ask for the status, and not watch; a fifth may not either, and nobody is held up.
#[test]
fn who_may_watch_and_how_many() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let line = Line::new();
        let (proxy, socket, mut above, mut below) = gateway(&line, &folder);
        // None of them reads.
        let watches: Vec<Watch> = (0..4)
            .map(|_| {
                let watch = Watch::start(&socket, &["--json"]);
                watch.first();
                watch
            })
            .collect();
        let ended = Watch::start(&socket, &[]).end();
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0));
        assert!(ended.errors.contains("4 watch already"), "{}", ended.errors);
        for sequence in 1..20 {
            exchange(&mut above, &mut below, 1, sequence);
        }
        for watch in watches {
            watch.interrupt();
            assert_eq!(watch.end().code, Some(0));
        }
        // Another user, of the gateway's group.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if let Some(setpriv) = installed::find("setpriv", "util-linux") {
            let other = |arguments: &[&str]| {
                let mut command = Command::new(&setpriv);
                command.args(["--reuid", "65533", "--regid", "0", "--clear-groups"]);
                command.arg(env!("CARGO_BIN_EXE_ptpproxy")).args(arguments);
                Watch::launch(command.args(["--socket", &socket])).end()
            };
            let may = other(&["status"]);
            if may.code == Some(0) {
                let ended = other(&["watch"]);
                assert_eq!((ended.code, ended.lines.len()), (Some(1), 0));
                assert!(ended.errors.contains("uid 65533"), "{}", ended.errors);
            } else {
                skip_without_rights("only the machine's root has other users");
            }
        }
        proxy.stop();
    });
}
