//! Unicast PTP between two subnets through the real program: nothing goes twice, whatever the kernel does; addresses that
//! change while it runs; and what no router would forward (`abuse`). `subnets` is the network.

mod abuse;
mod subnets;

use std::net::IpAddr;
use std::process::Command;

use ptpproxy_lab::in_sandbox;

use crate::proxy::{DOWN, Proxy, UP, program};
use crate::segments::END;
use crate::tap::Tap;
use subnets::{Subnets, V4, V6};

#[test]
fn nothing_is_forwarded_twice_whether_the_kernel_forwards_or_not() {
    in_sandbox!({
        // The kernel forwards from the start, or from some moment on, and then no longer.
        for (plan, at_first) in [(V4, false), (V6, true)] {
            let subnets = Subnets::new(plan, at_first);
            let proxy = subnets.start(&["--routed"]);
            for (forwarding, first) in [(at_first, 1), (!at_first, 21)] {
                subnets.forwards(forwarding);
                let (asked, corrections) = subnets.exchange(first..first + 20);
                let place = format!("{}, {forwarding}", plan.master);
                assert_eq!((asked, corrections.len()), (20, 20), "{place}");
                // Each was held for up to 4 ms, and all of it is taken out.
                assert!(
                    corrections
                        .iter()
                        .all(|ns| (1_000..1_000_000_000).contains(ns)),
                    "{place}: {corrections:?}"
                );
                assert!(
                    corrections.iter().any(|ns| *ns > 500_000),
                    "{place}: {corrections:?}"
                );
            }
            // Killed, it leaves no table: what the kernel forwards then goes once, uncorrected.
            proxy.stop_by(libc::SIGKILL);
            for (forwarding, first) in [(true, 41), (false, 51)] {
                subnets.forwards(forwarding);
                let (asked, corrections) = subnets.exchange(first..first + 6);
                let expected = if forwarding { 6 } else { 0 };
                let place = format!("{}, {forwarding}, killed", plan.master);
                assert_eq!((asked, corrections.len()), (expected, expected), "{place}");
                assert!(corrections.iter().all(|ns| *ns == 0), "{place}");
            }
        }
    });
}

/// The permanent table: a gateway that was killed lets nothing past its policy.
#[test]
fn a_guarded_gateway_that_was_killed_lets_nothing_past() {
    in_sandbox!({
        let subnets = Subnets::new(V4, true);
        let guard = |more: &[&str]| {
            let mut command = Command::new(program());
            command
                .args(["guard", "--up", UP, "--down", DOWN])
                .args(more);
            let mut process = subnets.line.gateway.spawn(&mut command).unwrap();
            assert!(process.wait().unwrap().success());
        };
        guard(&[]);
        // Again, as each start of the service does.
        guard(&[]);
        let proxy = subnets.start(&["--routed", "guarded"]);
        let (asked, corrections) = subnets.exchange(1..11);
        assert_eq!((asked, corrections.len()), (10, 10));
        proxy.stop_by(libc::SIGKILL);
        assert_eq!(subnets.exchange(11..21), (0, Vec::new()));
        guard(&["--remove"]);
        assert_eq!(subnets.exchange(21..26).0, 5);
    });
}

/// Without the right to make a table it does not start, and says in one line what would do.
#[test]
fn without_a_guard_it_does_not_start() {
    in_sandbox!({
        let subnets = Subnets::new(V4, true);
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]);
        command.arg(program());
        command.args(["--up", UP, "--down", DOWN, "--control", "off", "--routed"]);
        let proxy = Proxy::launch(&subnets.line.gateway, &mut command);
        let ended = proxy.end();
        assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
        let [line] = &ended.log[..] else {
            panic!("one line: {:#?}", ended.log);
        };
        for words in [
            "--routed",
            "ptpproxy guard --up up0 --down down0",
            "CAP_NET_ADMIN",
        ] {
            assert!(line.contains(words), "{line}");
        }
    });
}

/// A router that gets other addresses, and hosts that follow it: it goes on, and asks by its new addresses.
#[test]
fn an_address_that_changes_while_it_runs_is_followed() {
    in_sandbox!({
        for plan in [V4, V6] {
            let subnets = Subnets::new(plan, true);
            let proxy = subnets.start(&["--routed"]);
            assert_eq!(subnets.exchange(1..6).0, 5);
            subnets.change_router();
            let mut above = Tap::open(&subnets.line.grandmaster, END);
            let (asked, corrections) = subnets.exchange(10..20);
            let log = proxy.log();
            assert_eq!((asked, corrections.len()), (10, 10), "{log:#?}");
            assert!(corrections.iter().all(|ns| *ns >= 1_000), "{corrections:?}");
            // The master's kernel is answered by the new address, and nobody speaks for the old one.
            let [before, _] = plan.routers.unwrap();
            let old = match before {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            while let Some(frame) = above.receive() {
                let (arp, ip6) = (frame[12..14] == [8, 6], frame[12..14] == [0x86, 0xDD]);
                let by_old = arp && frame[28..32] == old || ip6 && frame[22..38] == old;
                assert!(!by_old, "{frame:02x?}");
            }
        }
    });
}
