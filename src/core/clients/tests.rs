//! The client table: its size, whose frames are known ahead, and who follows its changes.

use super::changes::CHANGES;

use super::*;

#[test]
fn a_client_takes_at_most_320_bytes() {
    let row = size_of::<ClientKey>() + size_of::<Option<Client>>() + size_of::<u32>();
    let row = row.next_multiple_of(8) + ClientSlots::OCTETS;
    assert!(row <= 320, "{row}");
}

fn key(number: u64) -> ClientKey {
    let bytes = [
        &[0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0x88, 0xF7][..],
        &[0x01, 0x02, 0, 44],
        &[0; 40],
    ]
    .concat();
    let lane = crate::wire::Frame::parse(&bytes)
        .expect("a Delay_Req")
        .lane();
    ClientKey {
        identity: PortIdentity {
            clock: ClockIdentity(number.to_be_bytes()),
            port: 1,
        },
        lane,
    }
}

fn join(clients: &mut Clients, number: u64) -> Result<u32, Full> {
    let at = (Mac([2; 6]), Address::Mac(Mac([2; 6])));
    let now = Instant::default();
    clients.insert(key(number), at, now)
}

/// A client whose frame is known ahead is found as before, and no longer once it is gone.
#[test]
fn a_client_that_is_known_ahead_is_found_as_before() {
    let mut clients = Clients::new(64, Secret(3, 4));
    for number in 0..32 {
        join(&mut clients, number).expect("room");
    }
    let mut probable = 0;
    for number in 0..64 {
        for ahead in 0..3 {
            let upcoming = clients.prefetch_bucket(key(number + ahead));
            clients.prefetch_row(upcoming);
            let row = clients.rows.probable_row(upcoming.0);
            probable += usize::from(row.is_some());
            let found = clients.find(&key(number + ahead));
            assert!(row.is_none() || row == found, "{number}");
        }
        let row = clients.find(&key(number));
        assert_eq!(row.is_some(), number < 32, "{number}");
        if let Some(row) = row {
            assert_eq!(clients.rows.key(row), Some(&key(number)));
            clients.remove(row).expect("in use");
            assert_eq!(clients.find(&key(number)), None, "{number} has gone");
            assert_eq!(join(&mut clients, number), Ok(row));
        }
    }
    // Of 93 looks at those who are here; some have another in their first bucket.
    assert!(probable > 70, "{probable}");
}

/// Who follows the table one by one gets each change, in order. While too many were not taken nobody comes or goes, so
/// that none is lost.
#[test]
fn changes_are_told_and_never_lost() {
    let mut clients = Clients::new(10_000, Secret(1, 2));
    join(&mut clients, 0).expect("before anybody follows");
    clients.follow_changes(true);
    let joined = (1..10_000)
        .take_while(|&number| join(&mut clients, number).is_ok())
        .count();
    assert_eq!((joined, clients.changes()), (CHANGES, CHANGES));
    let row = clients.find(&key(1)).expect("joined");
    assert!(clients.remove(row).is_none(), "no room to tell");
    assert_eq!(clients.find(&key(1)), Some(row));
    let (first, version) = clients.next_change().expect("told");
    assert_eq!((first.identity, first.came), (key(1).identity, true));
    assert_eq!(version, clients.version() - (CHANGES as u64 - 1));
    assert!(clients.remove(row).is_some());
    let mut told = Vec::new();
    while let Some((change, version)) = clients.next_change() {
        told.push((change, version));
    }
    let (last, version) = *told.last().expect("told");
    assert_eq!((last.identity, last.came), (key(1).identity, false));
    assert_eq!(version, clients.version());
    assert!(told.windows(2).all(|pair| pair[0].1 + 1 == pair[1].1));
}
