//! Nothing from downstream is relayed: the gateway answers for masters, with `--source gateway`.

use super::*;

#[test]
fn alone_it_answers_for_masters_and_relays_nothing_from_below() {
    let mut rig = Rig::new(&[ip(2)]);
    rig.neighbours.answer_alone();
    rig.master_heard(MASTER);
    for (who, asker) in [("a client", CLIENT), ("nobody yet", 0)] {
        let answered = rig.down(CLIENT, ASKS, asker, MASTER);
        assert_eq!(answered, Seen::Answered, "{who}");
    }
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    for (what, seen) in [
        ("asks for a stranger", rig.down(CLIENT, ASKS, CLIENT, OTHER)),
        (
            "answers a master",
            rig.down(CLIENT, ANSWERS, CLIENT, MASTER),
        ),
        ("announces itself", rig.down(CLIENT, ASKS, CLIENT, CLIENT)),
        ("wants an address", rig.down(OTHER, ASKS, 0, OTHER)),
    ] {
        assert_eq!(seen, foreign, "{what}");
    }
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    assert_eq!(rig.down(66, ANSWERS, MASTER, CLIENT), claimed);

    // A silent master is asked as nobody; then whoever waits has its answer.
    let asked = Seen::Asked(Side::Up, ip(2));
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, 2), asked);
    assert_eq!(rig.down(OTHER, ASKS, OTHER, 2), asked);
    assert_eq!(rig.after(1), []);
    assert_eq!(
        rig.up(2, ANSWERS, 2, 0),
        Seen::Relayed,
        "the policy drops what is to us"
    );
    assert_eq!(rig.after(0), [Seen::Answered, Seen::Answered]);
    // For as long as it was heard lately, and no longer.
    rig.now_ms += 29_000;
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, 2), Seen::Answered);
    rig.now_ms += 2_000;
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, 2), asked);
    assert_eq!(
        rig.in_vain(Side::Up, 2),
        [Seen::Dropped(Reason::NeighbourNew)]
    );
    assert_eq!(
        rig.down(CLIENT, ASKS, CLIENT, MASTER),
        Seen::Asked(Side::Up, ip(MASTER))
    );
}

/// The hardware address that is answered is the one that the master was heard from last.
#[test]
fn alone_it_answers_with_the_address_of_now() {
    let mut rig = Rig::new(&[]);
    rig.neighbours.answer_alone();
    for last in [MASTER, 99] {
        let now = rig.now();
        rig.neighbours.master_heard(place(MASTER), mac(last), now);
        let bytes = arp(CLIENT, ASKS, CLIENT, MASTER);
        let asked = Neighbour::parse(&bytes).unwrap().unwrap();
        let own = |_| false;
        let Decision::Answer(answer) = rig.neighbours.decide(&asked, Side::Down, own, now) else {
            panic!("no answer");
        };
        assert_eq!(Some(answer), asked.answer(mac(last)));
        rig.now_ms += 1_000;
    }
}

/// Who floods is limited alone.
#[test]
fn alone_a_flood_does_no_harm_to_those_who_are_known() {
    let mut rig = Rig::new(&[]);
    rig.neighbours.answer_alone();
    rig.master_heard(MASTER);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Answered);
    rig.is_flooded(62);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Answered);
    let passed = (0..100).filter(|_| rig.down(CLIENT, ASKS, CLIENT, MASTER) == Seen::Answered);
    assert!(passed.count() <= 8);
}

/// Who has no address yet asks as nobody: all of them together are limited.
#[test]
fn alone_those_who_have_no_address_yet_are_limited() {
    let mut rig = Rig::new(&[]);
    rig.neighbours.answer_alone();
    rig.master_heard(MASTER);
    let seen: Vec<Seen> = (0..3_000)
        .map(|_| rig.down(CLIENT, ASKS, 0, MASTER))
        .collect();
    let answered = seen.iter().filter(|one| **one == Seen::Answered).count();
    assert!(
        (1..=1_000).contains(&answered),
        "{answered} of 3000 answered"
    );
    let limited = Seen::Dropped(Reason::NeighbourRate);
    assert_eq!(seen.last(), Some(&limited));
}
