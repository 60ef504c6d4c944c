//! What it refuses to run on: one line that names the interface, the reason and the remedy.

use std::process::{Command, Stdio};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::net::{Namespace, veth};

use crate::host::ETHERNET;
use crate::installed;
use crate::proxy::{DOWN, Proxy, UP, command};
use crate::segments::Line;

/// The one line that a command which must fail prints.
pub(crate) fn refused(gateway: &Namespace, command: &mut Command) -> String {
    command.stdin(Stdio::null());
    let ended = Proxy::launch(gateway, command).end();
    assert_eq!(ended.status.code(), Some(1), "{:?}", ended.log);
    assert_eq!(ended.totals.0, "", "nothing on standard output");
    let errors: Vec<_> = ended
        .log
        .iter()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect();
    let [error] = errors[..] else {
        panic!("{:#?}", ended.log);
    };
    error.to_owned()
}

pub(crate) fn pair(up: &str, down: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ptpproxy"));
    command.args(["--up", up, "--down", down]);
    command
}

/// The program by setpriv with these changes of its sets; `None`, and a line that says so, without it.
pub(crate) fn with_capabilities(bounding: &str, inheritable: &str) -> Option<Command> {
    let mut command = Command::new(installed::find("setpriv", "util-linux")?);
    command
        .args(["--bounding-set", bounding, "--inh-caps", inheritable])
        .arg(env!("CARGO_BIN_EXE_ptpproxy"))
        .args(["--up", UP, "--down", DOWN]);
    Some(command)
}

#[test]
fn a_missing_interface_is_named_beside_those_there_are() {
    in_sandbox!({
        let line = Line::new();
        for (up, down) in [("nosuch0", DOWN), (UP, "nosuch0")] {
            let error = refused(&line.gateway, &mut pair(up, down));
            let (missing, others) = error.split_once(';').expect(&error);
            assert!(missing.contains("nosuch0"), "{error}");
            for name in [UP, DOWN] {
                assert!(others.contains(name), "{error}");
            }
            assert!(!others.contains("lo"), "{error}");
        }
    });
}

#[test]
fn loopback_is_refused() {
    in_sandbox!({
        let line = Line::new();
        for (up, down) in [("lo", DOWN), (UP, "lo")] {
            let error = refused(&line.gateway, &mut pair(up, down));
            assert!(error.contains("lo is the loopback interface"), "{error}");
        }
    });
}

#[test]
fn related_interfaces_are_refused() {
    in_sandbox!({
        let gateway = Namespace::new("gateway").unwrap();
        veth(&gateway, "a", &gateway, "far").unwrap();
        veth(&gateway, "b", &gateway, "off").unwrap();
        gateway.bridge("bridge0", &["a", "b"]).unwrap();
        gateway.macvlan("over", "far").unwrap();
        gateway.macvlan("also", "far").unwrap();
        for (one, other) in [
            ("a", "bridge0"),
            ("a", "b"),
            ("over", "far"),
            ("over", "also"),
        ] {
            for (up, down) in [(one, other), (other, one)] {
                let error = refused(&gateway, &mut pair(up, down));
                for part in [up, down, "are related"] {
                    assert!(error.contains(part), "{up} {down}: {error}");
                }
            }
        }
        // A bridge and somebody else's cable are not.
        let proxy = Proxy::launch(&gateway, &mut pair("bridge0", "off"));
        proxy.wait_for("forwarding:");
        proxy.stop();
    });
}

#[test]
fn without_privilege_the_remedy_is_named() {
    in_sandbox!({
        let Some(mut command) = with_capabilities("-net_raw", "-net_raw") else {
            return;
        };
        let line = Line::new();
        let error = refused(&line.gateway, &mut command);
        for part in [UP, "CAP_NET_RAW", "root"] {
            assert!(error.contains(part), "{error}");
        }
    });
}

/// CAP_NET_RAW alone is enough.
#[test]
fn it_runs_with_one_capability() {
    in_sandbox!({
        let Some(mut command) = with_capabilities("-all,+net_raw", "-all") else {
            return;
        };
        let line = Line::new();
        let proxy = Proxy::launch(&line.gateway, &mut command);
        proxy.wait_for("forwarding:");
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(1);
        assert!(below.next(Kind::Announce).is_some());
        proxy.stop();
    });
}

#[test]
fn it_waits_for_an_interface_that_is_to_come() {
    in_sandbox!({
        let line = Line::new();
        line.gateway.delete(DOWN).unwrap();
        let proxy = Proxy::launch(&line.gateway, &mut command(&["--wait"]));
        proxy.wait_for("waiting for interface down0");
        assert_eq!(proxy.logged("forwarding:"), 0);
        line.cable_below();
        proxy.wait_for("forwarding:");
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.announce(1);
        assert!(below.next(Kind::Announce).is_some());
        proxy.stop();
    });
}
