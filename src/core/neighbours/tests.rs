//! The table of the module's documentation: what passes, what is asked, what is refused.

mod alone;
mod claims;
mod limits;

use super::*;
use crate::wire::{Lane, Transport};

/// Frames are made here, byte by byte.
fn arp(mac: u8, operation: u8, sender: u8, target: u8) -> Vec<u8> {
    let mac = [2, 0, 0, 0, 0, mac];
    let ip = |last: u8| if last == 0 { [0; 4] } else { [10, 0, 0, last] };
    let ethertype = [8, 6];
    [
        &[0xFF; 6][..],
        &mac,
        &ethertype,
        &[0, 1, 8, 0, 6, 4, 0, operation],
        &mac,
        &ip(sender),
        &[0; 6],
        &ip(target),
    ]
    .concat()
}

const fn ip(last: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last))
}

fn place(last: u8) -> Place {
    Place::new(Lane::new(Transport::Udp4, &[]), ip(last))
}

const fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

/// A master, a client, a stranger on either side; a hardware address ends as its station's IP address does.
const MASTER: u8 = 1;
const CLIENT: u8 = 7;
const OTHER: u8 = 8;
const GATEWAY: u8 = 254;
const ASKS: u8 = 1;
const ANSWERS: u8 = 2;

struct Rig {
    neighbours: Neighbours,
    now_ms: u64,
}

/// A decision, without the question's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Relayed,
    Asked(Side, IpAddr),
    Answered,
    Dropped(Reason),
    Unknown(IpAddr),
}

impl Rig {
    fn new(listed: &[IpAddr]) -> Self {
        Self {
            neighbours: Neighbours::new(64, listed, Secret(1, 2)),
            now_ms: 1_000_000,
        }
    }

    /// A master that was heard, and a client that has found it.
    fn settled() -> Self {
        let mut rig = Self::new(&[]);
        rig.master_heard(MASTER);
        // Its question is answered here, and goes up from the moment on that its address is its own.
        assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Answered);
        assert_eq!(rig.up(MASTER, ASKS, MASTER, CLIENT), Seen::Relayed);
        let asked = Seen::Asked(Side::Up, ip(CLIENT));
        assert_eq!(rig.down(CLIENT, ANSWERS, CLIENT, MASTER), asked);
        assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Answered);
        assert_eq!(rig.in_vain(Side::Up, CLIENT), [Seen::Relayed]);
        rig.now_ms += 495;
        assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Relayed);
        rig
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.now_ms * 1_000_000)
    }

    fn master_heard(&mut self, last: u8) {
        let now = self.now();
        self.neighbours.master_heard(place(last), mac(last), now);
    }

    fn says(&mut self, side: Side, bytes: &[u8]) -> Seen {
        self.says_again(side, bytes, 0)
    }

    /// It has waited so often.
    fn says_again(&mut self, side: Side, bytes: &[u8], waited: u8) -> Seen {
        let message = Neighbour::parse(bytes).unwrap().unwrap();
        let now = self.now();
        let own = |address: IpAddr| address == ip(GATEWAY);
        match self.neighbours.decide(&message, side, own, now) {
            Decision::Relay => Seen::Relayed,
            Decision::Ask(to, probe, reason) => {
                // As the policy does.
                let question = (side, &probe);
                let keeps = reason == Reason::NeighbourNew;
                if !(keeps && self.neighbours.keep(&message, question, waited, now)) && waited > 0 {
                    return Seen::Dropped(reason);
                }
                Seen::Asked(to, probe.target())
            }
            Decision::Answer(_) => Seen::Answered,
            Decision::Drop(reason) => Seen::Dropped(reason),
            Decision::Unknown(address, _) => Seen::Unknown(address),
        }
    }

    /// What becomes of what has waited, after this time.
    fn after(&mut self, ms: u64) -> Vec<Seen> {
        self.now_ms += ms;
        let mut seen = Vec::new();
        while let Some(kept) = self.neighbours.take_due(self.now()) {
            seen.push(self.says_again(kept.side(), kept.bytes(), kept.times()));
        }
        seen
    }

    /// Two more questions after the first go the same way and stay unanswered as well: what becomes of what waits.
    fn in_vain(&mut self, side: Side, asked: u8) -> Vec<Seen> {
        for _ in 0..2 {
            assert_eq!(self.after(505), [Seen::Asked(side, ip(asked))]);
        }
        self.after(505)
    }

    /// The same, where nothing waits and somebody says it again each half second.
    fn again_in_vain(&mut self, asked: Seen, says: impl Fn(&mut Self) -> Seen) -> Seen {
        for _ in 0..2 {
            self.now_ms += 500;
            assert_eq!(says(self), asked);
        }
        self.now_ms += 500;
        says(self)
    }

    /// Unicast PTP of a client.
    fn ptp_from(&mut self, hardware: u8, last: u8) {
        let now = self.now();
        self.neighbours
            .client_heard(place(last), mac(hardware), now);
    }

    fn up(&mut self, mac: u8, operation: u8, sender: u8, target: u8) -> Seen {
        self.says(Side::Up, &arp(mac, operation, sender, target))
    }

    fn down(&mut self, mac: u8, operation: u8, sender: u8, target: u8) -> Seen {
        self.says(Side::Down, &arp(mac, operation, sender, target))
    }
}

#[test]
fn a_client_and_a_master_find_each_other() {
    let mut rig = Rig::settled();
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    assert_eq!(rig.up(MASTER, ASKS, MASTER, CLIENT), Seen::Relayed);
    assert_eq!(rig.down(CLIENT, ANSWERS, CLIENT, MASTER), Seen::Relayed);
    // Announcements of their own addresses.
    assert_eq!(rig.up(MASTER, ASKS, MASTER, MASTER), Seen::Relayed);
    assert_eq!(rig.down(CLIENT, ANSWERS, CLIENT, CLIENT), Seen::Relayed);
    // Whether anybody has the address.
    assert_eq!(rig.up(OTHER, ASKS, 0, CLIENT), Seen::Relayed);
    assert_eq!(rig.down(OTHER, ASKS, 0, MASTER), Seen::Relayed);
}

#[test]
fn nothing_else_passes() {
    let mut rig = Rig::settled();
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    for (what, seen) in [
        ("asks for a stranger", rig.down(CLIENT, ASKS, CLIENT, OTHER)),
        ("answers one", rig.down(OTHER, ANSWERS, OTHER, CLIENT)),
        ("announces itself", rig.down(OTHER, ASKS, OTHER, OTHER)),
        ("asks for it", rig.up(OTHER, ASKS, OTHER, CLIENT)),
        ("asks for others", rig.up(MASTER, ASKS, MASTER, OTHER)),
        ("answers others", rig.up(MASTER, ANSWERS, MASTER, OTHER)),
        ("wants one", rig.up(OTHER, ASKS, 0, OTHER)),
        ("wants one, too", rig.down(OTHER, ASKS, 0, OTHER)),
        ("its own, from above", rig.up(CLIENT, ASKS, CLIENT, MASTER)),
    ] {
        assert_eq!(seen, foreign, "{what}");
    }
    let host = Seen::Dropped(Reason::ToHost);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, GATEWAY), host);
    assert_eq!(rig.up(GATEWAY, ASKS, GATEWAY, CLIENT), host);
}

#[test]
fn a_new_address_waits_for_the_other_side() {
    let new = Seen::Dropped(Reason::NeighbourNew);
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    let mut rig = Rig::new(&[ip(MASTER)]);
    let ask = |rig: &mut Rig| rig.down(CLIENT, ASKS, CLIENT, MASTER);
    assert_eq!(ask(&mut rig), Seen::Asked(Side::Up, ip(CLIENT)));
    rig.now_ms += 164;
    assert_eq!(ask(&mut rig), new);
    // Somebody upstream has it.
    assert_eq!(rig.up(OTHER, ANSWERS, CLIENT, 0), claimed);
    rig.now_ms += 2;
    assert_eq!(ask(&mut rig), claimed);
    // It is asked for again later, and this time nobody answers.
    rig.now_ms += 9_835;
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    assert_eq!(ask(&mut rig), asked);
    assert_eq!(rig.again_in_vain(asked, ask), Seen::Relayed);
    // A silence that is long ago tells nothing.
    rig.now_ms += 1_000;
    let late = |rig: &mut Rig| rig.down(OTHER, ASKS, OTHER, MASTER);
    assert_eq!(late(&mut rig), Seen::Asked(Side::Up, ip(OTHER)));
    rig.now_ms += 10_001;
    assert_eq!(late(&mut rig), Seen::Asked(Side::Up, ip(OTHER)));
}

#[test]
fn a_copy_of_the_question_by_another_way_is_no_conflict() {
    let mut rig = Rig::new(&[ip(MASTER)]);
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), asked);
    assert_eq!(
        rig.up(CLIENT, ASKS, CLIENT, MASTER),
        Seen::Dropped(Reason::NeighbourForeign)
    );
    let ask = |rig: &mut Rig| rig.down(CLIENT, ASKS, CLIENT, MASTER);
    assert_eq!(rig.again_in_vain(asked, ask), Seen::Relayed);
}

/// On either side: the old hardware address is asked, and keeps what it answers for.
#[test]
fn a_binding_changes_after_the_old_one_is_gone() {
    let new = Seen::Dropped(Reason::NeighbourNew);
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    for side in Side::BOTH {
        let mut rig = Rig::settled();
        let (station, peer) = match side {
            Side::Up => (MASTER, CLIENT),
            Side::Down => (CLIENT, MASTER),
        };
        assert_eq!(
            rig.says(side, &arp(station, ANSWERS, station, peer)),
            Seen::Relayed
        );
        let claim = |rig: &mut Rig| rig.says(side, &arp(99, ANSWERS, station, peer));
        assert_eq!(claim(&mut rig), Seen::Asked(side, ip(station)), "{side:?}");
        rig.now_ms += 100;
        // An answer to our question ends here.
        assert_eq!(rig.says(side, &arp(station, ANSWERS, station, 0)), new);
        rig.now_ms += 500;
        assert_eq!(claim(&mut rig), claimed, "{side:?}");
        assert_eq!(
            rig.says(side, &arp(station, ANSWERS, station, peer)),
            Seen::Relayed
        );
        // The old one is gone.
        rig.now_ms += 10_000;
        let asked = Seen::Asked(side, ip(station));
        assert_eq!(claim(&mut rig), asked, "{side:?}");
        let seen = rig.again_in_vain(asked, claim);
        assert_eq!(seen, Seen::Relayed, "{side:?}");
        // And is asked as any other if it comes back.
        let back = rig.says(side, &arp(station, ANSWERS, station, peer));
        assert_eq!(back, Seen::Asked(side, ip(station)));
    }
}

/// On either side: whoever floods the way makes a question or its answer be lost, and gains nothing by it.
#[test]
fn two_lost_answers_change_nothing() {
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    for side in Side::BOTH {
        for lost in 0..3 {
            let mut rig = Rig::settled();
            let (station, peer) = match side {
                Side::Up => (MASTER, CLIENT),
                Side::Down => (CLIENT, MASTER),
            };
            let asked = || Seen::Asked(side, ip(station));
            let claim = rig.says(side, &arp(99, ANSWERS, station, peer));
            assert_eq!(claim, asked(), "{side:?}");
            for _ in 0..lost {
                assert_eq!(rig.after(505), [asked()], "{side:?} {lost}");
            }
            rig.now_ms += 100;
            // An answer to our question.
            rig.says(side, &arp(station, ANSWERS, station, 0));
            assert_eq!(rig.after(405), [claimed], "{side:?} {lost}");
            let own = rig.says(side, &arp(station, ANSWERS, station, peer));
            assert_eq!(own, Seen::Relayed, "{side:?} {lost}");
        }
    }
}

/// Nor is a new address settled as long as one of three questions is answered by somebody upstream.
#[test]
fn two_lost_answers_settle_nobody() {
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    for lost in 0..3 {
        let mut rig = Rig::new(&[ip(MASTER)]);
        let ask = rig.down(CLIENT, ASKS, CLIENT, MASTER);
        assert_eq!(ask, Seen::Asked(Side::Up, ip(CLIENT)));
        for _ in 0..lost {
            assert_eq!(rig.after(505), [Seen::Asked(Side::Up, ip(CLIENT))]);
        }
        assert_eq!(rig.up(OTHER, ANSWERS, CLIENT, 0), claimed, "{lost}");
        assert_eq!(rig.after(505), [claimed], "{lost}");
    }
}

/// A client that was heard by its PTP alone, as between two subnets: nobody else asks in its name.
#[test]
fn where_ptp_comes_from_is_asked_before_another_is_believed() {
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    let evil = |rig: &mut Rig| rig.down(99, ASKS, CLIENT, MASTER);
    let mut rig = Rig::new(&[ip(MASTER)]);
    rig.ptp_from(CLIENT, CLIENT);
    rig.ptp_from(99, CLIENT);
    assert_eq!(evil(&mut rig), Seen::Asked(Side::Down, ip(CLIENT)));
    // It answers, or goes on to send.
    rig.now_ms += 100;
    rig.ptp_from(CLIENT, CLIENT);
    assert_eq!(rig.after(405), [claimed]);
    // The client itself is asked about upstream, as ever.
    let own = rig.down(CLIENT, ASKS, CLIENT, MASTER);
    assert_eq!(own, Seen::Asked(Side::Up, ip(CLIENT)));
    assert_eq!(rig.in_vain(Side::Up, CLIENT), [Seen::Relayed]);

    // It is gone: then the other side is asked, before another has its address.
    let mut rig = Rig::new(&[ip(MASTER)]);
    rig.ptp_from(CLIENT, CLIENT);
    assert_eq!(evil(&mut rig), Seen::Asked(Side::Down, ip(CLIENT)));
    let next = rig.in_vain(Side::Down, CLIENT);
    assert_eq!(next, [Seen::Asked(Side::Up, ip(CLIENT))]);
    assert_eq!(rig.in_vain(Side::Up, CLIENT), [Seen::Relayed]);
}

#[test]
fn nobody_downstream_is_a_master() {
    let mut rig = Rig::settled();
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    assert_eq!(rig.down(66, ANSWERS, MASTER, CLIENT), claimed);
    assert_eq!(rig.down(66, ASKS, MASTER, MASTER), claimed);
    assert_eq!(rig.down(66, ASKS, MASTER, CLIENT), claimed);
    // It does no harm to whom it names.
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Relayed);
}

#[test]
fn answers_that_come_another_way_need_no_help() {
    let mut rig = Rig::settled();
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    let other_way = Seen::Dropped(Reason::NeighbourOtherWay);
    assert_eq!(rig.down(MASTER, ANSWERS, MASTER, CLIENT), other_way);
    rig.now_ms += 59_000;
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), other_way);
    rig.now_ms += 2_000;
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), Seen::Relayed);
    // Nobody had asked.
    rig.now_ms += 3_000;
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    assert_eq!(rig.down(MASTER, ANSWERS, MASTER, CLIENT), foreign);
}

#[test]
fn a_silent_master_is_named_and_one_by_its_mac_is_known() {
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    let mut rig = Rig::settled();
    let ask = |rig: &mut Rig| rig.down(CLIENT, ASKS, CLIENT, 2);
    assert_eq!(ask(&mut rig), foreign);
    assert_eq!(ask(&mut rig), foreign, "too soon");
    rig.now_ms += 1_000;
    assert_eq!(ask(&mut rig), Seen::Asked(Side::Up, ip(2)));
    rig.now_ms += 1;
    assert_eq!(rig.up(2, ANSWERS, 2, 0), Seen::Unknown(ip(2)));
    assert_eq!(rig.up(2, ANSWERS, 2, 0), foreign, "told once");
    rig.now_ms += 1_000;
    assert_eq!(ask(&mut rig), foreign);
    // Listed, it passes.
    rig.neighbours.list(&[ip(2)]);
    assert_eq!(ask(&mut rig), Seen::Relayed);
    assert_eq!(rig.up(2, ANSWERS, 2, CLIENT), Seen::Relayed);

    // Another address of a master that was heard.
    let (mut rig, before) = (Rig::settled(), 3);
    assert_eq!(rig.up(MASTER, ANSWERS, before, 0), Seen::Relayed);
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, before), Seen::Relayed);
}

#[test]
fn vlans_are_kept_apart() {
    let mut rig = Rig::settled();
    let tagged = |mut frame: Vec<u8>| {
        frame.splice(12..12, [0x81, 0, 0, 5]);
        frame
    };
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    let asks = tagged(arp(CLIENT, ASKS, CLIENT, MASTER));
    assert_eq!(rig.says(Side::Down, &asks), foreign);
    let asks = tagged(arp(MASTER, ASKS, MASTER, CLIENT));
    assert_eq!(rig.says(Side::Up, &asks), foreign);
}

/// Whoever asks first need not ask again.
#[test]
fn the_first_message_of_a_new_address_waits_and_passes() {
    let mut rig = Rig::new(&[ip(MASTER)]);
    let ask = |rig: &mut Rig| rig.down(CLIENT, ASKS, CLIENT, MASTER);
    assert_eq!(ask(&mut rig), Seen::Asked(Side::Up, ip(CLIENT)));
    assert_eq!(rig.after(100), []);
    assert_eq!(ask(&mut rig), Seen::Dropped(Reason::NeighbourNew));
    assert_eq!(rig.after(69), []);
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    assert_eq!(rig.after(1), [asked]);
    assert_eq!(rig.after(170), [asked]);
    assert_eq!(
        rig.after(170),
        [Seen::Relayed],
        "half a second after the first question"
    );
    assert_eq!(rig.after(10_000), [], "once");

    // Somebody upstream has the address.
    let mut rig = Rig::new(&[ip(MASTER)]);
    assert_eq!(ask(&mut rig), Seen::Asked(Side::Up, ip(CLIENT)));
    rig.now_ms += 100;
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    assert_eq!(rig.up(OTHER, ANSWERS, CLIENT, 0), claimed);
    assert_eq!(rig.after(405), [claimed]);

    // The new hardware address of a known master, likewise.
    let mut rig = Rig::settled();
    rig.after(1_000);
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    let new = rig.up(99, ASKS, MASTER, MASTER);
    assert_eq!(new, Seen::Asked(Side::Up, ip(MASTER)));
    assert_eq!(rig.in_vain(Side::Up, MASTER), [Seen::Relayed]);
}
