//! Which filter follows which clients, on a made-up socket.

use std::cell::Cell;
use std::io;

use super::*;
use crate::core::{Arrival, Settings, Verdict};
use crate::ring::MapFilter;
use crate::time::{ClockId, Stamp};
use crate::wire::Frame;

/// Takes every program unless told otherwise, and counts them.
#[derive(Default)]
struct Socket {
    programs: usize,
    refuses: bool,
    refused: usize,
}

impl FilterSocket for Socket {
    fn attach(&mut self, _: &[libc::sock_filter]) -> io::Result<()> {
        if self.refuses {
            self.refused += 1;
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.programs += 1;
        Ok(())
    }

    fn attach_map(&mut self, _: &MapFilter) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn detach(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Bench {
    core: Forwarder,
    filters: Filters,
    socket: Socket,
    now: Cell<u64>,
}

const MS: u64 = 1_000_000;

impl Bench {
    fn new() -> Self {
        let mut core = Forwarder::new(
            Settings {
                max_clients: 100_000,
                ..Settings::default()
            }
            .validated()
            .expect("they fit"),
        );
        core.gate_new_clients();
        Self {
            core,
            filters: Filters::new(Vec::new(), [1, 2, 3], FilterChoice::Tree, false),
            socket: Socket::default(),
            now: Cell::new(1_000_000 * MS),
        }
    }

    /// A client's first request; whether it may leave at once.
    fn joins(&mut self, number: u32) -> bool {
        let mut frame = vec![0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, 9, 0x88, 0xF7];
        let mut ptp = [0_u8; 44];
        (ptp[0], ptp[1], ptp[3]) = (0x01, 0x02, 44);
        ptp[20..24].copy_from_slice(&number.to_be_bytes());
        frame.extend(ptp);
        let Ok(frame) = Frame::parse(&frame) else {
            panic!("a Delay_Req");
        };
        let at = Instant::from_nanos(self.now.get());
        let arrival = Arrival {
            side: Side::Down,
            stamp: Ok(Stamp::new(ClockId::Steady, self.now.get().cast_signed())),
            at,
            now: at,
            to_host: false,
            checksum_unfinished: false,
        };
        match self.core.frame(&frame, &arrival) {
            Verdict::Forward(..) => true,
            Verdict::Wait => false,
            Verdict::Drop(reason) => panic!("{number}: {reason}"),
        }
    }

    /// The loop goes on for this time, a turn each 0.2 ms.
    fn pass(&mut self, ms: u64) {
        for _ in 0..5 * ms {
            self.now.set(self.now.get() + MS / 5);
            let now = || Instant::from_nanos(self.now.get());
            self.core.advance(now());
            self.filters
                .follow(std::slice::from_mut(&mut self.core), &mut self.socket, now);
            let mut slot = [0; 2048];
            while self.core.next_egress().is_some() {
                let _ = self.core.depart(&mut slot, now());
            }
        }
    }
}

#[test]
fn a_tree_follows_and_new_clients_wait_for_it() {
    let mut bench = Bench::new();
    assert!(!bench.joins(1), "until the filter was looked at");
    bench.pass(1);
    assert_eq!(bench.core.waiting(), 0, "the plain one lets its answers in");
    bench.pass(30);
    assert_eq!(bench.filters.in_force().kind, FilterKind::Exact);
    assert!(!bench.joins(2));
    bench.pass(1);
    bench.joins(3);
    assert!(bench.core.waiting() > 0, "until the next tree");
    bench.pass(25);
    assert_eq!(bench.core.waiting(), 0);
    assert_eq!(bench.filters.in_force().clients, 3);
}

/// A hundred thousand clients that come within a second do not wait for tree after tree, nor does one take
/// the loop's time; a tree is made when it has become quiet.
#[test]
fn nobody_waits_in_a_rush() {
    let mut bench = Bench::new();
    bench.joins(0);
    bench.pass(30);
    let programs = bench.socket.programs;
    let mut waited = 0;
    for ms in 0..200 {
        for client in 0..100 {
            bench.joins(1 + ms * 100 + client);
        }
        bench.pass(1);
        waited = waited.max(bench.core.waiting());
    }
    assert_eq!(bench.filters.in_force().kind, FilterKind::Plain);
    assert!(waited < 1_000, "{waited}");
    assert!(bench.socket.programs - programs <= 2);
    bench.pass(100);
    assert_ne!(bench.filters.in_force().kind, FilterKind::Plain);
    assert_eq!(bench.core.waiting(), 0);
}

#[test]
fn what_is_in_force_is_known_from_the_start() {
    let mut bench = Bench::new();
    let first = bench.filters.at_start(Side::Up).expect("small").len();
    bench
        .filters
        .start(std::slice::from_mut(&mut bench.core), &mut bench.socket)
        .expect("no map is asked for");
    assert!(first > 0);
    assert_eq!(bench.filters.in_force().instructions as usize, first);
}

/// A tree that the kernel refuses is tried again without anybody's coming, but not in each turn; until then
/// new clients' requests do not go up, since their answers could not come down.
#[test]
fn a_refused_tree_is_tried_again() {
    let mut bench = Bench::new();
    bench.joins(1);
    bench.pass(30);
    assert_eq!(bench.filters.in_force().clients, 1);
    bench.socket.refuses = true;
    assert!(!bench.joins(2));
    bench.pass(90);
    assert_eq!(bench.core.waiting(), 1, "its answer could not come in");
    let soon = bench.socket.refused;
    assert!((2..5).contains(&soon), "{soon}");
    bench.pass(20_000);
    let later = bench.socket.refused - soon;
    assert!((5..20).contains(&later), "{later}");
    assert!(
        bench
            .filters
            .due(std::slice::from_ref(&bench.core))
            .is_some()
    );
    bench.socket.refuses = false;
    bench.pass(5_000);
    assert_eq!(bench.filters.in_force().clients, 2);
    assert_eq!(bench.filters.due(std::slice::from_ref(&bench.core)), None);
    // And from then on as fast as ever.
    bench.joins(3);
    bench.pass(60);
    assert_eq!(bench.filters.in_force().clients, 3);
}
