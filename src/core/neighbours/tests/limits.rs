//! How much there may be of it: floods, tables that are full, what a side has in a second.

use super::*;

/// Room for as many as the network has.
fn large(listed: &[IpAddr]) -> Rig {
    let mut rig = Rig::new(listed);
    rig.neighbours = Neighbours::new(4096, listed, Secret(1, 2));
    rig
}

impl Rig {
    /// Somebody asks in ten thousand names for as many addresses: of a table of 64 they get so many rows.
    pub(super) fn is_flooded(&mut self, rows: usize) {
        let (mut answered, mut limited) = (0, 0);
        for n in 0..10_000_u32 {
            let [_, _, c, d] = n.to_be_bytes();
            let mut frame = arp(9, ASKS, 9, MASTER);
            (frame[10], frame[11]) = (c, d);
            (frame[26], frame[27]) = (c, d);
            (frame[30], frame[31]) = (c | 0x80, d);
            match self.says(Side::Down, &frame) {
                Seen::Answered => answered += 1,
                Seen::Dropped(Reason::NeighbourRate) => limited += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((answered, limited), (rows, 10_000 - rows));
    }
}

/// A flood of new addresses is cut, the table stays as large as it was, and whoever is known is served.
#[test]
fn a_flood_does_no_harm_to_those_who_are_known() {
    let mut rig = Rig::settled();
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    rig.is_flooded(62);
    assert_eq!(rig.neighbours.table.len(), 64);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Relayed);
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    // One that repeats itself is limited alone.
    let passed = (0..100).filter(|_| rig.down(CLIENT, ASKS, CLIENT, MASTER) == Seen::Relayed);
    assert!(passed.count() <= 8);
}

/// Whoever is settled is forgotten for others after ten minutes of silence, and no sooner.
#[test]
fn who_is_settled_outlives_a_silence() {
    for (silence_ms, rows, client) in [
        (599_000, 62, Seen::Relayed),
        // Two more go into the table, and nobody else.
        (601_000, 64, Seen::Dropped(Reason::NeighbourRate)),
    ] {
        let mut rig = Rig::settled();
        assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
        assert_eq!(rig.neighbours.counts()[2], 2);
        rig.now_ms += silence_ms;
        rig.master_heard(MASTER);
        rig.is_flooded(rows);
        assert_eq!(
            rig.neighbours.counts()[2],
            rows.abs_diff(64),
            "{silence_ms}"
        );
        assert_eq!(
            rig.down(CLIENT, ASKS, CLIENT, MASTER),
            client,
            "{silence_ms}"
        );
    }
}

#[test]
fn what_is_listed_and_heard_counts_once_and_is_bounded() {
    let mut rig = Rig::new(&[ip(1), ip(2), ip(1)]);
    for last in 1..=100 {
        rig.master_heard(last);
    }
    assert_eq!(rig.neighbours.counts()[0], 64);
    assert!(!rig.neighbours.masters.knows(place(100)));
    // Those that fell silent make room.
    rig.now_ms += 61_000;
    rig.master_heard(100);
    assert!(rig.neighbours.masters.knows(place(100)));
    assert_eq!(
        rig.neighbours.counts()[0],
        64 + 1,
        "a listed one of them went"
    );
}

/// A station of another subnet of the rig: one that is new each time.
fn asks_anew(rig: &mut Rig, number: u16) -> Seen {
    let [high, low] = number.to_be_bytes();
    let mut frame = arp(9, ASKS, 9, MASTER);
    (frame[10], frame[11]) = (high, low);
    (frame[26], frame[27]) = (high, low);
    (frame[30], frame[31]) = (high | 0x80, low);
    rig.says(Side::Down, &frame)
}

#[test]
fn few_wait_at_once() {
    let mut rig = large(&[ip(MASTER)]);
    for number in 0..256 {
        let seen = asks_anew(&mut rig, number);
        assert!(matches!(seen, Seen::Asked(Side::Up, _)), "{seen:?}");
    }
    // So many are new in a second, and no more.
    let rate = Seen::Dropped(Reason::NeighbourRate);
    assert_eq!(asks_anew(&mut rig, 256), rate);
    // Whoever is new while those wait finds room as well; a second later there is none.
    rig.now_ms += 160;
    for number in 256..256 + 40 {
        let seen = asks_anew(&mut rig, number);
        assert!(matches!(seen, Seen::Asked(Side::Up, _)), "{seen:?}");
    }
    rig.now_ms += 1_000;
    for number in 300..500 {
        let seen = asks_anew(&mut rig, number);
        assert!(matches!(seen, Seen::Asked(Side::Up, _)), "{seen:?}");
    }
    assert_eq!(rig.neighbours.waiting(), 400);
    // Nor does a frame that is longer than any of them.
    let mut rig = large(&[ip(MASTER)]);
    let mut frame = arp(CLIENT, ASKS, CLIENT, MASTER);
    frame.resize(129, 0);
    let seen = rig.says(Side::Down, &frame);
    assert_eq!(seen, Seen::Asked(Side::Up, ip(CLIENT)));
    assert_eq!(rig.after(505), []);
}

/// A master has many to answer.
#[test]
fn a_master_answers_hundreds_at_once() {
    let mut rig = large(&[]);
    rig.master_heard(MASTER);
    for last in 2..202 {
        let seen = rig.down(last, ASKS, last, MASTER);
        assert_eq!(seen, Seen::Answered);
    }
    for last in 2..202 {
        let seen = rig.up(MASTER, ASKS, MASTER, last);
        assert_eq!(seen, Seen::Relayed, "{last}");
    }
    let asked = (0..1000).filter(|_| rig.up(MASTER, ASKS, MASTER, 2) == Seen::Relayed);
    assert!((200..=301).contains(&asked.count()), "but not for ever");
}

/// All masters together have a thousand messages a second, and strangers have half as many.
#[test]
fn a_side_has_a_thousand_a_second() {
    let mut rig = large(&[]);
    for master in 1..=3 {
        rig.master_heard(master);
    }
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Answered);
    let relayed = |rig: &mut Rig, master| {
        let asks = (0..600).map(|_| rig.up(master, ASKS, master, CLIENT));
        asks.filter(|seen| *seen == Seen::Relayed).count()
    };
    let of = [1, 2, 3].map(|master| relayed(&mut rig, master));
    // The first of each counts for itself alone.
    assert_eq!(of, [500, 500, 3]);
    rig.now_ms += 1_000;
    assert_eq!(relayed(&mut rig, 3), 500);
}

/// Whoever makes up hundreds of stations takes nothing from those who are known.
#[test]
fn strangers_take_nothing_from_who_is_known() {
    let mut flooded = large(&[]);
    flooded.master_heard(MASTER);
    let asks = (2..=201).flat_map(|last| [last; 8]);
    let seen = asks.map(|last| flooded.down(last, ASKS, last, MASTER));
    let answered = seen.filter(|seen| *seen == Seen::Answered).count();
    assert_eq!(answered, 500, "of 1600");

    // Whether anybody has the address of a master, by nobody: from downstream, and of a client from upstream.
    for (side, wanted) in [(Side::Down, MASTER), (Side::Up, CLIENT)] {
        let mut rig = Rig::settled();
        let asks = (0..2000).map(|_| rig.says(side, &arp(66, ASKS, 0, wanted)));
        let relayed = asks.filter(|seen| *seen == Seen::Relayed).count();
        assert_eq!(relayed, 500);
        assert_eq!(rig.up(MASTER, ASKS, MASTER, CLIENT), Seen::Relayed);
        assert_eq!(rig.down(CLIENT, ANSWERS, CLIENT, MASTER), Seen::Relayed);
    }
}

/// Nor does whoever has hundreds of addresses settled: each of the others still has one message a second.
#[test]
fn each_who_is_known_has_one_a_second_in_any_case() {
    let mut rig = large(&[]);
    rig.master_heard(MASTER);
    for last in 2..=201 {
        rig.ptp_from(last, last);
    }
    rig.now_ms += 1_000;
    let asks = (3..=201).flat_map(|last| [last; 8]);
    let seen = asks.map(|last| rig.down(last, ASKS, last, MASTER));
    let answered = seen.filter(|seen| *seen == Seen::Answered).count();
    assert_eq!(answered, 199 + 1000);
    let rate = Seen::Dropped(Reason::NeighbourRate);
    for seen in [Seen::Answered, rate] {
        assert_eq!(rig.down(2, ASKS, 2, MASTER), seen);
    }
    rig.now_ms += 500;
    assert_eq!(rig.down(2, ASKS, 2, MASTER), Seen::Answered);
}

/// A client that nobody upstream contradicts yet can wait while strangers take all their room.
#[test]
fn strangers_leave_room_to_wait() {
    let mut rig = large(&[ip(MASTER)]);
    rig.ptp_from(CLIENT, CLIENT);
    for number in 0..500 {
        rig.now_ms += u64::from(number % 250 == 0) * 1_000;
        asks_anew(&mut rig, number);
    }
    assert_eq!(rig.neighbours.waiting(), 400);
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), asked);
    let waited = rig.after(170);
    assert_eq!(waited.len(), 400 + 1);
    assert!(waited.contains(&asked));
}

/// Whoever sends PTP in many names gets no more rows than whoever asks in them.
#[test]
fn ptp_from_new_addresses_is_limited_as_well() {
    let mut rig = large(&[]);
    for (round, rows) in [(1, 256), (2, 256 + 128)] {
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            let ip = IpAddr::from([10, round, high, low]);
            let place = Place::new(Lane::new(Transport::Udp4, &[]), ip);
            let now = rig.now();
            rig.neighbours.client_heard(place, mac(9), now);
        }
        assert_eq!(rig.neighbours.counts()[1], rows);
        rig.now_ms += 500;
    }
}
