//! Who is believed to have an address, and for how long.

use super::*;

/// Three questions that nobody has answered tell something for ten seconds; then they are asked anew.
#[test]
fn a_silence_counts_for_ten_seconds() {
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    for (later_ms, seen) in [(9_999, Seen::Relayed), (10_000, asked)] {
        let mut rig = Rig::new(&[ip(MASTER)]);
        let ask = |rig: &mut Rig| rig.down(CLIENT, ASKS, CLIENT, MASTER);
        assert_eq!(ask(&mut rig), asked);
        for _ in 0..2 {
            rig.now_ms += 500;
            assert_eq!(ask(&mut rig), asked);
        }
        rig.now_ms += later_ms;
        assert_eq!(ask(&mut rig), seen, "{later_ms}");
    }
}

/// While one is asked about, another who claims the same address has to wait: two who take turns settle nobody.
#[test]
fn another_claim_waits_for_two_seconds() {
    let mut rig = Rig::new(&[ip(MASTER)]);
    let asked = Seen::Asked(Side::Up, ip(CLIENT));
    assert_eq!(rig.down(CLIENT, ASKS, CLIENT, MASTER), asked);
    let other = |rig: &mut Rig| rig.down(99, ASKS, CLIENT, MASTER);
    rig.now_ms += 1_999;
    assert_eq!(other(&mut rig), Seen::Dropped(Reason::NeighbourNew));
    rig.now_ms += 1;
    assert_eq!(other(&mut rig), asked);
}

/// What a master says that concerns nobody downstream goes no further, and shows all the same that it is there.
#[test]
fn a_master_that_speaks_to_others_refutes_a_claim() {
    let mut rig = Rig::settled();
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    let claim = rig.up(99, ANSWERS, MASTER, CLIENT);
    assert_eq!(claim, Seen::Asked(Side::Up, ip(MASTER)));
    rig.now_ms += 100;
    let foreign = Seen::Dropped(Reason::NeighbourForeign);
    assert_eq!(rig.up(MASTER, ASKS, MASTER, OTHER), foreign);
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    assert_eq!(rig.after(405), [claimed]);
}

/// PTP from downstream by a master's own addresses is forged: it does not keep a master from changing its hardware address.
#[test]
fn ptp_from_downstream_confirms_no_master() {
    let mut rig = Rig::settled();
    assert_eq!(rig.up(MASTER, ANSWERS, MASTER, CLIENT), Seen::Relayed);
    let claim = rig.up(99, ASKS, MASTER, MASTER);
    assert_eq!(claim, Seen::Asked(Side::Up, ip(MASTER)));
    rig.now_ms += 100;
    rig.ptp_from(MASTER, MASTER);
    assert!(!rig.neighbours.is_client(place(MASTER)));
    assert_eq!(rig.in_vain(Side::Up, MASTER), [Seen::Relayed]);
}

/// An address that lives upstream is claimed from downstream by nobody, whoever has it there.
#[test]
fn what_lives_upstream_is_nobodys_downstream() {
    let mut rig = Rig::settled();
    rig.neighbours.list(&[ip(2)]);
    assert_eq!(rig.up(2, ANSWERS, 2, CLIENT), Seen::Relayed);
    // It is a master no longer, but still there.
    rig.neighbours.list(&[]);
    let claimed = Seen::Dropped(Reason::NeighbourClaimed);
    assert_eq!(rig.down(66, ASKS, 2, MASTER), claimed);
    assert_eq!(rig.down(66, ANSWERS, 2, MASTER), claimed);
}

/// Whose groups the gateway joins upstream: their number changes with them, and with nothing else.
#[test]
fn who_is_downstream_has_a_version() {
    let mut rig = Rig::new(&[ip(MASTER)]);
    let seen = |rig: &Rig| {
        let (version, below) = rig.neighbours.client_addresses();
        (version, below.collect::<Vec<_>>())
    };
    let (nobody, none) = seen(&rig);
    assert!(none.is_empty());
    rig.down(CLIENT, ASKS, CLIENT, MASTER);
    let (one, addresses) = seen(&rig);
    assert!(one > nobody);
    assert_eq!(addresses, [ip(CLIENT)]);
    rig.now_ms += 500;
    rig.down(CLIENT, ASKS, CLIENT, MASTER);
    rig.ptp_from(CLIENT, CLIENT);
    assert_eq!(seen(&rig).0, one);
    rig.ptp_from(OTHER, OTHER);
    assert!(seen(&rig).0 > one);
}
