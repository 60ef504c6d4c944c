//! Another role, ordered while the loop runs.

use std::sync::mpsc::{self, Receiver};

use super::*;
use crate::control::RoleTaken;
use crate::run::reload::NewRole;
use crate::telemetry::{By, Role};

/// A role is ordered, where a loop finds it that polls; what the loop answers.
fn order(bench: &mut Bench, role: Role) -> Receiver<RoleTaken> {
    let (reply, taken) = mpsc::channel();
    let by = By::START;
    let mut script = bench.script.borrow_mut();
    script
        .orders
        .push_back(Order::Role(NewRole { role, by, reply }));
    script.ordered = true;
    taken
}

#[test]
fn a_role_is_taken_within_one_turn() {
    let mut bench = Bench::quick();
    bench.turn();
    for (role, changed) in [
        (Role::Standby, true),
        (Role::Standby, false),
        (Role::Active, true),
    ] {
        let taken = order(&mut bench, role);
        bench.turn();
        let taken = taken.try_recv().expect("an answer, though nothing woke it");
        assert_eq!((taken.changed, taken.state.role), (changed, role));
        assert_eq!(bench.forwarding.engine.core().role(), taken.state);
    }
}

#[test]
fn what_arrives_in_standby_goes_nowhere() {
    let mut bench = Bench::quick();
    let _ = order(&mut bench, Role::Standby);
    bench.turn();
    bench.request(1, 1);
    bench.turn();
    assert_eq!(bench.forwarded(), 0);
    assert_eq!(bench.dropped(Reason::Standby), 1);
}
