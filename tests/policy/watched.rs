//! What whoever watches is told of: each step of a message's way, with its figures; that each drop is told once is
//! among the rules of every script.

use std::sync::Arc;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::Settings;
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{Step, Trace, Wanted, What};
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::Outcome::{Dropped, Waits};
use crate::gateway::{Gateway, MS, unheld};

struct Watched {
    gateway: Gateway,
    trace: Arc<Trace>,
}

impl Watched {
    fn new(settings: Settings) -> Self {
        let mut gateway = Gateway::new(settings);
        let trace = Arc::new(Trace::default());
        trace.want(Some(Wanted {
            exchanges: true,
            frames: true,
        }));
        let _ = gateway.hears(Up, &announce(1, 1, clock(1)));
        gateway.core.watch(Some(Arc::clone(&trace)));
        Self { gateway, trace }
    }

    fn steps(&self) -> Vec<(Step, Vec<u8>)> {
        let mut words = Vec::new();
        std::iter::from_fn(|| self.trace.take(&mut words)).collect()
    }

    /// The only step that was told.
    fn step(&self) -> Step {
        let steps = self.steps();
        assert_eq!(steps.len(), 1, "{steps:?}");
        steps[0].0
    }
}

fn held() -> Settings {
    Settings {
        jitter: MS * 20,
        jitter_share: None,
        assume_answered: true,
        syntonize: false,
        ..unheld()
    }
}

#[test]
fn an_exchange_is_told_step_by_step() {
    let mut watched = Watched::new(held());
    let request = delay_req(10, 7);
    let arrived = watched.gateway.instant();
    assert_eq!(watched.gateway.hears(Down, &request), Waits);
    let step = watched.step();
    let What::Waits { due: Some(due) } = step.what else {
        panic!("{step:?}");
    };
    assert_eq!((step.at, step.from), (arrived, Down));
    assert!(due > arrived && due.since(arrived) < MS * 20);
    let name = step.name.expect("a message");
    assert_eq!(
        (name.message, name.sender, name.sequence_id),
        (MessageType::DelayReq, port(10), 7)
    );
    assert_eq!(step.length as usize, request.bytes().len());

    watched.gateway.pass(MS * 30);
    let departed = watched.step();
    let What::Departed {
        residence_ns,
        late_ns: Some(late_ns),
    } = departed.what
    else {
        panic!("{departed:?}");
    };
    assert_eq!(departed.name, Some(name));
    let residence = departed.at.since(arrived);
    assert_eq!(u128::from(residence_ns), residence.as_nanos());
    assert_eq!(u128::from(late_ns), departed.at.since(due).as_nanos());

    let _ = watched.gateway.hears(Up, &delay_resp(1, 7, port(10)));
    let answer = watched.step();
    assert_eq!(answer.from, Up);
    let correction = i64::try_from(residence_ns).unwrap() << 16;
    assert_eq!(answer.what, What::Passes { correction });
    let name = answer.name.expect("a message");
    assert_eq!((name.sender, name.requester), (port(1), Some(port(10))));
}

#[test]
fn an_answer_that_waits_for_its_residence_leaves_with_it() {
    let mut watched = Watched::new(unheld());
    watched.gateway.stamps = false;
    let _ = watched.gateway.hears(Down, &delay_req(10, 7));
    assert_eq!(watched.step().what, What::Passes { correction: 0 });
    assert_eq!(
        watched.gateway.hears(Up, &delay_resp(1, 7, port(10))),
        Waits
    );
    assert_eq!(watched.step().what, What::Waits { due: None });
    watched.gateway.stamp_all();
    let steps = watched.steps();
    let [(departed, _), (left, _)] = &steps[..] else {
        panic!("{steps:?}");
    };
    let What::Departed {
        residence_ns,
        late_ns: None,
    } = departed.what
    else {
        panic!("{departed:?}");
    };
    let What::Leaves { correction } = left.what else {
        panic!("{left:?}");
    };
    assert!(residence_ns > 0 && correction > 0);
    assert_eq!(
        left.name.expect("a message").message,
        MessageType::DelayResp
    );
}

#[test]
fn a_drop_is_told_with_its_frame_and_reason() {
    let mut watched = Watched::new(held());
    let of = |reason| What::Dropped { reason };
    let foreign = delay_req(30, 1);
    assert_eq!(
        watched.gateway.hears(Up, &foreign),
        Dropped(Reason::Foreign)
    );
    let (step, bytes) = watched.steps().remove(0);
    assert_eq!((step.what, bytes), (of(Reason::Foreign), foreign.bytes()));

    // No PTP message at all.
    let at = watched.gateway.now;
    let _ = watched
        .gateway
        .hears_bytes(Down, &[7; 20], at, Err(Reason::NoRxStamp));
    let (step, bytes) = watched.steps().remove(0);
    assert_eq!((step.name, bytes), (None, vec![7; 20]));
    assert!(matches!(step.what, What::Dropped { .. }), "{step:?}");

    // One that waits, until it is too old.
    let request = delay_req(10, 1);
    assert_eq!(watched.gateway.hears(Down, &request), Waits);
    watched.gateway.skip(MS * 500);
    let (step, bytes) = watched.steps().remove(1);
    assert_eq!((step.what, bytes), (of(Reason::Stale), request.bytes()));

    // One that the interface did not take: its bytes have gone.
    let mut watched = Watched::new(unheld());
    watched.gateway.stamps = false;
    let _ = watched.gateway.hears(Down, &delay_req(10, 2));
    watched.gateway.refuse_all();
    let (step, bytes) = watched.steps().remove(1);
    assert_eq!((step.what, bytes), (of(Reason::TxFailed), Vec::new()));
    assert_eq!(step.name.expect("known").sequence_id, 2);

    // One whose timestamp never comes.
    let _ = watched.gateway.hears(Down, &delay_req(10, 3));
    watched.gateway.skip(MS * 2000);
    let (step, _) = watched.steps().remove(1);
    assert!(
        matches!(step.what, What::Unmeasured { .. } | What::Departed { .. }),
        "{step:?}"
    );
}
