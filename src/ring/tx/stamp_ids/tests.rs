//! The matching of ids to tokens, against a kernel that counts, fails, loses and delays.

use super::*;
use crate::time::ClockId;
use proptest::prelude::*;

const EXACT: fn(u32) -> Option<Counted> = |frames| Some(Counted::exactly(frames));
const DOUBT: fn(u32) -> Option<Counted> = |frames| {
    Some(Counted {
        least: frames,
        most: frames + 1,
    })
};

fn at(ns: i64) -> Stamp {
    Stamp::new(ClockId::Realtime, ns)
}

/// Feeds ids; returns the tokens they reach.
fn feed(ids: &mut StampIds<u32>, stamps: &[u32]) -> Vec<u32> {
    let mut reached = Vec::new();
    for &id in stamps {
        ids.stamp(id, at(i64::from(id)), &mut |token, _| reached.push(token));
    }
    reached
}

fn send(ids: &mut StampIds<u32>, tokens: &[u32], counted: Option<Counted>) {
    ids.sent(&mut tokens.iter().copied().map(Some).collect(), counted);
}

#[test]
fn ids_reach_their_tokens_across_the_wrap() {
    let mut ids = StampIds::new(8);
    ids.next = u32::MAX - 1;
    send(&mut ids, &[10, 11, 12, 13], EXACT(4));
    assert_eq!(
        feed(&mut ids, &[u32::MAX, 1, u32::MAX - 1, 0]),
        [11, 13, 10, 12]
    );
    assert_eq!(feed(&mut ids, &[0]), [0; 0], "one send, one stamp");
    assert!(ids.is_sure());
}

#[test]
fn tokenless_frames_use_ids_too() {
    let mut ids = StampIds::new(8);
    ids.sent(&mut vec![None, Some(1), None, Some(3)], EXACT(4));
    assert_eq!(feed(&mut ids, &[0, 1, 2, 3]), [1, 3]);
}

#[test]
fn complete_trial_finds_the_counter_again() {
    for used in [0, 1] {
        let mut ids = StampIds::new(8);
        send(&mut ids, &[0, 1], DOUBT(2));
        assert!(!ids.is_sure() && ids.may_stamp());
        send(&mut ids, &[2, 3], EXACT(2));
        assert!(!ids.may_stamp());
        assert_eq!(feed(&mut ids, &[0, 1, 2 + used, 3 + used]), [0, 1, 2, 3]);
        assert!(ids.is_sure());
        send(&mut ids, &[4], EXACT(1));
        assert_eq!(feed(&mut ids, &[4 + used]), [4]);
    }
}

#[test]
fn trial_with_a_gap_or_a_loss_delivers_nothing() {
    let mut ids = StampIds::new(8);
    send(&mut ids, &[], DOUBT(0));
    send(&mut ids, &[1, 2], EXACT(2));
    assert_eq!(feed(&mut ids, &[0, 2]), [0; 0]);
    assert!(!ids.may_stamp());
    ids.reset();
    assert_eq!(ids.lost(), 2);
    send(&mut ids, &[], DOUBT(0));
    send(&mut ids, &[1, 2], EXACT(2));
    assert_eq!(feed(&mut ids, &[1]), [0; 0]);
    assert!(!ids.may_stamp());
}

#[test]
fn trial_whose_kick_fails_is_none() {
    let mut ids = StampIds::new(8);
    send(&mut ids, &[], DOUBT(0));
    // Ids 0 or 1 for token 5, then one for the frame that failed: it alone was stamped at once.
    send(&mut ids, &[5], EXACT(2));
    assert_eq!(feed(&mut ids, &[1]), [0; 0]);
    assert!(!ids.may_stamp());
}

#[test]
fn stamped_failure_settles_the_doubt() {
    let mut ids = StampIds::new(8);
    send(&mut ids, &[7], DOUBT(1));
    assert_eq!(feed(&mut ids, &[0, 1]), [7]);
    assert!(ids.is_sure());
    send(&mut ids, &[8], EXACT(1));
    assert_eq!(feed(&mut ids, &[2]), [8]);
}

#[test]
fn impossible_id_ends_all_trust() {
    let mut ids = StampIds::new(8);
    send(&mut ids, &[1, 2], EXACT(2));
    assert_eq!(feed(&mut ids, &[2, 0, 1]), [0; 0]);
    assert_eq!(ids.lost(), 2);
    assert!(!ids.may_stamp());
}

#[test]
fn forgotten_tokens_make_room() {
    let mut ids = StampIds::new(4);
    for round in 0..10 {
        send(&mut ids, &[round], EXACT(1));
    }
    assert_eq!(ids.lost(), 6);
    assert_eq!(feed(&mut ids, &[5, 6, 9]), [6, 9]);
}

/// One kick of the model: frames, where it fails, whether the failure used an id, whether that id
/// was stamped.
#[derive(Clone, Debug)]
struct Kick {
    frames: u32,
    fails_at: Option<u32>,
    uses_id: bool,
    stamped: bool,
    lose: u8,
    hold: bool,
    shuffle: bool,
}

fn kick() -> impl Strategy<Value = Kick> {
    (
        1_u32..6,
        proptest::option::weighted(0.3, 0_u32..6),
        any::<bool>(),
        any::<bool>(),
        any::<u8>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(frames, fails_at, uses_id, stamped, lose, hold, shuffle)| Kick {
                frames,
                fails_at: fails_at.filter(|&at| at < frames),
                uses_id,
                stamped: stamped && uses_id,
                lose,
                hold,
                shuffle,
            },
        )
}

proptest! {
    /// A kernel that counts, fails, loses, delays and reorders: no stamp ever reaches a wrong token,
    /// and without a loss none is missed but those of kicks that were not stamped.
    #[test]
    fn never_a_wrong_token(
        kicks in proptest::collection::vec(kick(), 1..60),
        lossy in any::<bool>(),
        start in any::<u32>(),
    ) {
        let mut ids = StampIds::new(512);
        ids.next = start;
        let mut counter = start;
        let mut frame = 0_u32;
        // The stamp carries the frame's number, so that a wrong match shows.
        let mut queue: Vec<(u32, u32)> = Vec::new();
        let mut wrong = Vec::new();
        let mut delivered = 0_u64;
        let mut given = 0_u64;
        let mut drain = |ids: &mut StampIds<u32>, queue: &mut Vec<(u32, u32)>| {
            for (id, frame) in queue.drain(..) {
                ids.stamp(id, at(i64::from(frame)), &mut |token: u32, stamp| {
                    delivered += 1;
                    if stamp.as_nanos() != i64::from(token) {
                        wrong.push((token, stamp));
                    }
                });
            }
        };
        let mut late = Vec::new();
        let mut adrift = false;
        for kick in kicks {
            if !ids.is_sure() {
                drain(&mut ids, &mut queue);
            }
            if ids.may_stamp() {
                let taken = kick.fails_at.unwrap_or(kick.frames);
                let mut tokens = Vec::new();
                for number in 0..taken {
                    if !(lossy && kick.lose & (1 << number) != 0) {
                        let to = if kick.hold { &mut late } else { &mut queue };
                        to.push((counter, frame));
                    }
                    counter = counter.wrapping_add(1);
                    tokens.push(Some(frame));
                    given += 1;
                    frame += 1;
                }
                if kick.fails_at.is_some() && kick.uses_id {
                    if kick.stamped {
                        // No frame of ours has this number.
                        queue.push((counter, u32::MAX));
                    }
                    counter = counter.wrapping_add(1);
                }
                let counted = match kick.fails_at {
                    Some(0) => DOUBT(0),
                    Some(_) => EXACT(taken + u32::from(kick.uses_id)),
                    None => EXACT(taken),
                };
                ids.sent(&mut tokens, counted);
                adrift |= ids.state == State::Adrift;
                if kick.fails_at.is_some() {
                    drain(&mut ids, &mut queue);
                }
            } else {
                queue.append(&mut late);
            }
            if kick.shuffle {
                queue.reverse();
            }
            if !kick.hold {
                queue.append(&mut late);
                drain(&mut ids, &mut queue);
            }
        }
        queue.append(&mut late);
        drain(&mut ids, &mut queue);
        prop_assert!(wrong.is_empty(), "{wrong:?}");
        if !lossy && !adrift {
            prop_assert_eq!(delivered, given);
            prop_assert_eq!(ids.lost(), 0);
        }
    }
}
