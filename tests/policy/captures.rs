//! What the policy says of other people's traffic: each capture once from either side, and once with
//! each host on the side where it lives. The counts were written down by reading the captures.
//!
//! They are no part of this project: the variable `PTPPROXY_CAPTURES` names their folder. Without it
//! the test is skipped, with a message; with `PTPPROXY_REQUIRE_PEERS=1` that is a failure.

use std::collections::BTreeMap;

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::time::{ClockId, Stamp};
use ptpproxy::wire::Frame;

use testkit::capture_files::{self as files, Result};

use crate::gateway::{Gateway, Outcome, unheld};

/// How many frames of a type have this verdict.
type Counts = &'static [(usize, &'static str)];

struct Capture {
    name: &'static str,
    /// Who lives below, by the clock's last octets.
    below: &'static [&'static str],
    /// All of it from above, all of it from below, and each from its own side.
    from_up: Counts,
    from_down: Counts,
    from_both: Counts,
    /// Follow_Ups made for one-step Syncs from above.
    made: usize,
}

/// Nobody below has asked anything when all comes from above; when all comes from below, every
/// Signaling and Delay_Req is a client's.
const CAPTURES: &[Capture] = &[
    // Two clients ask for Announce, Sync and Delay_Resp by Signaling to all-ones and are granted them;
    // one Announce and one one-step Sync follow.
    Capture {
        name: "ndpi_ptpv2.pcap",
        below: &["00000d", "00000e"],
        from_up: &[
            (6, "signaling forwarded"),
            (6, "signaling not-our-client"),
            (1, "announce forwarded"),
            (1, "sync forwarded"),
        ],
        from_down: &[
            (12, "signaling forwarded"),
            (1, "announce master-below"),
            (1, "sync master-below"),
        ],
        from_both: &[
            (12, "signaling forwarded"),
            (1, "announce forwarded"),
            (1, "sync forwarded"),
        ],
        made: 1,
    },
    // One multicast exchange, then Announce and a two-step Sync.
    Capture {
        name: "tcpdump_ptp.pcap",
        below: &["f950b4"],
        from_up: &[
            (1, "delay_req foreign"),
            (1, "delay_resp not-our-client"),
            (1, "announce forwarded"),
            (1, "sync forwarded"),
            (1, "follow_up forwarded"),
        ],
        from_down: &[
            (1, "delay_req forwarded"),
            (1, "delay_resp master-below"),
            (1, "announce master-below"),
            (1, "sync master-below"),
            (1, "follow_up master-below"),
        ],
        from_both: &[
            (1, "delay_req forwarded"),
            (1, "delay_resp forwarded"),
            (1, "announce forwarded"),
            (1, "sync forwarded"),
            (1, "follow_up forwarded"),
        ],
        made: 0,
    },
    // One unicast exchange and a one-step Sync, domain 44.
    Capture {
        name: "tcpdump_ptp_corrections.pcap",
        below: &["856e8a"],
        from_up: &[
            (1, "delay_req foreign"),
            (1, "delay_resp not-our-client"),
            (1, "sync forwarded"),
        ],
        from_down: &[
            (1, "delay_req forwarded"),
            (1, "delay_resp master-below"),
            (1, "sync master-below"),
        ],
        from_both: &[
            (1, "delay_req forwarded"),
            (1, "delay_resp forwarded"),
            (1, "sync forwarded"),
        ],
        made: 1,
    },
    // 70 two-step Syncs (their Follow_Ups up to 111 ms after them), 35 Announces, 15 exchanges.
    Capture {
        name: "tcpdump_ptp_ethernet.pcap",
        below: &["020000"],
        from_up: &[
            (70, "sync forwarded"),
            (70, "follow_up forwarded"),
            (35, "announce forwarded"),
            (15, "delay_req foreign"),
            (15, "delay_resp not-our-client"),
        ],
        from_down: &[
            (70, "sync master-below"),
            (70, "follow_up master-below"),
            (35, "announce master-below"),
            (15, "delay_req forwarded"),
            (15, "delay_resp master-below"),
        ],
        from_both: &[
            (70, "sync forwarded"),
            (70, "follow_up forwarded"),
            (35, "announce forwarded"),
            (15, "delay_req forwarded"),
            (15, "delay_resp forwarded"),
        ],
        made: 0,
    },
    // A station's five GETs to all-ones, seconds apart, and a clock's RESPONSEs, all with sequenceId 0.
    Capture {
        name: "tcpdump_ptp_management.pcap",
        below: &["000011"],
        from_up: &[
            (5, "management management"),
            (5, "management management-unsolicited"),
        ],
        from_down: &[(5, "management forwarded"), (5, "management management")],
        from_both: &[(10, "management forwarded")],
        made: 0,
    },
    // A master that also asks its neighbour.
    Capture {
        name: "tcpdump_ptp_v2_1.pcap",
        below: &[],
        from_up: &[
            (11, "sync forwarded"),
            (11, "follow_up forwarded"),
            (5, "announce forwarded"),
            (11, "pdelay_req peer-delay"),
        ],
        from_down: &[
            (11, "sync master-below"),
            (11, "follow_up master-below"),
            (5, "announce master-below"),
            (11, "pdelay_req peer-delay"),
        ],
        from_both: &[
            (11, "sync forwarded"),
            (11, "follow_up forwarded"),
            (5, "announce forwarded"),
            (11, "pdelay_req peer-delay"),
        ],
        made: 0,
    },
];

#[test]
fn captures_get_the_verdicts_that_were_read_in_them() -> Result {
    let Some(folder) = files::folder()? else {
        return Ok(());
    };
    for capture in CAPTURES {
        let frames = files::frames(&folder, capture.name)?;
        let own_side = |frame: &Frame<'_>| {
            let clock = frame.port_identity().clock.to_string().replace('.', "");
            let below = capture.below.iter().any(|end| clock.ends_with(end));
            if below { Down } else { Up }
        };
        for (name, side, expected, made) in [
            ("up", Some(Up), capture.from_up, capture.made),
            ("down", Some(Down), capture.from_down, 0),
            ("both", None, capture.from_both, capture.made),
        ] {
            let case = format!("{} from {name}", capture.name);
            let expected: BTreeMap<_, _> = expected
                .iter()
                .map(|&(count, verdict)| (verdict.to_owned(), count))
                .collect();
            let (verdicts, gateway) = replay(&frames, |frame| side.unwrap_or(own_side(frame)));
            assert_eq!(verdicts, expected, "{case}");
            assert_eq!(gateway.left.len(), made, "{case}: Follow_Ups made");
            assert_eq!(gateway.core.waiting(), 0, "{case}");
            gateway.assert_conserved();
        }
    }
    Ok(())
}

/// The verdicts counted; stamps and present are the capture's, departures 10 us later.
fn replay(
    frames: &[(u64, Vec<u8>)],
    side: impl Fn(&Frame<'_>) -> Side,
) -> (BTreeMap<String, usize>, Gateway) {
    let mut gateway = Gateway::new(unheld());
    let mut verdicts = BTreeMap::new();
    for (at, bytes) in frames {
        let frame = Frame::parse(bytes).expect("a frame");
        gateway.now = *at;
        gateway.core.advance(gateway.instant());
        gateway.flush();
        let stamp = Stamp::new(ClockId::Steady, i64::try_from(*at).expect("this century"));
        let verdict = match gateway.hears_bytes(side(&frame), bytes, *at, Ok(stamp)) {
            Outcome::Sent(_) => "forwarded",
            Outcome::Waits => "waits",
            Outcome::Dropped(reason) => reason.label(),
        };
        let verdict = format!("{} {verdict}", frame.message_type());
        *verdicts.entry(verdict).or_insert(0) += 1;
    }
    (verdicts, gateway)
}
