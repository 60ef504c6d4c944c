//! How the program ends, and that it can be started again.

use std::time::Duration;

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;

use crate::host::ETHERNET;
use crate::proxy::{Ended, Proxy};
use crate::segments::Line;

#[test]
fn sigint_and_sigterm_end_it_at_once_with_totals() {
    in_sandbox!({
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let line = Line::new();
            let proxy = Proxy::start(&line.gateway, &[]);
            let (mut above, mut below) = line.hosts(ETHERNET);
            above.announce(1);
            assert!(below.next(Kind::Announce).is_some());
            let ended = proxy.stop_by(signal);
            assert_eq!(ended.status.code(), Some(0), "{:?}", ended.log);
            assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
            assert_eq!(
                ended.totals.forwarded("up", "announce"),
                1,
                "{}",
                ended.totals.0
            );
        }
    });
}

/// While the interface is not there yet it has nothing to do, but to end when it is told.
#[test]
fn it_ends_at_once_while_it_waits_for_an_interface() {
    in_sandbox!({
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let line = Line::new();
            line.gateway.delete("down0").unwrap();
            let mut command = crate::proxy::command(&["--wait"]);
            let proxy = Proxy::launch(&line.gateway, &mut command);
            proxy.wait_for("waiting for interface down0");
            let ended = proxy.stop_by(signal);
            assert_eq!(ended.status.code(), Some(0), "{:?}", ended.log);
            assert!(ended.took < Duration::from_secs(1), "{:?}", ended.took);
        }
    });
}

#[test]
fn it_can_be_started_again_and_again() {
    in_sandbox!({
        let line = Line::new();
        let (mut above, mut below) = line.hosts(ETHERNET);
        for sequence in 0..3 {
            let proxy = Proxy::start(&line.gateway, &[]);
            above.announce(sequence);
            let heard = below.next(Kind::Announce);
            assert_eq!(heard.map(|message| message.sequence), Some(sequence));
            let Ended { totals, log, .. } = proxy.stop();
            assert_eq!(totals.forwarded("up", "announce"), 1, "{log:#?}");
        }
    });
}
