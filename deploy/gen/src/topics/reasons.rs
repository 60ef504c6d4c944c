//! Drop reasons.

use ptpproxy::reason::Reason;

use crate::topic::{Row, Table, Topic, sentence};

pub(crate) fn topic() -> Topic {
    let rows = Reason::ALL.iter().map(|reason| Row {
        term: reason.label().to_owned(),
        cells: vec![meaning(*reason), sentence(reason.remedy())],
    });
    Topic {
        name: "ptpproxy-reasons",
        section: "7",
        title: "Drop reasons",
        about: "why ptpproxy dropped a frame, and what to do",
        text: "Each dropped frame is counted under one of these words. They are the same in the log, in `ptpproxy status`, \
               in the totals at the end, in the metrics and in `ptpproxy replay`.\n\nThe kernel drops most of what is not \
               for these clients before the program sees it. From upstream, `foreign`, `not-our-client`, `peer-delay`, \
               `gptp`, `version` and `unknown-type`, and on both sides `domain`, are counted in full up to about 64 a second each; of \
               a flood at least one in 1024 is."
            .to_owned(),
        tables: vec![
            Table {
                heading: "Reasons".to_owned(),
                text: String::new(),
                columns: &["reason", "what happened", "what to do"],
                rows: rows.collect(),
            },
            clients(),
        ],
        see_also: &[
            ("ptpproxy", "8"),
            ("ptpproxy-replay", "8"),
            ("ptpproxy-warnings", "7"),
        ],
    }
}

/// What happened, and what else there is to know.
fn meaning(reason: Reason) -> String {
    let text = format!("{} {}", sentence(reason.describe()), reason.details());
    text.trim_end().to_owned()
}

/// What each kind of client gets, and each program that was tried.
fn clients() -> Table {
    let row = |&(term, gets, tried): &(&str, &str, &str)| Row {
        term: term.to_owned(),
        cells: vec![gets.to_owned(), tried.to_owned()],
    };
    Table {
        heading: "What clients get".to_owned(),
        text: "Each program ran through the real gateway in network namespaces joined by veth, eight requests a second \
               where it can."
            .to_owned(),
        columns: &["client", "what it gets", "tried with"],
        rows: CLIENTS.iter().map(row).collect(),
    }
}

const CLIENTS: [(&str, &str, &str); 11] = [
    (
        "End to end, multicast",
        "Sync, Follow_Up, Announce and its Delay_Resp, corrected. Its requests are held.",
        "`ptp4l` 3.1.1 and 4.4, `statime` 0.4.0: all requests answered, path delay 3 to 6 us, as of the cables. `ptpd` \
         2.3.1 (without `servo:max_delay`): all requests answered.",
    ),
    (
        "Hybrid, or negotiated unicast",
        "The same. Over UDP it finds its master by `--neighbours`; one that is silent until asked must be listed \
         (`--unicast-master`).",
        "`ptp4l` 3.1.1 with `hybrid_e2e`, and with a `unicast_master_table`, nothing static: it locks over IPv4 and IPv6.",
    ),
    (
        "Unicast to another subnet",
        "With `--routed` the same, routed by the gateway. Without it nothing from the gateway: the kernel of this machine \
         routes it, uncorrected (`routed`, a warning).",
        "`ptp4l` 3.1.1 with `hybrid_e2e`, and with a `unicast_master_table`, over IPv4 and IPv6: path delay as of multicast \
         clients. Without the option 17 to 19 us in place of 4.",
    ),
    (
        "Simple PTP (SPTP)",
        "Its Sync and Announce. The residence of its request goes into correctionField of the Announce, as measured; \
         that of the Sync into its own, as estimated when it is sent. It is not held, and counts as answered by the \
         Announce. With hardware timestamps its Syncs are dropped (`sptp-sync`).",
        "Messages made as the `sptp` and `ptp4u` programs make them, on UDP sockets; not with the programs.",
    ),
    (
        "Peer delay (P2P)",
        "Sync, Follow_Up and Announce; its peer delay messages are dropped (`peer-delay`) and its clock is logged. Where \
         all do so, the warning `nobody-asks` says it.",
        "`ptp4l` 3.1.1 with `delay_mechanism P2P`.",
    ),
    (
        "End to end, of a master that uses peer delay",
        "Sync, Follow_Up and Announce; no answer. The warning `no-answers` says why.",
        "`ptp4l` 3.1.1 with `delay_mechanism P2P` as the master.",
    ),
    (
        "IEEE 802.1AS (gPTP)",
        "Nothing (`gptp`). Where all are such, the warning `nobody-asks` says it.",
        "`ptp4l` 3.1.1 with `transportSpecific 1`.",
    ),
    (
        "NTP over PTP",
        "Nothing (`ntp-over-ptp`).",
        "`chronyd` 4.3 with `ptpport 319` at both ends.",
    ),
    (
        "Who only listens",
        "Sync, Follow_Up and Announce. It sends nothing, so it is not in the list of clients. Where all are such, the \
         warning `nobody-asks` means nothing.",
        "Not tried.",
    ),
    (
        "Unicast Sync without Delay_Req",
        "What it negotiated. It is in the list of clients, without requests.",
        "Not tried.",
    ),
    ("PTP version 1", "Nothing (`version`).", "Captures only."),
];
