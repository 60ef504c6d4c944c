//! What a reader sees of unicast negotiation: each grant of each client, until it ends, is cancelled, or the client is
//! forgotten.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{ClientMatch, Settings};
use ptpproxy::telemetry::GRANTED;
use ptpproxy::wire::MessageType::{self, Announce, DelayResp, Sync};

use crate::frames::*;
use crate::gateway::{Gateway, SECOND, unheld};

const MASTER: u8 = 1;
const CLIENT: u8 = 10;

/// Signaling to a client with these TLVs: tlvType, message type, seconds.
fn says(from: u8, to: u8, number: u16, tlvs: &[(u8, MessageType, u32)]) -> Message {
    let mut message = signaling(from, number, port(to));
    for &(tlv, about, seconds) in tlvs {
        let about = (about as u8) << 4;
        match tlv {
            4 => message.body.extend([0, 4, 0, 6, about, 0]),
            5 => message.body.extend([0, 5, 0, 8, about, 0]),
            _ => message.body.extend([0, 6, 0, 2, about, 0]),
        }
        if tlv != 6 {
            message.body.extend(seconds.to_be_bytes());
        }
        if tlv == 5 {
            message.body.extend([0, 1]);
        }
    }
    message
}

/// What a client is granted, and for how many seconds more.
fn granted(gateway: &Gateway, client: u8) -> Vec<(MessageType, u64)> {
    let slots = gateway.core.client_slots();
    let view = slots.iter().find(|view| view.identity == port(client));
    let running = view.expect("a client").grants.running(gateway.instant());
    running.map(|(of, left)| (of, left.as_secs())).collect()
}

fn clients(gateway: &Gateway) -> [u32; GRANTED.len()] {
    gateway.core.client_slots().grants(gateway.instant())
}

#[test]
fn each_grant_is_seen_until_it_ends() {
    let mut gateway = Gateway::new(unheld());
    let asks = [(4, Announce, 60), (4, Sync, 60), (4, DelayResp, 60)];
    assert!(
        gateway
            .hears(Down, &says(CLIENT, MASTER, 1, &asks))
            .is_sent()
    );
    assert_eq!(granted(&gateway, CLIENT), [], "only asked for");
    // What a client calls a grant is none.
    let own = says(CLIENT, MASTER, 2, &[(5, Sync, 600)]);
    assert!(gateway.hears(Down, &own).is_sent());
    assert_eq!(granted(&gateway, CLIENT), []);
    let grants = [(5, Announce, 300), (5, Sync, 60), (5, DelayResp, 0)];
    let grants = says(MASTER, CLIENT, 1, &grants);
    assert!(gateway.hears(Up, &grants).is_sent());
    // A refusal is none.
    assert_eq!(granted(&gateway, CLIENT), [(Announce, 300), (Sync, 60)]);
    assert_eq!(clients(&gateway), [1, 1, 0]);

    gateway.skip(SECOND * 20);
    let more = says(MASTER, CLIENT, 2, &[(5, Sync, 0), (5, DelayResp, 60)]);
    assert!(gateway.hears(Up, &more).is_sent());
    let expected = [(Announce, 280), (Sync, 40), (DelayResp, 60)];
    assert_eq!(granted(&gateway, CLIENT), expected, "a renewal was refused");
    gateway.skip(SECOND * 45);
    let expected = [(Announce, 235), (DelayResp, 15)];
    assert_eq!(granted(&gateway, CLIENT), expected);
    assert_eq!(clients(&gateway), [1, 0, 1]);

    // Either side cancels.
    let cancels = says(CLIENT, MASTER, 3, &[(6, DelayResp, 0)]);
    assert!(gateway.hears(Down, &cancels).is_sent());
    assert_eq!(granted(&gateway, CLIENT), [(Announce, 235)]);
    let cancels = says(MASTER, CLIENT, 3, &[(6, Announce, 0)]);
    assert!(gateway.hears(Up, &cancels).is_sent());
    assert_eq!(granted(&gateway, CLIENT), []);
}

#[test]
fn whoever_takes_the_row_of_a_forgotten_client_has_no_grant() {
    let mut gateway = Gateway::new(unheld());
    let hello = says(CLIENT, MASTER, 1, &[(4, Sync, 60)]);
    assert!(gateway.hears(Down, &hello).is_sent());
    let grant = says(MASTER, CLIENT, 1, &[(5, Sync, 300)]);
    assert!(gateway.hears(Up, &grant).is_sent());
    let row = |gateway: &Gateway, client| {
        let slots = gateway.core.client_slots();
        let view = slots.iter().find(|view| view.identity == port(client));
        view.map(|view| view.row)
    };
    let before = row(&gateway, CLIENT).unwrap();
    // It is kept for the length of its grant; then the row is another's, before the grant's own end is past.
    let listed = Settings {
        clients: vec![ClientMatch::Port(port(11))].into(),
        ..unheld()
    };
    gateway.core.apply(listed.validated().unwrap());
    gateway.skip(SECOND);
    let _ = gateway.hears(Down, &says(CLIENT, MASTER, 2, &[(4, Sync, 60)]));
    assert_eq!(row(&gateway, CLIENT), None);
    let other = says(11, MASTER, 1, &[(4, Sync, 60)]);
    assert!(gateway.hears(Down, &other).is_sent());
    assert_eq!(row(&gateway, 11), Some(before));
    assert_eq!(granted(&gateway, 11), []);
}
