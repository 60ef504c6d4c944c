//! Nobody is served: the warning names what was seen instead.

use std::time::{Duration, Instant};

use ptpproxy::ring::{Interface, TxOptions, TxRing};
use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::{Kind, Template};
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::Station;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::{status, until};
use crate::host::{ETHERNET, Host};
use crate::proxy::{DOWN, Proxy};
use crate::reasons::Sender;
use crate::segments::{END, Line};

const VLAN_5: Shape = Shape {
    vlan: Some(5),
    ..ETHERNET
};
const UDP4: Shape = Shape {
    network: Network::Udp4,
    ..ETHERNET
};

/// A gateway for domain 0, with its control socket in a folder.
fn gateway() -> (Line, Proxy, TempDir) {
    let folder = TempDir::new().unwrap();
    let line = Line::new();
    let arguments = ["--control", &socket(&folder), "--domain", "0"];
    let proxy = Proxy::start(&line.gateway, &arguments);
    (line, proxy, folder)
}

fn socket(folder: &TempDir) -> String {
    folder
        .path()
        .join("gateway.sock")
        .to_str()
        .unwrap()
        .to_owned()
}

/// Looks until a warning of this code is there, while `each` happens ten times a second. Returns its text.
fn warned(socket: &str, code: &str, patience: Duration, mut each: impl FnMut(u16)) -> String {
    let end = Instant::now() + patience;
    for round in 0.. {
        each(round);
        let warnings = status(socket).warnings;
        if let Some(warning) = warnings.iter().find(|warning| warning.code == code) {
            return warning.text.clone();
        }
        assert!(Instant::now() < end, "no {code}: {warnings:#?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    unreachable!("it ends by its deadline")
}

fn serve(above: &mut Host, round: u16) {
    if round.is_multiple_of(10) {
        above.announce(round);
    }
    let origin = above.sync(round);
    above.follow_up(round, origin);
}

/// Clients downstream that use what is not forwarded: each of it is named.
#[test]
fn what_clients_use_instead_is_named() {
    in_sandbox!({
        let (line, proxy, folder) = gateway();
        let socket = &socket(&folder);
        let (mut above, _below) = line.hosts(ETHERNET);
        let mut strangers = Sender::new(&line.clients);
        let text = warned(socket, "nobody-asks", Duration::from_secs(60), |round| {
            serve(&mut above, round);
            (0..4).for_each(|kind| strangers.send(kind));
        });
        for word in ["peer delay", "802.1AS", "--domain", "PTPv1"] {
            assert!(text.contains(word), "{word}: {text}");
        }
        proxy.stop();
    });
}

/// A client in another VLAN than the grandmaster is named with both.
#[test]
fn a_client_in_the_wrong_vlan_is_told() {
    in_sandbox!({
        let (line, proxy, folder) = gateway();
        let socket = &socket(&folder);
        let (mut above, _below) = line.hosts(ETHERNET);
        let mut below = Host::open(&line.clients, END, VLAN_5);
        let code = "clients-unanswered";
        let text = warned(socket, code, Duration::from_secs(60), |round| {
            serve(&mut above, round);
            below.request(1, round);
        });
        assert!(
            text.contains("asks by ethernet.5, where no master sends; ethernet has one"),
            "{text}"
        );
        proxy.stop();
    });
}

/// Unicast PTP by IP that is addressed to the gateway as a router goes past it, by the kernel: that has its reason.
#[test]
fn what_the_kernel_routes_is_named() {
    in_sandbox!({
        let (line, proxy, folder) = gateway();
        let socket = &socket(&folder);
        let (mut above, _below) = line.hosts(ETHERNET);
        above.introduce();
        let open = || {
            let interface = Interface::lookup(END)?;
            TxRing::<()>::open(&interface, &TxOptions::default())
        };
        let mut ring = line.clients.run(open).unwrap().unwrap();
        let gateway = line.gateway.link(DOWN).unwrap().mac;
        let request = Template::new(UDP4, Kind::DelayReq, Station::client(1));
        let mut ask = |round: u16| {
            let slot = ring.slot().unwrap();
            let len = request.draft(slot).unwrap().sequence(round).finish();
            // To the gateway's MAC, for a master elsewhere; no checksum.
            slot[..6].copy_from_slice(&gateway);
            slot[30..34].copy_from_slice(&[192, 0, 2, 9]);
            slot[40..42].fill(0);
            ring.commit(len, None);
            let _ = ring.kick();
        };
        let mut round = 0;
        until(socket, "routed", |status| {
            round += 1;
            ask(round);
            status
                .drops
                .iter()
                .any(|drop| (drop.side.as_str(), drop.reason.as_str()) == ("down", "routed"))
        });
        let text = warned(socket, "routed", Duration::from_secs(20), ask);
        assert!(text.contains("kernel"), "{text}");
        proxy.stop();
    });
}
