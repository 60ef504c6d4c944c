//! Who may take a gateway's place, and that it goes on if nobody does. (Under load: `faults/taken_over.rs`.)

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use ptpproxy::control::client::Gateway;
use ptpproxy::control::reply::Status;
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::ptp4l::TempDir;

use crate::host::{ETHERNET, Host};
use crate::proxy::{DOWN, Proxy, UP, command, program};
use crate::refusals::{pair, refused};
use crate::segments::{END, Line};

/// A gateway with a control socket, and a client that it serves.
struct Rig {
    line: Line,
    above: Host,
    below: Host,
    folder: TempDir,
    sequence: u16,
}

impl Rig {
    fn new() -> Self {
        let line = Line::new();
        let above = Host::open(&line.grandmaster, END, ETHERNET);
        let below = Host::open(&line.clients, END, ETHERNET);
        Self {
            line,
            above,
            below,
            folder: TempDir::new().unwrap(),
            sequence: 0,
        }
    }

    fn socket(&self) -> String {
        let path = self.folder.path().join("gateway.sock");
        path.to_str().unwrap().to_owned()
    }

    fn start(&mut self, arguments: &[&str]) -> Proxy {
        let socket = self.socket();
        let arguments = [&["--control", &socket], arguments].concat();
        let proxy = Proxy::start(&self.line.gateway, &arguments);
        self.above.introduce();
        self.serves();
        proxy
    }

    /// A request goes up and its answer comes back.
    fn serves(&mut self) {
        self.sequence += 1;
        self.below.request(1, self.sequence);
        let sequence = self.sequence;
        let of = |kind| {
            move |message: &crate::host::Message| {
                message.kind == kind && message.sequence == sequence
            }
        };
        let request = self.above.expect(of(Kind::DelayReq)).expect("a request");
        self.above.answer(&request);
        self.below.expect(of(Kind::DelayResp)).expect("its answer");
    }

    fn status(&self) -> Status {
        let socket = self.socket();
        let gateway = Gateway::find(Some(socket.as_ref())).unwrap();
        gateway.get("status").unwrap()
    }

    /// Another one that is to take the place of this process, with more options.
    fn next(&self, process: u32, arguments: &[&str]) -> Command {
        let mut command = command(&["--control", &self.socket()]);
        command.args(["--take-over", &process.to_string()]);
        command.args(arguments);
        command
    }
}

#[test]
fn it_is_the_same_gateway_to_whoever_asks() {
    in_sandbox!({
        let mut rig = Rig::new();
        let first = rig.start(&["--jitter", "off"]);
        let process = first.id();
        let second = Proxy::launch(
            &rig.line.gateway,
            &mut rig.next(process, &["--jitter", "5ms"]),
        );
        second.wait_for("confined:");
        let ended = first.end();
        assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
        let after = rig.status();
        assert_eq!(after.clients.known, 1);
        assert_eq!(after.counts.answered, 1);
        // No Announce is waited for.
        rig.serves();
        let third = Proxy::launch(&rig.line.gateway, &mut rig.next(second.id(), &[]));
        third.wait_for("confined:");
        second.end();
        rig.serves();
        let ended = third.stop();
        assert_eq!(
            ended.totals.forwarded("down", "delay_req"),
            3,
            "{}",
            ended.totals.0
        );
        assert_eq!(ended.totals.count("answered"), 3, "{}", ended.totals.0);
    });
}

#[test]
fn it_goes_on_if_it_is_not_taken_over_from() {
    in_sandbox!({
        let mut rig = Rig::new();
        let first = rig.start(&[]);
        let process = first.id();
        let mut refuses = |command: &mut Command, parts: &[&str]| {
            let error = refused(&rig.line.gateway, command);
            for part in parts {
                assert!(error.contains(part), "{part:?} in {error}");
            }
            rig.serves();
            error
        };
        // A process that is none.
        let own = std::process::id();
        let no_gateway = format!(
            "--take-over {own}: that process is no gateway between up0 and down0; process {process} is"
        );
        let rig_next = |arguments: &[&str]| rig_command(process, arguments);
        refuses(&mut rig_command(own, &[]), &[&no_gateway]);
        let goes_on = format!("--take-over {process}: that process goes on: ");
        // Its socket is elsewhere.
        refuses(&mut rig_next(&[]), &[&goes_on, "no control socket here"]);
        let mut refuses = |arguments: &[&str], part: &str| {
            let error = refused(&rig.line.gateway, &mut rig.next(process, arguments));
            assert!(error.contains(part), "{part:?} in {error}");
            let said = error.starts_with(&goes_on) || part == "cannot listen";
            assert!(said, "{error}");
            rig.serves();
        };
        refuses(
            &["--ring-frames", "1024"],
            "up0: its ring has 2048 frames of 512 bytes, not 1024",
        );
        refuses(&["--max-clients", "99"], "--max-clients was another one");
        refuses(&["--hold-frames", "99"], "--hold-frames was another one");
        refuses(&["--qdisc-bypass"], "--qdisc-bypass");
        refuses(&["--no-promiscuous"], "--no-promiscuous");
        refuses(&["--metrics", "192.0.2.1:9"], "cannot listen");
        let mut crosswise = Command::new(program());
        crosswise.args(["--up", DOWN, "--down", UP, "--control", &rig.socket()]);
        crosswise.args(["--take-over", &process.to_string()]);
        let error = refused(&rig.line.gateway, &mut crosswise);
        assert!(error.starts_with(&goes_on), "{error}");
        assert!(error.contains("is another interface by now"), "{error}");
        rig.serves();
        assert_eq!(
            first.logged("another process asked to take over, but did not"),
            7,
            "{:#?}",
            first.log()
        );
        let ended = first.stop();
        assert_eq!(ended.totals.count("unanswered"), 0, "{}", ended.totals.0);
        // There is none any more.
        let error = refused(&rig.line.gateway, &mut rig.next(process, &[]));
        assert!(error.contains("none is, so start without it"), "{error}");
    });
}

fn rig_command(process: u32, arguments: &[&str]) -> Command {
    let mut command = pair(UP, DOWN);
    command.args(["--control", "off", "--take-over", &process.to_string()]);
    command.args(arguments);
    command
}

#[test]
fn one_with_keys_says_that_it_cannot() {
    in_sandbox!({
        let mut rig = Rig::new();
        let file = rig.folder.path().join("sa");
        let key = testkit::signatures::Key::of(1, "0123456789abcdef0123456789abcdef");
        std::fs::write(&file, key.file()).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let keys = ["--sa-file", file.to_str().unwrap()];
        let first = rig.start(&keys);
        let error = refused(&rig.line.gateway, &mut rig.next(first.id(), &[]));
        assert!(
            error.contains("cannot be handed over with --sa-file"),
            "{error}"
        );
        let error = refused(&rig.line.gateway, &mut rig.next(first.id(), &keys));
        assert!(error.contains("not with --sa-file"), "{error}");
        rig.serves();
        first.stop();
    });
}
