//! The installed service under a real systemd, booted in namespaces of its own: its sandbox in force, a
//! real client locks; it reloads, the watchdog ends it when it stands still, and it stops in order.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ptpproxy_lab::ptp4l::{Program, Rig, Role, Servo};
use testkit::booted::Booted;

use crate::tools::text;

const PATIENCE: Duration = Duration::from_secs(30);

/// Boots, serves a client of the rig's grandmaster, and goes through the life of the service.
pub(crate) fn lives(rig: &Rig, config: &str) {
    let booted = Booted::new(&rig.gateway, "ptpproxy.service", None);
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

    refuses_a_second_by_hand(rig, &booted, config);
    let stopped = booted.systemctl(&["stop", "ptpproxy"]);
    assert!(stopped.status.success(), "{}", text(&stopped));
    assert_eq!(booted.show("Result"), "success");
    assert!(
        booted.log().contains("\nframes "),
        "its totals: {}",
        booted.log()
    );
    is_refused_beside_one_by_hand(rig, &booted, config);
    goes_on_trying(&booted, config);
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
fn refuses_a_second_by_hand(rig: &Rig, booted: &Booted<'_>, config: &str) {
    let mut command = by_hand(config);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut second = rig.gateway.spawn(&mut command).unwrap();
    let errors = std::io::read_to_string(second.stderr.take().unwrap()).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(1), "{errors}");
    assert!(errors.contains(STOP_IT), "{errors}");
    assert_eq!(booted.show("ActiveState"), "active");
}

/// Nor the service beside one that was started by hand: it names its process.
fn is_refused_beside_one_by_hand(rig: &Rig, booted: &Booted<'_>, config: &str) {
    let first = Program::start(&rig.gateway, &mut by_hand(config)).unwrap();
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

/// An interface that is not there, and `wait` is off: it is started again and again, and forwards when the interface has come.
fn goes_on_trying(booted: &Booted<'_>, config: &str) {
    const MISSING: &str = "nosuch0";
    let good = fs::read_to_string(config).unwrap();
    assert!(good.contains("up = \"gm0\""), "{good}");
    fs::write(config, good.replace("\"gm0\"", "\"nosuch0\"")).unwrap();
    assert!(!booted.systemctl(&["start", "ptpproxy"]).status.success());
    // A service manager gives up after five tries if nothing else was said.
    booted.wait_for(MISSING, 7);
    fs::write(config, good).unwrap();
    booted.wait_until("ActiveState", |state| state == "active");
}
