//! Tests on real interfaces: each runs again inside a user and network namespace of its own.

use std::process::Command;

use crate::ring::link::Interface;

/// Set in the process that runs inside the namespace.
const INSIDE: &str = "PTPPROXY_RING_TEST_INSIDE";

/// A test that runs in namespaces of its own.
macro_rules! on_veth {
    ($(#[$attribute:meta])* fn $name:ident() $body:block) => {
        $(#[$attribute])*
        #[test]
        fn $name() {
            fn body() $body
            // The harness names tests without the crate.
            let (_, module) = module_path!().split_once("::").unwrap();
            in_namespace(&format!("{module}::{}", stringify!($name)), body);
        }
    };
}
pub(in crate::ring) use on_veth;

/// Runs `body` in new namespaces, without privilege, by running the test `name` again. Where the system
/// refuses, the test says so and passes, unless PTPPROXY_REQUIRE_PEERS is 1.
pub(in crate::ring) fn in_namespace(name: &str, body: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return;
    }
    if let Err(why) = namespaces_work() {
        ptpproxy_lab::net::skip(&format!("user namespaces with veth: {why}"));
        return;
    }
    let passed = ptpproxy_lab::net::retry(name, || {
        let output = Command::new("unshare")
            .args(["-Urn", "--"])
            .arg(std::env::current_exe()?)
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .output()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        // Set apart, so that its summary is not taken for one of this process.
        text.lines().for_each(|line| println!("| {line}"));
        let passed = output.status.success();
        assert!(!passed || text.contains("1 passed"), "{name} names no test");
        Ok(passed)
    });
    assert!(passed.unwrap(), "{name} failed inside its namespace");
}

/// Runs a command line of ip, tc or the like; it must succeed.
pub(in crate::ring) fn run(line: &str) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap()).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(
        output.status.success(),
        "{line}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A veth pair, both ends up, quiet (no IPv6 of its own).
pub(in crate::ring) fn veth(one: &str, other: &str) -> (Interface, Interface) {
    run(&format!("ip link add {one} type veth peer name {other}"));
    for name in [one, other] {
        // Best effort: without it some neighbour discovery is about, which the filters drop.
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"), "1");
        run(&format!("ip link set dev {name} up"));
    }
    raise(one);
    raise(other);
    (
        Interface::lookup(one).unwrap(),
        Interface::lookup(other).unwrap(),
    )
}

/// Sets an interface up and waits for its link: until then the kernel takes frames and drops them.
pub(in crate::ring) fn raise(name: &str) {
    run(&format!("ip link set dev {name} up"));
    for _ in 0..300 {
        if Interface::lookup(name).unwrap().running {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{name}: no link");
}

fn namespaces_work() -> Result<(), String> {
    let output = Command::new("unshare")
        .args(["-Urn", "--", "ip", "link"])
        .args("add va type veth peer name vb".split(' '))
        .output()
        .map_err(|error| format!("unshare: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("{} (no veth? as root: modprobe veth)", text.trim()))
    }
}
