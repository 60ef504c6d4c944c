//! The queue: whole entries in order, bounded, and what is written is read.

use std::sync::Arc;

use super::*;
use crate::reason::Reason;
use crate::side::Side;
use crate::time::Instant;
use crate::wire::{ClockIdentity, Lane, MessageType, Name, PortIdentity, Transport};

const ALL: Wanted = Wanted {
    exchanges: true,
    frames: true,
};

fn step(number: u64, what: What) -> Step {
    let port = |clock| PortIdentity {
        clock: ClockIdentity([clock; 8]),
        port: 7,
    };
    Step {
        at: Instant::from_nanos(number),
        from: if number.is_multiple_of(2) {
            Side::Up
        } else {
            Side::Down
        },
        what,
        name: (!number.is_multiple_of(3)).then(|| Name {
            message: MessageType::ALL[usize::try_from(number).unwrap() % MessageType::ALL.len()],
            sender: port(1),
            sequence_id: 0xFFFE,
            lane: Lane::new(Transport::Udp6, &[(0x8100, 5)]),
            domain: 24,
            major_sdo_id: 2,
            requester: number.is_multiple_of(2).then(|| port(9)),
        }),
        length: 90,
    }
}

fn dropped(number: u64) -> Step {
    let reason = Reason::Foreign;
    step(number, What::Dropped { reason })
}

#[test]
fn steps_are_read_as_they_were_written() {
    let trace = Trace::default();
    trace.want(Some(ALL));
    let mut all = vec![
        What::Passes {
            correction: -65_536,
        },
        What::Waits { due: None },
        What::Waits {
            due: Some(Instant::from_nanos(5)),
        },
        What::Leaves {
            correction: i64::MAX,
        },
        What::Departed {
            residence_ns: 12,
            late_ns: Some(0),
        },
        What::Departed {
            residence_ns: 12,
            late_ns: None,
        },
    ];
    for &reason in Reason::ALL {
        all.push(What::Dropped { reason });
        all.push(What::Unmeasured { reason });
    }
    let mut words = Vec::new();
    for (number, what) in (0..).zip(all) {
        let written = step(number, what);
        let frame: Vec<u8> = (0..u8::try_from(number % 40).unwrap()).collect();
        trace.write(&written, &frame);
        let (read, bytes) = trace.take(&mut words).expect("written");
        assert_eq!(read, written);
        let expected = if matches!(what, What::Dropped { .. }) {
            &frame[..]
        } else {
            &[]
        };
        assert_eq!(bytes, expected, "{what:?}");
    }
    assert!(trace.take(&mut words).is_none());
}

#[test]
fn only_what_is_wanted_is_written() {
    let trace = Trace::default();
    let mut words = Vec::new();
    let drops = Wanted::default();
    for (wanted, exchange, frame) in [
        (None, false, 0),
        (Some(drops), false, 0),
        (Some(ALL), true, 3),
    ] {
        trace.want(wanted);
        assert_eq!(trace.is_wanted(), wanted.is_some());
        trace.write(&step(1, What::Passes { correction: 0 }), &[1, 2, 3]);
        assert_eq!(trace.take(&mut words).is_some(), exchange, "{wanted:?}");
        trace.write(&dropped(2), &[1, 2, 3]);
        let taken = trace.take(&mut words).map(|(_, bytes)| bytes.len());
        assert_eq!(taken, wanted.map(|_| frame), "{wanted:?}");
    }
    assert_eq!(trace.lost(), 0);
}

/// A reader that stands still costs what does not fit, and that is counted; what fits is whole.
#[test]
fn a_full_queue_counts_what_is_left_out() {
    let trace = Trace::default();
    trace.want(Some(ALL));
    let frame = [0xA5; 5000];
    let written = 10_000;
    for number in 0..written {
        trace.write(&dropped(number), &frame);
    }
    let mut words = Vec::new();
    let mut taken = 0;
    while let Some((step, bytes)) = trace.take(&mut words) {
        assert_eq!(step, dropped(taken), "in order");
        assert_eq!(bytes, frame[..LONGEST]);
        taken += 1;
    }
    assert!(taken > 100, "{taken}");
    assert_eq!(taken + trace.lost(), written);
    // There is room again.
    trace.write(&dropped(3), &frame);
    assert_eq!(trace.take(&mut words).expect("room").0, dropped(3));
}

#[test]
fn what_another_thread_writes_arrives_whole_and_in_order() {
    let trace = Arc::new(Trace::default());
    trace.want(Some(ALL));
    let total = 200_000;
    let writer = std::thread::spawn({
        let trace = Arc::clone(&trace);
        move || {
            for number in 0..total {
                let frame = [u8::try_from(number % 251).unwrap(); 100];
                let len = usize::try_from(number % 100).unwrap();
                trace.write(&dropped(number), &frame[..len]);
            }
        }
    });
    let (mut words, mut next, mut taken) = (Vec::new(), 0, 0);
    loop {
        let over = writer.is_finished();
        while let Some((step, bytes)) = trace.take(&mut words) {
            let number = step.at.as_nanos();
            assert!(number >= next);
            assert_eq!(step, dropped(number));
            assert_eq!(bytes.len() as u64, number % 100);
            assert!(bytes.iter().all(|&byte| u64::from(byte) == number % 251));
            next = number + 1;
            taken += 1;
        }
        if over {
            break;
        }
    }
    writer.join().unwrap();
    assert_eq!(taken + trace.lost(), total);
}
