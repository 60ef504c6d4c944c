//! Links that go and come, interfaces that are made anew, peers that change.

use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::station::{Role, Station};
use ptpproxy_lab::net::Namespace;

use crate::proxy::{self, DOWN, Proxy, UP};
use crate::segments::{END, Line};
use crate::table::Row;
use crate::traffic::Traffic;

const LASTS: Duration = Duration::from_millis(300);

/// A link is down for a moment. `counter` grows, if it is not empty.
fn down_and_up(
    fault: &'static str,
    log: &'static str,
    counter: &'static str,
    lasts: Duration,
    which: fn(&Line) -> (&Namespace, &'static str),
) {
    let line = Line::new();
    let proxy = Proxy::start(&line.gateway, &[]);
    let traffic = Traffic::start(&line);
    let (home, interface) = which(&line);
    if lasts > LASTS {
        // Links that are new, too.
        sleep(LASTS * 5);
    }
    let cost = traffic.through(|| {
        home.set_up(interface, false).unwrap();
        sleep(lasts);
        home.set_up(interface, true).unwrap();
    });
    traffic.end_right();
    proxy.wait_for(log);
    let ended = proxy.stop();
    if !counter.is_empty() {
        assert!(ended.totals.dropped_for(counter) > 0, "{}", ended.totals.0);
    }
    assert!(cost.lost_during > 0, "it was down: {cost:?}");
    Row::of(fault, log, counter, cost).settle();
}

#[test]
fn the_link_above_goes_down() {
    in_sandbox!({
        down_and_up(
            "link toward the grandmaster down for 0.3 s",
            "up up0 is down",
            "tx-failed",
            LASTS,
            |line| (&line.gateway, UP),
        );
    });
}

#[test]
fn the_link_below_goes_down() {
    in_sandbox!({
        down_and_up(
            "link toward the clients down for 0.3 s",
            "down down0 is down",
            "tx-failed",
            LASTS,
            |line| (&line.gateway, DOWN),
        );
    });
}

#[test]
fn the_cable_is_pulled_at_the_grandmaster() {
    in_sandbox!({
        // The kernel tells of links without a link once a second.
        down_and_up(
            "cable pulled at the grandmaster for 1.5 s",
            "up up0: no link",
            "",
            LASTS * 5,
            |line| (&line.grandmaster, END),
        );
    });
}

/// An interface is deleted, and made anew a moment later.
fn made_anew(fault: &'static str, log: &'static str, above: bool) {
    let line = Line::new();
    let proxy = Proxy::start(&line.gateway, &[]);
    let traffic = Traffic::start(&line);
    let cost = traffic.through(|| {
        if above {
            traffic.stations().above = None;
            line.gateway.delete(UP).unwrap();
        } else {
            traffic.stations().below = None;
            line.gateway.delete(DOWN).unwrap();
        }
        proxy.wait_for("the interface was deleted; waiting for its return");
        sleep(LASTS);
        if above {
            line.cable_above();
            traffic.reopen_above(&line);
        } else {
            line.cable_below();
            traffic.reopen_below(&line);
        }
    });
    traffic.end_right();
    proxy.wait_for(log);
    proxy.stop();
    Row::of(fault, log, "", cost).settle();
}

#[test]
fn the_interface_above_is_made_anew() {
    in_sandbox!({
        made_anew(
            "interface toward the grandmaster deleted and made anew",
            "up: the interface was deleted; waiting for its return",
            true,
        );
    });
}

#[test]
fn the_interface_below_is_made_anew() {
    in_sandbox!({
        made_anew(
            "interface toward the clients deleted and made anew",
            "down: the interface was deleted; waiting for its return",
            false,
        );
    });
}

#[test]
fn an_interface_is_renamed() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let traffic = Traffic::start(&line);
        // The kernel renames only what is down: for a moment it is.
        let cost = traffic.through(|| line.gateway.rename(UP, "wan0").unwrap());
        traffic.end_right();
        let log = "up is now called wan0";
        proxy.wait_for(log);
        proxy.stop();
        Row::of("interface renamed", log, "", cost).settle();
    });
}

#[test]
fn the_mtu_changes() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let traffic = Traffic::start(&line);
        let cost = traffic.through(|| {
            line.gateway.set_mtu(DOWN, 1400).unwrap();
            sleep(LASTS);
            line.gateway.set_mtu(DOWN, 1500).unwrap();
        });
        traffic.end_right();
        let log = "down down0 is up, MTU 1400";
        proxy.wait_for(log);
        proxy.wait_for("down down0 is up, MTU 1500");
        assert_eq!((cost.lost_during, cost.lost_after), (0, 0));
        proxy.stop();
        Row::of("MTU changed", log, "", cost).settle();
    });
}

#[test]
fn it_starts_before_its_interface_exists() {
    in_sandbox!({
        let line = Line::new();
        line.gateway.delete(DOWN).unwrap();
        let log = "waiting for interface down0";
        let proxy = Proxy::launch(&line.gateway, &mut proxy::command(&["--wait"]));
        proxy.wait_for(log);
        line.cable_below();
        let made = Instant::now();
        let traffic = Traffic::start(&line);
        proxy.wait_for("forwarding:");
        traffic.in_sync(made);
        let recovery = made.elapsed();
        std::thread::sleep(LASTS);
        let lost = {
            let stations = traffic.stations();
            let answered = |at: &crate::stations::Request| at.answered.is_some();
            // From the first that is answered on, all are.
            stations.requests.iter().position(answered).unwrap()
        };
        traffic.end_right();
        proxy.stop();
        Row {
            fault: "started before its interface exists (`--wait`)",
            log,
            counter: "",
            recovery: Some(recovery),
            lost: format!("{lost}, 0"),
        }
        .settle();
    });
}

#[test]
fn the_grandmaster_changes() {
    in_sandbox!({
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &[]);
        let traffic = Traffic::start(&line);
        let cost = traffic.through(|| {
            let other = Station::new(Role::Master, 2);
            traffic.stations().change_master(other);
        });
        traffic.end_right();
        let log = "announced by 024d50.fffe.000002-1 in domain 0";
        proxy.wait_for(log);
        assert_eq!(cost.lost_after, 0);
        proxy.stop();
        Row::of("grandmaster changes", log, "", cost).settle();
    });
}
