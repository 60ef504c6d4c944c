//! Every row of the policy's table: both sides, all transports, zero to two tags, either group address.

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::reason::Reason;
use ptpproxy::wire::{Frame, MessageType, PortIdentity};

use crate::frames::*;
use crate::gateway::{Gateway, Outcome, TX_DELAY_NS, unheld};

/// A master above, another one, our client, a client of somebody else, a management station, a rogue.
const MASTER: u8 = 1;
const OTHER_MASTER: u8 = 2;
const CLIENT: u8 = 10;
const STRANGER: u8 = 20;
const STATION: u8 = 30;
const ROGUE: u8 = 66;

/// What a row says of its last message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Forward,
    /// With the residence of its event message added.
    Correct,
    /// As two-step, and a Follow_Up is made.
    Convert,
    Drop(Reason),
}

use Says::{Convert, Correct, Drop, Forward};

/// A row: where its last message comes from, what comes before it, and the verdict.
struct Row {
    name: &'static str,
    before: Vec<(Side, Message)>,
    from: Side,
    message: Message,
    says: Says,
}

fn row(name: &'static str, from: Side, message: Message, says: Says) -> Row {
    Row {
        name,
        before: Vec::new(),
        from,
        message,
        says,
    }
}

impl Row {
    fn after(mut self, side: Side, message: Message) -> Self {
        self.before.push((side, message));
        self
    }
}

/// The table. Our client has asked request 1, which is open; the master has announced itself.
#[rustfmt::skip]
fn table() -> Vec<Row> {
    let answer = || delay_resp(MASTER, 1, port(CLIENT));
    let ask = |action| management(STATION, 3, port(MASTER), action);
    let mut rows = vec![
        row("time", Up, sync(MASTER, 1), Forward),
        row("time, one-step", Up, one_step(MASTER, 1, 9), Convert),
        row("time's follow-up", Up, follow_up(MASTER, 1, 9), Correct).after(Up, sync(MASTER, 1)),
        row("announce", Up, announce(MASTER, 1, clock(MASTER)), Forward),

        row("answer", Up, answer(), Correct),
        row("second answer", Up, answer(), Drop(Reason::Duplicate)).after(Up, answer()),
        row("answer of another master", Up, delay_resp(OTHER_MASTER, 1, port(CLIENT)), Correct).after(Up, answer()).after(Up, announce(OTHER_MASTER, 1, clock(OTHER_MASTER))),
        row("answer of one that announced nothing", Up, delay_resp(OTHER_MASTER, 1, port(CLIENT)), Drop(Reason::Unannounced)),
        row("answer to nothing", Up, delay_resp(MASTER, 2, port(CLIENT)), Drop(Reason::Unsolicited)),
        row("answer to a stranger", Up, delay_resp(MASTER, 1, port(STRANGER)), Drop(Reason::NotOurClient)),
        row("answer to another port", Up, delay_resp(MASTER, 1, PortIdentity { port: 2, ..port(CLIENT) }), Drop(Reason::NotOurClient)),

        row("request above", Up, delay_req(STRANGER, 1), Drop(Reason::Foreign)),
        row("our request above", Up, delay_req(CLIENT, 1), Drop(Reason::SecondPath)),
        row("our client above", Up, delay_req(CLIENT, 2), Drop(Reason::Foreign)),

        row("signaling to ours", Up, signaling(MASTER, 1, port(CLIENT)), Forward),
        row("signaling to our clock", Up, signaling(MASTER, 1, every_port(CLIENT)), Forward),
        row("signaling to all", Up, signaling(MASTER, 1, PortIdentity::ALL), Forward),
        row("signaling to a stranger", Up, signaling(MASTER, 1, port(STRANGER)), Drop(Reason::NotOurClient)),
        row("signaling to a strange clock", Up, signaling(MASTER, 1, every_port(STRANGER)), Drop(Reason::NotOurClient)),
        row("signaling to another port", Up, signaling(MASTER, 1, PortIdentity { port: 2, ..port(CLIENT) }), Drop(Reason::NotOurClient)),

        row("get from above", Up, management(MASTER, 3, port(CLIENT), GET), Drop(Reason::Management)),
        row("set from above", Up, management(MASTER, 3, port(CLIENT), SET), Drop(Reason::Management)),
        row("command from above", Up, management(MASTER, 3, port(CLIENT), COMMAND), Drop(Reason::Management)),
        row("reserved action from above", Up, management(MASTER, 3, port(CLIENT), 5), Drop(Reason::Management)),
        row("response", Up, management(MASTER, 3, port(STATION), RESPONSE), Forward).after(Down, ask(GET)),
        row("acknowledge", Up, management(MASTER, 3, port(STATION), ACKNOWLEDGE), Forward).after(Down, ask(GET)),
        row("response of another", Up, management(OTHER_MASTER, 3, port(STATION), RESPONSE), Forward)
            .after(Down, ask(GET)).after(Up, management(MASTER, 3, port(STATION), RESPONSE)),
        row("response to nothing", Up, management(MASTER, 3, port(STATION), RESPONSE), Drop(Reason::ManagementUnsolicited)),
        row("acknowledge to nothing", Up, management(MASTER, 3, port(STATION), ACKNOWLEDGE), Drop(Reason::ManagementUnsolicited)),
        row("response to another request", Up, management(MASTER, 4, port(STATION), RESPONSE), Drop(Reason::ManagementUnsolicited)).after(Down, ask(GET)),
        row("response to all", Up, management(MASTER, 3, PortIdentity::ALL, RESPONSE), Drop(Reason::ManagementUnsolicited)).after(Down, ask(GET)),
        row("response to what was dropped", Up, management(MASTER, 3, port(STATION), RESPONSE), Drop(Reason::ManagementUnsolicited)).after(Down, ask(SET)),

        row("request", Down, delay_req(CLIENT, 2), Forward),
        row("a new client's request", Down, delay_req(STRANGER, 1), Forward),
        row("the same request", Down, delay_req(CLIENT, 1), Drop(Reason::Duplicate)),

        row("time from below", Down, sync(ROGUE, 1), Drop(Reason::MasterBelow)),
        row("time from below, one-step", Down, one_step(ROGUE, 1, 9), Drop(Reason::MasterBelow)),
        row("follow-up from below", Down, follow_up(ROGUE, 1, 9), Drop(Reason::MasterBelow)),
        row("announce from below", Down, announce(ROGUE, 1, clock(ROGUE)), Drop(Reason::MasterBelow)),
        row("answer from below", Down, delay_resp(ROGUE, 1, port(CLIENT)), Drop(Reason::MasterBelow)),
        row("our master's time from below", Down, sync(MASTER, 1), Drop(Reason::SecondPath)),
        row("our master's announce from below", Down, announce(MASTER, 1, clock(MASTER)), Drop(Reason::SecondPath)),
        row("a client that plays master", Down, sync(CLIENT, 1), Drop(Reason::MasterBelow)),

        row("signaling", Down, signaling(CLIENT, 1, PortIdentity::ALL), Forward),
        row("a new client's signaling", Down, signaling(STRANGER, 1, port(MASTER)), Forward),
        row("get", Down, ask(GET), Forward),
        row("set", Down, ask(SET), Drop(Reason::Management)),
        row("command", Down, ask(COMMAND), Drop(Reason::Management)),
        row("response from below", Down, ask(RESPONSE), Drop(Reason::Management)),
        row("acknowledge from below", Down, ask(ACKNOWLEDGE), Drop(Reason::Management)),
        row("reserved action", Down, ask(5), Drop(Reason::Management)),
    ];
    for side in [Up, Down] {
        for kind in [MessageType::PdelayReq, MessageType::PdelayResp, MessageType::PdelayRespFollowUp] {
            rows.push(row("peer delay", side, peer_delay(kind, CLIENT), Drop(Reason::PeerDelay)));
        }
        for message in one_of_each() {
            rows.push(row("802.1AS", side, message.sdo(1), Drop(Reason::Gptp)));
        }
    }
    rows
}

/// A message of each type.
fn one_of_each() -> Vec<Message> {
    let mut all = vec![
        sync(MASTER, 1),
        follow_up(MASTER, 1, 9),
        announce(MASTER, 1, clock(MASTER)),
        delay_req(CLIENT, 2),
        delay_resp(MASTER, 1, port(CLIENT)),
        signaling(CLIENT, 1, PortIdentity::ALL),
        management(STATION, 1, port(MASTER), GET),
    ];
    for kind in MessageType::ALL {
        if all.iter().all(|message| message.kind != *kind) {
            all.push(peer_delay(*kind, CLIENT));
        }
    }
    assert_eq!(all.len(), MessageType::ALL.len());
    all
}

#[test]
fn each_row_says_what_the_table_says() {
    let mut cases = 0;
    for transport in TRANSPORTS {
        for tags in TAGS {
            let way = Way { transport, tags };
            for group in [To::Group, To::PeerGroup] {
                for row in table() {
                    check(&row, way, group);
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 2_000, "{cases}");
}

fn check(row: &Row, way: Way, group: To) {
    let case = format!("{} ({way:?}, {group:?})", row.name);
    let mut gateway = Gateway::new(unheld());
    for (side, message) in [
        (Up, announce(MASTER, 0, clock(MASTER))),
        (Down, delay_req(CLIENT, 1)),
    ] {
        let before = gateway.hears(side, &message.on(way));
        assert!(before.is_sent(), "{case}: {before:?}");
    }
    for (side, message) in &row.before {
        // Before a verdict each message stands as it stands: most pass, some are to be dropped.
        let _ = gateway.hears(*side, &message.clone().on(way));
    }
    let message = row.message.clone().on(way).to(group);
    let outcome = gateway.hears(row.from, &message);
    let before = message.bytes();
    let residence = i64::try_from(TX_DELAY_NS << 16).expect("small");
    match (row.says, &outcome) {
        (Forward, Outcome::Sent(sent)) => assert_eq!(*sent, before, "{case}: untouched"),
        (Correct, Outcome::Sent(sent)) => {
            let expected = Message {
                correction: residence,
                ..message
            };
            assert_eq!(*sent, expected.bytes(), "{case}: corrected");
        }
        (Convert, Outcome::Sent(sent)) => {
            let expected = Message {
                two_step: true,
                ..message
            };
            assert_eq!(*sent, expected.bytes(), "{case}: made two-step");
            let [made] = &gateway.left[..] else {
                panic!("{case}: {} made", gateway.left.len());
            };
            let made = Frame::parse(&made.bytes).expect("a frame");
            assert_eq!(made.message_type(), MessageType::FollowUp, "{case}");
            assert_eq!(made.correction(), residence, "{case}");
            assert_eq!(made.timestamp().and_then(|t| t.as_nanos()), Some(9));
        }
        (Drop(expected), Outcome::Dropped(reason)) => {
            assert_eq!(*reason, expected, "{case}");
            assert_eq!(gateway.dropped(row.from, message.kind, expected), 1);
        }
        (expected, outcome) => panic!("{case}: {expected:?} expected, {outcome:?}"),
    }
    gateway.assert_conserved();
}

#[test]
fn what_is_for_the_host_is_left_to_it() {
    for side in [Up, Down] {
        for message in one_of_each() {
            let mut gateway = Gateway::new(unheld());
            // By IP a group of PTP goes on: `own_mac` tests that.
            for message in [message.clone(), message.on(UDP4).to(To::Host(0xF0))] {
                let outcome = gateway.hears_for_host(side, &message);
                assert_eq!(outcome, Outcome::Dropped(Reason::ToHost), "{message:?}");
                assert_eq!(gateway.core.clients(), 0);
            }
        }
    }
}

/// Other values of majorSdoId than 0 and 1 are no business of ours: they pass, and keep apart.
#[test]
fn other_sdos_pass_and_are_kept_apart() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(CLIENT, 1).sdo(2)).is_sent());
    let answer = delay_resp(MASTER, 1, port(CLIENT));
    assert_eq!(
        gateway.hears(Up, &answer),
        Outcome::Dropped(Reason::Unsolicited)
    );
    assert!(gateway.hears(Up, &answer.sdo(2)).is_sent());
}
