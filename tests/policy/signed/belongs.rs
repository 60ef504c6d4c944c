//! Who may go on what another has begun: a name, an exchange and a Sync belong to whose key signed first.

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{RequireAuthentication, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::wire::MessageType;

use super::{KEY, OTHER, corrected, required, with_keys};
use crate::frames::*;
use crate::gateway::Outcome::{self, Dropped};
use crate::gateway::{Gateway, TX_DELAY_NS, unheld};

/// A signed sign of a second path counts as any other.
#[test]
fn a_signed_copy_still_shows_a_second_path() {
    let mut gateway = with_keys(required(), &[KEY]);
    for (from, message) in [
        (Up, announce(1, 0, clock(1))),
        (Up, sync(1, 1)),
        (Down, delay_req(2, 7)),
    ] {
        assert!(gateway.hears(from, &KEY.signs(message)).is_sent());
    }
    let copy = KEY.signs(delay_req(2, 7));
    assert_eq!(gateway.hears(Up, &copy), Dropped(Reason::SecondPath));
    let copy = KEY.signs(sync(1, 1));
    assert_eq!(gateway.hears(Down, &copy), Dropped(Reason::SecondPath));
}

/// Only where it is required must everybody sign; the sides are told apart.
#[test]
fn each_side_may_be_required() {
    for (require, up, down) in [
        (RequireAuthentication::Off, true, true),
        (RequireAuthentication::Up, false, true),
        (RequireAuthentication::Down, true, false),
        (RequireAuthentication::Both, false, false),
    ] {
        let settings = Settings {
            require_authentication: require,
            ..unheld()
        };
        let mut gateway = with_keys(settings.clone(), &[KEY]);
        let unsigned = Dropped(Reason::Unsigned);
        let said = gateway.hears(Up, &announce(1, 0, clock(1)));
        assert_eq!(said == unsigned, !up, "{require:?}: {said:?}");
        assert!(
            gateway
                .hears(Up, &KEY.signs(announce(1, 1, clock(1))))
                .is_sent()
        );
        let said = gateway.hears(Down, &delay_req(2, 1));
        assert_eq!(said == unsigned, !down, "{require:?}: {said:?}");
        // Without keys nothing can be verified: nothing passes.
        let mut gateway = Gateway::new(settings);
        for message in [
            announce(1, 0, clock(1)),
            KEY.signs(announce(1, 1, clock(1))),
        ] {
            let outcome = gateway.hears(Up, &message);
            assert_eq!(outcome.is_sent(), up, "{require:?}: {outcome:?}");
        }
    }
}

/// Unsigned clients beside signed ones: a name that was signed for cannot be used without that signature.
#[test]
fn a_name_belongs_to_who_signs_for_it() {
    let mut gateway = with_keys(unheld(), &[KEY, OTHER]);
    assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
    assert!(gateway.hears(Up, &sync(1, 1)).is_sent());
    assert!(gateway.hears(Down, &delay_req(5, 1)).is_sent());
    // Who begins unsigned may sign later, and not go back.
    assert!(gateway.hears(Down, &delay_req(2, 1)).is_sent());
    assert!(gateway.hears(Down, &KEY.signs(delay_req(2, 2))).is_sent());
    for (message, expected) in [
        (delay_req(2, 3), Reason::Unsigned),
        (signaling(2, 3, port(1)), Reason::Unsigned),
        (OTHER.signs(delay_req(2, 3)), Reason::BadAuthentication),
    ] {
        assert_eq!(gateway.hears(Down, &message), Dropped(expected));
    }
    for (message, expected) in [
        (delay_resp(1, 2, port(2)), Reason::Unsigned),
        (signaling(1, 2, port(2)), Reason::Unsigned),
        (
            OTHER.signs(delay_resp(1, 2, port(2))),
            Reason::BadAuthentication,
        ),
    ] {
        assert_eq!(gateway.hears(Up, &message), Dropped(expected));
    }
    let answer = KEY.signs(delay_resp(1, 2, port(2)));
    assert!(gateway.hears(Up, &answer).is_sent());
    assert!(gateway.hears(Up, &delay_resp(1, 1, port(5))).is_sent());
}

/// Sync and Follow_Up belong to one association, whichever comes first.
#[test]
fn a_follow_up_is_signed_as_its_sync() {
    let start = || {
        let mut gateway = with_keys(unheld(), &[KEY, OTHER]);
        assert!(gateway.hears(Up, &announce(1, 0, clock(1))).is_sent());
        gateway
    };
    let follow_up = || follow_up(1, 1, 9);
    for (message, expected) in [
        (follow_up(), Reason::Unsigned),
        (OTHER.signs(follow_up()), Reason::BadAuthentication),
    ] {
        let mut gateway = start();
        assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
        assert_eq!(gateway.hears(Up, &message), Dropped(expected));
        assert!(gateway.hears(Up, &KEY.signs(follow_up())).is_sent());
    }
    // The other way round: an unsigned one that came first is not taken for it.
    let mut gateway = start();
    assert_eq!(gateway.hears(Up, &follow_up()), Outcome::Waits);
    assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
    assert_eq!(
        gateway.dropped(Up, MessageType::FollowUp, Reason::Unsigned),
        1
    );
    let right = KEY.signs(follow_up());
    let expected = KEY.signs_again(corrected(&right, TX_DELAY_NS));
    assert_eq!(gateway.hears(Up, &right), Outcome::Sent(expected.bytes()));
    // And a signed one waits for the Sync of its association.
    let mut gateway = start();
    assert_eq!(gateway.hears(Up, &right), Outcome::Waits);
    assert_eq!(gateway.hears(Up, &sync(1, 1)), Dropped(Reason::Unsigned));
    let other = OTHER.signs(sync(1, 1));
    assert_eq!(
        gateway.hears(Up, &other),
        Dropped(Reason::BadAuthentication)
    );
    assert!(gateway.hears(Up, &KEY.signs(sync(1, 1))).is_sent());
    let left: Vec<&[u8]> = gateway.left.iter().map(|left| &left.bytes[..]).collect();
    assert_eq!(left, [&expected.bytes()[..]]);
    gateway.assert_conserved();
}
