//! Two gateways on one machine: they may share a network, but not join the same two for the same domain.

use std::process::Command;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::net::{Namespace, veth};

use crate::proxy::{DOWN, Proxy, UP, command};
use crate::refusals::{pair, refused, with_capabilities};
use crate::segments::Line;

/// The second process ends with exit code 1 and one line that names the first.
fn refused_for(holder: &Proxy, gateway: &Namespace, command: &mut Command) {
    let error = refused(gateway, command.args(["--control", "off"]));
    let process = format!("process {} ", holder.id());
    for part in [process.as_str(), "stop it first", "--domain"] {
        assert!(error.contains(part), "{part:?} in {error}");
    }
}

/// The second process runs beside the others.
fn allowed(gateway: &Namespace, command: &mut Command) {
    let proxy = Proxy::launch(gateway, command.args(["--control", "off"]));
    proxy.wait_for("forwarding:");
    proxy.stop();
}

fn in_domains(up: &str, down: &str, domains: &[&str]) -> Command {
    let mut command = pair(up, down);
    for domain in domains {
        command.args(["--domain", domain]);
    }
    command
}

#[test]
fn a_second_gateway_between_the_same_networks_is_refused() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        let child = gateway.macvlan("over", DOWN).is_ok();
        let holder = Proxy::start(gateway, &[]);
        refused_for(&holder, gateway, &mut pair(UP, DOWN));
        refused_for(&holder, gateway, &mut pair(DOWN, UP));
        // The other domains do not help where the holder passes all.
        refused_for(&holder, gateway, &mut in_domains(UP, DOWN, &["24"]));
        if child {
            refused_for(&holder, gateway, &mut pair(UP, "over"));
            refused_for(&holder, gateway, &mut pair("over", UP));
        } else {
            println!("without a macvlan child: this kernel has none");
        }
        assert_eq!(holder.logged("forwarding:"), 1, "{:#?}", holder.log());
        holder.stop();
        // Nothing is left behind, even by one that was killed.
        let killed = Proxy::start(gateway, &[]);
        killed.stop_by(libc::SIGKILL);
        allowed(gateway, &mut pair(DOWN, UP));
    });
}

/// A service with its few capabilities, and root by hand: each sees the other.
#[test]
fn rights_make_no_difference() {
    in_sandbox!({
        let line = Line::new();
        let service = || {
            let mut command = with_capabilities("-all,+net_raw", "-all")?;
            command.args(["--control", "off"]);
            Some(command)
        };
        let by_hand = || Some(command(&[]));
        let kinds: [&dyn Fn() -> Option<Command>; 2] = [&service, &by_hand];
        for first in kinds {
            for second in kinds {
                let (Some(mut first), Some(second)) = (first(), second()) else {
                    return;
                };
                let holder = Proxy::launch(&line.gateway, &mut first);
                holder.wait_for("forwarding:");
                let mut second = second;
                let error = refused(&line.gateway, &mut second);
                let process = format!("process {} ", holder.id());
                assert!(error.contains(&process), "{error}");
                holder.stop();
            }
        }
    });
}

#[test]
fn gateways_with_disjoint_domains_run_side_by_side() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        let holder = Proxy::start(gateway, &["--domain", "24", "--domain", "44"]);
        allowed(gateway, &mut in_domains(UP, DOWN, &["25", "0"]));
        allowed(gateway, &mut in_domains(DOWN, UP, &["25"]));
        for domains in [&["44"][..], &["25", "24"], &[]] {
            refused_for(&holder, gateway, &mut in_domains(UP, DOWN, domains));
        }
        holder.stop();
    });
}

#[test]
fn one_network_may_be_shared() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        veth(gateway, "down1", &line.clients, "eth1").unwrap();
        let holder = Proxy::start(gateway, &[]);
        for (up, down) in [(UP, "down1"), (DOWN, "down1"), ("down1", DOWN)] {
            allowed(gateway, &mut pair(up, down));
        }
        // Interfaces of the same names in another network namespace are no matter.
        let other = Line::new();
        allowed(&other.gateway, &mut pair(UP, DOWN));
        holder.stop();
    });
}
