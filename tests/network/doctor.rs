//! `ptpproxy doctor` in real networks: each thing that stands in the way is one line with its remedy.

use std::process::Command;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::net::{Namespace, skip};
use serde_json::Value;

use crate::host::{ETHERNET, Host};
use crate::installed;
use crate::proxy::{DOWN, PATIENCE, Proxy, UP, program};
use crate::segments::{END, Line, Parallel};

/// What doctor says in this namespace, by level: level, check, text and remedy of each line.
fn doctor(gateway: &Namespace, arguments: &[&str]) -> Vec<[String; 4]> {
    // With a /sys of its own, as on a machine: that of a test shows the network that it was mounted in.
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount -t sysfs sysfs /sys && exec \"$0\" \"$@\"")
        .arg(program())
        .args(["doctor", "--json"])
        .args(arguments);
    let output = gateway
        .run(|| command.output())
        .unwrap()
        .expect("doctor runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = report["findings"].as_array().expect("findings");
    all.iter()
        .map(|finding| {
            ["level", "check", "text", "remedy"]
                .map(|key| finding[key].as_str().unwrap_or_default().to_owned())
        })
        .collect()
}

/// One finding has this check, is no ok, has these words, and this in its remedy.
fn has(found: &[[String; 4]], check: &str, words: &str, remedy: &str) {
    let fits = |[level, name, text, how]: &[String; 4]| {
        level != "ok" && name == check && text.contains(words) && how.contains(remedy)
    };
    let lines = found.iter().filter(|finding| fits(finding)).count();
    assert_eq!(lines, 1, "{check}: {words} ({remedy}) in {found:#?}");
}

const LISTEN: [&str; 2] = ["--listen", "1s"];

fn sides<'a>(up: &'a str, down: &'a str) -> Vec<&'a str> {
    [&["--up", up, "--down", down][..], &LISTEN].concat()
}

/// Runs `ip` in a namespace; false, and a line that says so, where it cannot.
fn ip(home: &Namespace, arguments: &str) -> bool {
    let Some(ip) = installed::find("ip", "iproute2") else {
        return false;
    };
    let mut command = Command::new(ip);
    command.args(arguments.split_whitespace());
    let output = home.run(|| command.output()).unwrap().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        skip(&format!("ip {arguments}: {}", why.trim()));
    }
    output.status.success()
}

#[test]
fn the_machine_is_looked_at() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        gateway.set_up(UP, false).unwrap();
        let found = doctor(gateway, &sides(UP, DOWN));
        has(
            &found,
            "interface",
            "--up up0 is down",
            "ip link set dev up0 up",
        );
        gateway.set_up(UP, true).unwrap();
        gateway.sysctl("net/ipv4/ip_forward", "1").unwrap();
        let found = doctor(gateway, &sides(UP, DOWN));
        has(
            &found,
            "routing",
            "up0: this machine routes",
            "forwarding=0",
        );
        has(
            &found,
            "routing",
            "down0: this machine routes",
            "forwarding=0",
        );
        gateway.sysctl("net/ipv4/ip_forward", "0").unwrap();
        if ip(gateway, "link add ifb9 type ifb") && ip(gateway, "link set ifb9 up") {
            let found = doctor(gateway, &sides("ifb9", DOWN));
            has(
                &found,
                "timestamps",
                "ifb9: its driver gives no transmit timestamps",
                "another card",
            );
        }
    });
}

#[test]
fn a_bridge_that_converts_multicast_is_found() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        gateway.bridge("br0", &[DOWN]).unwrap();
        if !ip(
            gateway,
            "link set dev down0 type bridge_slave mcast_to_unicast on",
        ) {
            return;
        }
        let found = doctor(gateway, &sides(UP, "br0"));
        let remedy = "bridge link set dev down0 mcast_to_unicast off";
        has(
            &found,
            "bridge",
            "br0: the bridge br0 sends multicast by down0 as unicast",
            remedy,
        );
    });
}

/// Sends an Announce and a Sync of the master now and then, until doctor has listened.
fn while_a_master_sends(
    at: &Namespace,
    look: impl FnOnce() -> Vec<[String; 4]> + Send,
) -> Vec<[String; 4]> {
    let mut host = Host::open(at, END, ETHERNET);
    let sync = host.template(Kind::Sync, Station::MASTER);
    std::thread::scope(|scope| {
        let looking = scope.spawn(look);
        let mut sequence = 0;
        while !looking.is_finished() {
            host.announce(sequence);
            host.send(&sync, |draft| draft.sequence(sequence));
            sequence += 1;
            std::thread::sleep(PATIENCE / 50);
        }
        looking.join().unwrap()
    })
}

#[test]
fn both_networks_are_listened_to() {
    in_sandbox!({
        let line = Line::new();
        let gateway = &line.gateway;
        let found = while_a_master_sends(&line.grandmaster, || {
            doctor(
                gateway,
                &[&sides(UP, DOWN)[..], &["--domain", "5"]].concat(),
            )
        });
        has(&found, "master", "in domain 0 only", "add 0 to --domain");
        let found = while_a_master_sends(&line.grandmaster, || doctor(gateway, &sides(DOWN, UP)));
        has(
            &found,
            "sides",
            "the sides are swapped",
            "swap --up and --down",
        );
        // Clients that measure peer delay.
        let mut below = crate::reasons::Sender::new(&line.clients);
        let found = std::thread::scope(|scope| {
            let looking = scope.spawn(|| doctor(gateway, &sides(UP, DOWN)));
            while !looking.is_finished() {
                below.send(crate::reasons::PEER_DELAY);
                std::thread::sleep(PATIENCE / 50);
            }
            looking.join().unwrap()
        });
        has(
            &found,
            "delay",
            "measure peer delay (P2P)",
            "delay_mechanism E2E",
        );
    });
}

#[test]
fn a_second_gateway_is_found() {
    in_sandbox!({
        // On this machine, for other domains: each is allowed, and doctor says so.
        let line = Line::new();
        let holders = ["1", "2"].map(|domain| Proxy::start(&line.gateway, &["--domain", domain]));
        let found = doctor(&line.gateway, &sides(UP, DOWN));
        has(
            &found,
            "gateway",
            "2 gateways between up0 and down0",
            "stop all but one",
        );
        holders.into_iter().for_each(|holder| drop(holder.stop()));
        // Elsewhere, between the same two networks.
        let network = Parallel::new();
        let [one, two] = &network.gateways;
        let other = Proxy::start(two, &[]);
        let found = while_a_master_sends(&network.grandmaster, || doctor(one, &sides(UP, DOWN)));
        has(
            &found,
            "second-path",
            "is heard on both sides",
            "open the loop",
        );
        other.stop();
    });
}
