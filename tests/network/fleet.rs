//! What a fleet of gateways needs: logs that the journal and programs read, and every gateway of a machine at a glance.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::TempDir;
use serde_json::Value;

use crate::proxy::{self, PATIENCE, Proxy};
use crate::segments::Line;

/// JOURNAL_STREAM as systemd sets it: standard error is the journal.
const JOURNAL: &str = r#"export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$@""#;
/// Standard error was redirected.
const ELSEWHERE: &str = r#"export JOURNAL_STREAM=1:1; exec "$@""#;

/// Starts the program by a shell that sets its environment.
fn start(line: &Line, environment: &str, arguments: &[&str]) -> Proxy {
    let program = proxy::command(arguments);
    let mut command = Command::new("bash");
    command
        .args(["-c", environment, "bash"])
        .arg(program.get_program())
        .args(program.get_args());
    Proxy::launch(&line.gateway, &mut command)
}

/// The log of a gateway whose link downstream went while it ran.
fn log_of(line: &Line, proxy: Proxy) -> Vec<String> {
    proxy.wait_for("confined");
    line.clients.set_up("eth0", false).unwrap();
    proxy.wait_for("down0: no link");
    line.clients.set_up("eth0", true).unwrap();
    let log = proxy.stop().log;
    assert!(log.len() > 3, "{log:#?}");
    log
}

#[test]
fn the_journal_gets_priorities_and_no_second_time() {
    in_sandbox!({
        let line = Line::new();
        // The kernel tells late of a new link.
        sleep(Duration::from_millis(1_500));
        let log = log_of(&line, start(&line, JOURNAL, &[]));
        for text in &log {
            let priority = if text.contains("no link") {
                "<4>"
            } else {
                "<6>"
            };
            assert!(text.starts_with(priority), "{text:?} in {log:#?}");
            assert!(!text.contains("INFO") && !text.contains("Z "), "{text}");
        }
        for start in ["<6>forwarding: up up0", "<4>down down0: no link"] {
            assert!(log.iter().any(|text| text.starts_with(start)), "{log:#?}");
        }
        // Where standard error is something else, and where text is asked for, lines have their time.
        for (environment, arguments) in [(ELSEWHERE, &[][..]), (JOURNAL, &["--log-format", "text"])]
        {
            for text in log_of(&line, start(&line, environment, arguments)) {
                assert!(text.starts_with("[20") && text.contains("Z "), "{text:?}");
            }
        }
        // The error that ends it has a priority, too.
        let ended = start(&line, JOURNAL, &["--down", "nosuch0"]).end();
        assert_eq!(ended.status.code(), Some(1));
        let error = "<3>error: no interface \"nosuch0\"";
        assert!(ended.log[0].starts_with(error), "{:#?}", ended.log);
    });
}

#[test]
fn each_line_is_a_json_object() {
    in_sandbox!({
        let line = Line::new();
        for (environment, prefix) in [(JOURNAL, "<"), (ELSEWHERE, "{")] {
            let log = log_of(&line, start(&line, environment, &["--log-format", "json"]));
            let mut warned = false;
            for text in &log {
                assert!(text.starts_with(prefix), "{text}");
                let object = text.trim_start_matches(['<', '>', '4', '6']);
                let object: Value = serde_json::from_str(object).unwrap();
                let of = |key: &str| object[key].as_str().unwrap_or_default();
                assert!(
                    of("time").ends_with('Z') && of("time").len() == 27,
                    "{text}"
                );
                assert!(["info", "warn"].contains(&of("level")), "{text}");
                assert!(of("target").starts_with("ptpproxy"), "{text}");
                assert!(!of("message").is_empty(), "{text}");
                let link = ("link", "warn", "down", "down0");
                warned |= link == (of("event"), of("level"), of("side"), of("interface"))
                    && of("remedy").contains("check the cable");
            }
            assert!(warned, "{log:#?}");
        }
        let quiet = ["--down", "nosuch0", "--log-format", "json", "--log", "off"];
        let ended = start(&line, ELSEWHERE, &quiet).end();
        assert_eq!((ended.status.code(), ended.log.len()), (Some(1), 1));
        let object: Value = serde_json::from_str(&ended.log[0]).unwrap();
        assert_eq!(
            (&object["level"], &object["event"]),
            (&"error".into(), &"fatal".into())
        );
    });
}

#[test]
fn every_gateway_of_the_machine_is_shown_at_once() {
    in_sandbox!({
        let line = Line::new();
        let folder = TempDir::new().unwrap();
        let look = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
            command
                .args(["status", "--all"])
                .args(arguments)
                .env("RUNTIME_DIRECTORY", folder.path())
                .stdin(Stdio::null());
            let output = line.gateway.run(|| command.output().unwrap()).unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (
                output.status.code(),
                text(output.stdout),
                text(output.stderr),
            )
        };
        let (code, text, errors) = look(&[]);
        assert_eq!((code, text.as_str()), (Some(1), ""));
        assert!(errors.contains("is ptpproxy running?"), "{errors}");
        let start = |name: &str, domain: &str| {
            let place = folder.path().join(name);
            let place = place.to_str().unwrap();
            Proxy::start(&line.gateway, &["--control", place, "--domain", domain])
        };
        let (one, two) = (start("one.sock", "1"), start("two.sock", "2"));
        // Nothing is wrong before a master should have been seen.
        let deadline = Instant::now() + PATIENCE;
        let text = loop {
            let (code, text, _) = look(&[]);
            if code == Some(0) {
                break text;
            }
            assert!(Instant::now() < deadline, "{text}");
            sleep(Duration::from_millis(50));
        };
        assert!(text.ends_with("2 gateways: all well\n"), "{text}");
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        for proxy in [&one, &two] {
            let process = proxy.id().to_string();
            let row = ["up0-down0", "well", &process];
            assert!(rows.iter().any(|cells| cells.starts_with(&row)), "{text}");
        }
        // One that has no socket is found all the same.
        let hidden = Proxy::start(&line.gateway, &["--domain", "3"]);
        let (code, text, _) = look(&["--json"]);
        assert_eq!(code, Some(1), "{text}");
        let list: Value = serde_json::from_str(&text).unwrap();
        let list = list.as_array().unwrap();
        assert_eq!(list.len(), 3, "{text}");
        let find = |proxy: &Proxy| {
            let process = u64::from(proxy.id());
            let mut list = list.iter();
            list.find(|member| member["process"] == process).unwrap()
        };
        assert!(
            find(&one)["socket"]
                .as_str()
                .unwrap()
                .ends_with("/one.sock")
        );
        assert_eq!(find(&one)["status"]["pid"], one.id());
        let member = find(&hidden);
        assert_eq!(
            (&member["well"], &member["up"]),
            (&false.into(), &"up0".into())
        );
        assert!(
            member["error"]
                .as_str()
                .unwrap()
                .contains("no control socket")
        );
        hidden.stop();
        // One that was killed left its socket behind.
        two.stop_by(libc::SIGKILL);
        let (code, text, _) = look(&[]);
        assert_eq!(code, Some(1), "{text}");
        assert!(
            text.contains("two.sock: the gateway that made this socket has gone"),
            "{text}"
        );
        one.stop();
    });
}

/// An ordinary user with CAP_NET_RAW: the socket is in that user's runtime directory, and that user finds it.
const USER: &str = r#"
for i in u d; do ip link add "${i}0" type veth peer name "${i}1"; ip link set "${i}0" up; ip link set "${i}1" up; done
chmod 755 "$2"; cp "$1" "$2/p"; mkdir -m 700 "$2/run"; chown 1000:1000 "$2/run"
as() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
export XDG_RUNTIME_DIR="$2/run"; unset RUNTIME_DIRECTORY
as --inh-caps +net_raw --ambient-caps +net_raw timeout --signal=INT 30 "$2/p" --up u0 --down d0 >/dev/null 2>&1 &
for _ in $(seq 100); do [ -S "$2/run/ptpproxy/u0-d0.sock" ] && break; sleep 0.1; done
stat -c 'folder %a %u' "$2/run/ptpproxy"
as "$2/p" status
as "$2/p" status --all
"#;

#[test]
fn an_ordinary_user_has_a_socket_and_finds_it() {
    if !crate::rights::is_the_machines_root() {
        ptpproxy_lab::net::skip_without_rights("only root may become another user");
        return;
    }
    let folder = TempDir::new().unwrap();
    let output = Command::new("unshare")
        .args([
            "--net",
            "--kill-child",
            "--fork",
            "--",
            "bash",
            "-c",
            USER,
            "bash",
        ])
        .arg(env!("CARGO_BIN_EXE_ptpproxy"))
        .arg(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    for part in [
        "folder 700 1000",
        "link     up    u0",
        "u0-d0    well",
        "1 gateway: well",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}
