//! What is wrong with the machine ends up in the log: by name, with the cause and what to do.

use std::thread::sleep;
use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::until;
use crate::proxy::{Proxy, UP};
use crate::segments::Line;

/// The kernel tells late of a link that came or went.
const LINK: Duration = Duration::from_millis(1_500);

#[test]
fn an_interface_that_is_down_at_the_start_is_named() {
    in_sandbox!({
        let line = Line::new();
        line.gateway.set_up(UP, false).unwrap();
        line.clients.set_up("eth0", false).unwrap();
        sleep(LINK);
        let proxy = Proxy::start(&line.gateway, &[]);
        proxy.wait_for("up up0 is down: ip link set up0 up");
        // That may be only a link that is not up yet.
        proxy.wait_for("down down0: no link: check the cable");
        let log = proxy.stop().log;
        let times = |what: &str| log.iter().filter(|text| text.contains(what)).count();
        assert_eq!((times("WARN"), times(" is up")), (2, 0), "{log:#?}");
    });
}

#[test]
fn links_that_are_there_are_no_news() {
    in_sandbox!({
        let line = Line::new();
        sleep(LINK);
        let proxy = Proxy::start(&line.gateway, &[]);
        sleep(Duration::from_secs(4));
        let log = proxy.stop().log;
        assert!(!log.iter().any(|text| text.contains("WARN")), "{log:#?}");
    });
}

#[test]
fn a_loop_that_is_kept_waiting_says_so() {
    in_sandbox!({
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let socket = socket.to_str().unwrap();
        let line = Line::new();
        let mut proxy = Proxy::start(&line.gateway, &["--control", socket, "--max-hold", "400ms"]);
        let warned = |status: &ptpproxy::control::reply::Status| {
            status
                .warnings
                .iter()
                .any(|warning| warning.code == "loop-late")
        };
        until(socket, "without the warning", |status| !warned(status));
        proxy.signal(libc::SIGSTOP);
        // Without traffic it wakes each five seconds at the latest.
        sleep(Duration::from_secs(6));
        proxy.signal(libc::SIGCONT);
        until(socket, "warned", warned);
        proxy.wait_for("the forwarding loop ran late");
        let log = proxy.stop().log;
        let text = log.iter().find(|text| text.contains("ran late")).unwrap();
        assert!(
            text.contains("WARN") && text.contains("CPUWeight="),
            "{text}"
        );
        let ms = text
            .split("by up to ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let ms: u64 = ms.unwrap().parse().unwrap();
        assert!(
            (201..60_000).contains(&ms),
            "more than half of --max-hold: {text}"
        );
    });
}
