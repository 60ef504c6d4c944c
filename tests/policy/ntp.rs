//! NTP in the shape of Delay_Req (chrony's `ptpport`): all of it looks alike, from nobody and with one sequenceId. It is
//! no client, no duplicate and no second path.

use std::iter;

use ptpproxy::Side::{Down, Up};
use ptpproxy::reason::Reason;
use ptpproxy::wire::{MessageType, PortIdentity};

use crate::frames::*;
use crate::gateway::Outcome::Dropped;
use crate::gateway::{Gateway, MS, unheld};

/// What chrony 4.3 sends, but for the addresses: domain 123, identity and sequenceId 0, NTP in a TLV of 48 bytes.
fn ntp(from: u8, to: u8) -> Message {
    let mut message = delay_req(from, 0).on(UDP4).domain(123).to(To::Host(to));
    message.sender = PortIdentity::default();
    message.body.extend([0x20, 0x23, 0, 48]);
    message.body.extend([0; 48]);
    message
}

#[test]
fn ntp_is_dropped_by_its_name_on_both_sides() {
    let mut gateway = Gateway::new(unheld());
    for _ in 0..3 {
        for client in [10, 11] {
            let asked = gateway.hears(Down, &ntp(client, 1));
            assert_eq!(asked, Dropped(Reason::NtpOverPtp));
            let answered = gateway.hears(Up, &ntp(1, client));
            assert_eq!(answered, Dropped(Reason::NtpOverPtp));
        }
        gateway.pass(MS * 10);
    }
    // With a sequenceId, in another domain or over another transport as well.
    for mut other in [ntp(10, 1), ntp(10, 1).domain(0), ntp(10, 1).on(ETHERNET)] {
        other.sequence_id = 7;
        assert_eq!(gateway.hears(Down, &other), Dropped(Reason::NtpOverPtp));
    }
    assert_eq!(gateway.core.clients(), 0);
    assert_eq!(iter::from_fn(|| gateway.core.next_event()).count(), 0);
    // Beside it a client of PTP is served, in the same domain too.
    let request = delay_req(10, 0).on(UDP4).domain(123);
    assert!(gateway.hears(Down, &request).is_sent());
    let answer = delay_resp(1, 0, port(10)).on(UDP4).domain(123);
    assert!(gateway.hears(Up, &answer).is_sent());
    for side in [Up, Down] {
        for reason in [Reason::Duplicate, Reason::SecondPath, Reason::Foreign] {
            assert_eq!(gateway.dropped(side, MessageType::DelayReq, reason), 0);
        }
    }
    gateway.assert_conserved();
}

/// Who has a name, or another TLV first, is a client like any other.
#[test]
fn other_requests_with_tlvs_are_no_ntp() {
    let mut named = ntp(10, 1);
    named.sender = port(10);
    let mut other = ntp(10, 1);
    other.body[10..12].copy_from_slice(&[0x20, 0x24]);
    let mut none = ntp(10, 1);
    none.body.truncate(10);
    for message in [named, other, none] {
        let mut gateway = Gateway::new(unheld());
        assert!(gateway.hears(Down, &message).is_sent(), "{message:?}");
    }
}
