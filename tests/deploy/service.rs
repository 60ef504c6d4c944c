//! The installed service under a real systemd, booted in namespaces of its own: its sandbox in force, a
//! real client locks; it reloads, the watchdog ends it when it stands still, and it stops in order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use ptpproxy_lab::ptp4l::{Program, Rig, Role, Servo, TempDir};

use crate::tools::{text, top};

const PATIENCE: Duration = Duration::from_secs(30);

/// A booted systemd; it and all that it started end when this is dropped.
pub(crate) struct Booted<'a> {
    rig: &'a Rig,
    program: Program,
    folder: TempDir,
}

impl<'a> Booted<'a> {
    /// Starts this unit: the installed one, or that of a folder.
    pub(crate) fn new(rig: &'a Rig, unit: &str, units: Option<&Path>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("unshare");
        command
            .args([
                "--kill-child",
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--cgroup",
                "--fork",
            ])
            .arg(top().join("tests/deploy/boot.sh"))
            .arg(folder.path().join("log"))
            .arg(unit)
            .args(units);
        let program = Program::start(&rig.gateway, &mut command).unwrap();
        Self {
            rig,
            program,
            folder,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until the service has logged this so often.
    fn wait_for(&self, what: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(what).count() < times {
            let said = self.program.lines_from(0);
            assert!(
                Instant::now() < deadline,
                "no {what:?}: {}\n{said:#?}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its process, as this machine numbers it, once there is one.
    fn systemd(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let children = format!("/proc/{0}/task/{0}/children", self.program.id());
            let children = fs::read_to_string(children).unwrap_or_default();
            if let Some(first) = children.split_whitespace().next() {
                return first.to_owned();
            }
            let said = self.program.lines_from(0);
            assert!(Instant::now() < deadline, "it does not start: {said:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn systemctl(&self, arguments: &[&str]) -> Output {
        let systemd = self.systemd();
        let mut command = Command::new("nsenter");
        command
            .args([
                "--target",
                systemd.as_str(),
                "--mount",
                "--pid",
                "systemctl",
                "--no-pager",
            ])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // By way of a namespace, which is what can start programs that do not outlive the test.
        let mut process = self.rig.gateway.spawn(&mut command).unwrap();
        let stdout = std::io::read_to_string(process.stdout.take().unwrap()).unwrap();
        let stderr = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
        Output {
            status: process.wait().unwrap(),
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
        }
    }

    fn show(&self, property: &str) -> String {
        self.show_of("ptpproxy", property)
    }

    fn show_of(&self, unit: &str, property: &str) -> String {
        let shown = self.systemctl(&["show", "--value", "--property", property, unit]);
        String::from_utf8_lossy(&shown.stdout).trim().to_owned()
    }

    /// Waits until a property of the service is fit.
    fn wait_until(&self, property: &str, fit: impl Fn(&str) -> bool) {
        self.wait_until_of("ptpproxy", property, fit);
    }

    /// The same of any unit.
    pub(crate) fn wait_until_of(&self, unit: &str, property: &str, fit: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.show_of(unit, property);
            if fit(&value) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{property}={value}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The service's process, as this machine numbers it.
    fn process(&self) -> PathBuf {
        let all = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        let ours = |path: &PathBuf| {
            let line = fs::read(path.join("cmdline")).unwrap_or_default();
            line.starts_with(b"/usr/bin/ptpproxy\0--config\0")
        };
        all.into_iter().find(ours).expect("it runs")
    }
}

/// Boots, serves a client of the rig's grandmaster, and goes through the life of the service.
pub(crate) fn lives(rig: &Rig, config: &str) {
    let booted = Booted::new(rig, "ptpproxy.service", None);
    booted.wait_for("forwarding:", 1);
    booted.wait_until("ActiveState", |state| state == "active");
    let process = booted.process();
    let status = fs::read_to_string(process.join("status")).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapBnd:\t0000000000002000"] {
        assert!(status.contains(line), "no {line} in {status}");
    }

    let _grandmaster = rig.start_grandmaster().unwrap();
    let mut client = rig.start_client(Role::Client(Servo::Lock)).unwrap();
    client.wait_until_slave().unwrap();
    booted.wait_until("StatusText", |status| status.ends_with("1 client"));

    let good = fs::read_to_string(config).unwrap();
    fs::write(config, format!("{good}\njitter = \"7ms\"\n")).unwrap();
    let reloaded = booted.systemctl(&["reload", "ptpproxy"]);
    assert!(reloaded.status.success(), "{}", text(&reloaded));
    booted.wait_for("jitter 20ms -> 7ms", 1);
    fs::write(config, "nonsense\n").unwrap();
    let refused = booted.systemctl(&["reload", "ptpproxy"]);
    assert!(!refused.status.success(), "a bad file is told");
    fs::write(config, good).unwrap();
    assert_eq!(booted.show("ActiveState"), "active");
    assert_eq!(booted.show("NRestarts"), "0");

    restarts_without_loss(&booted, &client);
    let process = booted.process();

    // It stands still: the watchdog ends it, and it is started again.
    let pid = process.file_name().unwrap().to_str().unwrap().to_owned();
    let stopped = Command::new("kill").args(["-STOP", &pid]).status().unwrap();
    assert!(stopped.success());
    booted.wait_until("NRestarts", |restarts| restarts == "1");
    booted.wait_for("forwarding:", 3);
    booted.wait_until("ActiveState", |state| state == "active");
    assert_eq!(
        booted.log().matches(TAKEN_OVER).count(),
        1,
        "nobody handed anything over"
    );

    refuses_a_second_by_hand(&booted, config);
    let stopped = booted.systemctl(&["stop", "ptpproxy"]);
    assert!(stopped.status.success(), "{}", text(&stopped));
    assert_eq!(booted.show("Result"), "success");
    assert!(
        booted.log().contains("\nframes "),
        "its totals: {}",
        booted.log()
    );
    is_refused_beside_one_by_hand(&booted, config);
    gives_up(&booted, config);
}

/// What one says that goes on where another was.
const TAKEN_OVER: &str = "taking over from process ";

/// The next process goes on where the one before was; the client notices nothing.
fn restarts_without_loss(booted: &Booted<'_>, client: &Program) {
    let lines = client.lines_from(0).len();
    let counted = |log: &str| log.matches("\nframes ").count();
    let restarted = booted.systemctl(&["restart", "ptpproxy"]);
    assert!(restarted.status.success(), "{}", text(&restarted));
    booted.wait_for(TAKEN_OVER, 1);
    let log = booted.log();
    assert!(log.contains(": 1 clients, "), "{log}");
    assert!(!log.contains("cold start"), "{log}");
    assert!(
        counted(&log) > 0,
        "the one before has printed what it counted"
    );
    booted.wait_until("StatusText", |status| status.ends_with("1 client"));
    assert_eq!(
        booted.show("NFileDescriptorStore"),
        "0",
        "none is left there"
    );
    // Announces are missed after three intervals.
    std::thread::sleep(Duration::from_secs(4));
    let said = client.lines_from(lines).concat();
    for state in ["LISTENING", "UNCALIBRATED", "FAULTY"] {
        assert!(!said.contains(state), "{said}");
    }
}

/// What the second of two gateways says.
const STOP_IT: &str = "stop it first";

fn by_hand(config: &str) -> Command {
    let mut command = Command::new("/usr/bin/ptpproxy");
    command.args(["--config", config, "--control", "off"]);
    command
}

/// Beside the service none starts by hand.
fn refuses_a_second_by_hand(booted: &Booted<'_>, config: &str) {
    let mut command = by_hand(config);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut second = booted.rig.gateway.spawn(&mut command).unwrap();
    let errors = std::io::read_to_string(second.stderr.take().unwrap()).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1), "{errors}");
    assert!(errors.contains(STOP_IT), "{errors}");
    assert_eq!(booted.show("ActiveState"), "active");
}

/// Nor the service beside one that was started by hand: it names its process.
fn is_refused_beside_one_by_hand(booted: &Booted<'_>, config: &str) {
    let first = Program::start(&booted.rig.gateway, &mut by_hand(config)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !first.lines_from(0).concat().contains("forwarding:") {
        assert!(Instant::now() < deadline, "{:#?}", first.lines_from(0));
        std::thread::sleep(Duration::from_millis(50));
    }
    let started = booted.systemctl(&["start", "ptpproxy"]);
    assert!(!started.status.success(), "{}", text(&started));
    let refusal = format!("process {} ", first.id());
    let log = booted.log();
    let refused = log
        .lines()
        .any(|line| line.contains(STOP_IT) && line.contains(&refusal));
    assert!(refused, "{refusal:?} in {log}");
    // It would be started again when that one has gone.
    let stopped = booted.systemctl(&["stop", "ptpproxy"]);
    assert!(stopped.status.success(), "{}", text(&stopped));
}

/// Without `wait` an interface that is not there ends the service for good, after five tries.
fn gives_up(booted: &Booted<'_>, config: &str) {
    const MISSING: &str = "nosuch0";
    let good = fs::read_to_string(config).unwrap();
    assert!(good.contains("up = \"gm0\""), "{good}");
    fs::write(config, good.replace("\"gm0\"", "\"nosuch0\"")).unwrap();
    // Earlier starts count as well.
    assert!(booted.systemctl(&["reset-failed"]).status.success());
    assert!(!booted.systemctl(&["start", "ptpproxy"]).status.success());
    booted.wait_until("ActiveState", |state| state == "failed");
    let tries = booted.log().matches(MISSING).count();
    assert_eq!(tries, 5, "{}", booted.log());
    fs::write(config, good).unwrap();
}
