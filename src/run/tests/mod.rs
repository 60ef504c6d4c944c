//! The loop with simulated ports, clock and machine: what it decides, and in which order it acts.

mod fakes;
mod light;
mod role;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::decide::Decider;
use super::filters::Filters;
use super::forwarding::{Forwarding, Parts};
use super::groups::SoughtGroups;
use super::lap::Lap;
use super::lateness::Lateness;
use super::link_log::LinkLog;
use super::loop_engine::WatchedClock;
use super::notify::Notify;
use super::pacer::{Pacer, Wait};
use super::publisher::Publisher;
use super::reload::{NewSettings, Order, TakenOver};
use super::stamping::StampChoice;
use super::wake::Wake;
use crate::core::Settings;
use crate::engine::{Clock as _, Engine};
use crate::options::{FilterChoice, SweepIntervals};
use crate::reason::Reason;
use crate::ring::{
    Interface, KeeperNews, LinkChange, LinkKind, StampSource, Stamping, Timestamping,
};
use crate::{PerPort, PerSide, Side};
use fakes::{FakeMachine, FakePort, Script, Time};

const MS: Duration = Duration::from_millis(1);
const SWEEP: SweepIntervals = SweepIntervals {
    shared: Duration::ZERO,
    usual: MS,
    untouched: MS,
};

/// A loop, and what it runs on.
struct Bench {
    forwarding: Forwarding<FakePort, Time, FakeMachine>,
    script: Rc<RefCell<Script>>,
    time: Time,
}

impl Bench {
    fn new(settings: Settings, spin: bool, summary: Option<Duration>) -> Self {
        let time = Time::new();
        let script = Rc::new(RefCell::new(Script::default()));
        let clock = WatchedClock::new(time.clone());
        let ports = PerSide::from_fn(|_| FakePort::new(&time));
        let mut engine = Engine::new(
            ports.up,
            ports.down,
            clock,
            settings.validated().expect("they fit"),
        );
        engine.core_mut().gate_new_clients();
        let mut filters = Filters::new(Vec::new(), [1, 2, 3], FilterChoice::Plain, false);
        let (cores, up) = engine.cores_and_up();
        filters.start(cores, up).unwrap();
        let decider = Decider::new(Pacer::new(SWEEP, spin), time.get());
        let interfaces = PerSide {
            up: interface("eth0", 2, 1500),
            down: interface("eth1", 3, 1500),
        };
        let names = interfaces.as_ref().map(|interface| interface.name.clone());
        let interfaces = PerPort::from(interfaces);
        let interfaces = interfaces.as_ref();
        let publisher = Publisher::new(
            &mut engine,
            &interfaces,
            "software".into(),
            filters.in_force(),
            decider.pacer(),
        );
        let links = LinkLog::new(&interfaces, time.get());
        let groups = SoughtGroups::new(&interfaces);
        let hardware = Stamping::of(
            PerSide::from_fn(|_| StampSource::Hardware(0)),
            "hardware".to_owned(),
        );
        let wanted = Timestamping::Auto;
        let parts = Parts {
            stamping: StampChoice::new(wanted, names.clone(), &hardware, time.get()),
            names: names.into(),
            filters,
            groups,
            lap: Lap::new(summary, time.get()),
            links,
            lateness: Lateness::new(time.get()),
            notify: Notify::from_environment(),
            publisher,
            decider,
        };
        let machine = FakeMachine {
            time: time.clone(),
            script: Rc::clone(&script),
        };
        Self {
            forwarding: Forwarding::new(engine, machine, parts),
            script,
            time,
        }
    }

    /// A loop that holds nothing back.
    fn quick() -> Self {
        Self::with(settings())
    }

    fn with(settings: Settings) -> Self {
        Self::new(settings, false, None)
    }

    /// One turn; how the loop waited after it.
    fn turn(&mut self) -> Wait {
        assert!(self.forwarding.turn().unwrap(), "nobody stops it");
        assert!(self.script.borrow().waits.len() < 100, "it gets nowhere");
        self.last_wait()
    }

    fn last_wait(&self) -> Wait {
        *self.script.borrow().waits.last().unwrap()
    }

    /// A request of a client arrives.
    fn request(&mut self, client: u8, number: u8) {
        let mut frame = vec![0x01, 0x1B, 0x19, 0, 0, 0, 2, 0, 0, 0, 0, client, 0x88, 0xF7];
        let mut ptp = [0_u8; 44];
        (ptp[0], ptp[1], ptp[3]) = (0x01, 0x02, 44);
        (ptp[27], ptp[31]) = (client, number);
        frame.extend(ptp);
        self.forwarding.engine.down_mut().arrivals.push_back(frame);
    }

    /// Requests that went up.
    fn forwarded(&mut self) -> usize {
        self.forwarding.engine.up_mut().sent.len()
    }

    fn dropped(&self, reason: Reason) -> u64 {
        self.forwarding.engine.counters().dropped_for(reason)
    }

    /// New settings are ready; where the loop answers.
    fn order(&mut self, settings: Settings) -> Receiver<TakenOver> {
        let (reply, answer) = mpsc::channel();
        let order = NewSettings {
            settings: settings.validated().expect("they fit"),
            keys: None,
            sweep: SWEEP,
            spin: false,
            summary: Some(30 * MS),
            reply,
        };
        let order = Order::Settings(Box::new(order));
        self.script.borrow_mut().orders.push_back(order);
        answer
    }

    fn happens(&mut self, wake: Wake) {
        self.script.borrow_mut().during_wait.push(wake);
    }
}

fn settings() -> Settings {
    Settings {
        jitter: Duration::ZERO,
        max_clients: 16,
        ..Settings::default()
    }
}

fn interface(name: &str, index: u32, mtu: u32) -> Interface {
    Interface {
        name: name.into(),
        index,
        mac: [2, 0, 0, 0, 0, 1],
        mtu,
        up: true,
        running: true,
        loopback: false,
        hardware_type: 1,
        kind: LinkKind::Physical,
        master: None,
        parent: None,
    }
}

#[test]
fn a_stop_ends_the_loop_and_nothing_else_does() {
    let mut bench = Bench::quick();
    for wake in [Wake::ClockSet, Wake::Links, Wake::Orders] {
        bench.happens(wake);
        assert!(bench.forwarding.turn().unwrap(), "{wake:?}");
    }
    bench.happens(Wake::Stop);
    assert!(!bench.forwarding.turn().unwrap());
    assert!(!bench.forwarding.turn().unwrap(), "nor does it go on");
}

#[test]
fn a_loop_that_never_sleeps_sees_a_stop() {
    let mut bench = Bench::new(settings(), true, None);
    bench.script.borrow_mut().at_look.push(Wake::Stop);
    for _ in 0..3 {
        assert_eq!(bench.turn(), Wait::No);
        assert_eq!(bench.script.borrow().looks, 0, "too early");
    }
    bench.time.pass(5 * MS);
    assert!(!bench.forwarding.turn().unwrap());
}

#[test]
fn what_a_filter_let_go_departs_without_a_wait() {
    let mut bench = Bench::quick();
    bench.turn();
    bench.request(1, 1);
    // The client is new: its request waits until the filter was looked at, which is after the turn.
    assert_eq!(bench.turn(), Wait::No);
    assert_eq!(bench.forwarded(), 0);
    let before = bench.time.get();
    assert_ne!(bench.turn(), Wait::No);
    assert_eq!(bench.forwarded(), 1);
    assert_eq!(bench.forwarding.engine.up_mut().sent_at, [before]);
}

#[test]
fn a_held_request_is_woken_for() {
    let mut bench = Bench::with(Settings {
        max_rate: Some(200),
        ..settings()
    });
    // The first ones wait for the kernel's filter.
    for client in 1..4 {
        bench.request(client, 1);
    }
    while bench.forwarded() < 3 {
        bench.turn();
    }
    bench.time.pass(100 * MS);
    // All at once: by the rate, they leave 5 ms apart.
    for client in 1..4 {
        bench.request(client, 2);
    }
    bench.turn();
    while bench.forwarded() < 6 {
        let departure = bench.forwarding.engine.core_mut().next_departure();
        let departure = departure.expect("one is held");
        let now = bench.time.get();
        assert!(
            now < departure + 2 * MS,
            "{now:?}: slept past {departure:?}"
        );
        bench.turn();
    }
    let at = &bench.forwarding.engine.up_mut().sent_at[3..];
    let apart: Vec<_> = at.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    assert!(
        apart.iter().all(|time| (4 * MS..7 * MS).contains(time)),
        "{apart:?}"
    );
}

#[test]
fn every_deadline_is_kept_in_silence() {
    let mut bench = Bench::new(settings(), false, Some(300 * MS));
    let start = bench.time.get();
    let mut ends = Vec::new();
    while bench.time.get() < start + 1000 * MS {
        bench.turn();
        ends.push(bench.time.get().since(start));
    }
    for due in [300 * MS, 600 * MS, 900 * MS] {
        assert!(ends.contains(&due), "{due:?} is not in {ends:?}");
    }
    assert!(ends.len() < 10, "it sleeps in between: {ends:?}");
}

#[test]
fn an_order_is_taken_before_the_next_turn_and_not_before_it_is_announced() {
    let mut bench = Bench::quick();
    bench.turn();
    let answer = bench.order(Settings {
        domains: vec![7],
        ..settings()
    });
    bench.request(1, 1);
    bench.turn();
    assert!(answer.try_recv().is_err(), "nothing woke the loop for it");
    assert_eq!(bench.dropped(Reason::Domain), 0);
    bench.happens(Wake::Orders);
    bench.turn();
    assert_eq!(answer.try_recv(), Ok(TakenOver::default()));
    let filters = PerSide {
        up: bench.forwarding.engine.up_mut().filters,
        down: bench.forwarding.engine.down_mut().filters,
    };
    assert_eq!(filters, PerSide { up: 1, down: 1 }, "both take the domain");
    // The very next turn is under the new settings.
    bench.time.pass(50 * MS);
    bench.request(2, 1);
    let mut wait = bench.turn();
    assert_eq!(bench.dropped(Reason::Domain), 1);
    while matches!(wait, Wait::Sweep(_)) {
        wait = bench.turn();
    }
    let due = bench.forwarding.parts.lap.due();
    let due = due.expect("a summary as ordered");
    assert!(
        matches!(wait, Wait::Frame(Some(until)) if until <= due + MS),
        "{wait:?}"
    );
}

#[test]
fn all_orders_are_taken_by_one_wake() {
    let mut bench = Bench::quick();
    bench.turn();
    let answers = [1, 2, 3].map(|_| bench.order(settings()));
    bench.happens(Wake::Orders);
    bench.turn();
    assert!(answers.iter().all(|answer| answer.try_recv().is_ok()));
}

#[test]
fn orders_and_links_of_the_start_are_dealt_with_unasked() {
    let mut bench = Bench::quick();
    let answer = bench.order(settings());
    let changed = LinkChange::Changed(interface("eth1", 3, 1400));
    bench.script.borrow_mut().links.push((Side::Down, changed));
    bench.turn();
    assert!(answer.try_recv().is_ok());
    assert_eq!(bench.forwarding.engine.down_mut().mtus, [1400]);
}

#[test]
fn rings_are_bound_again_to_an_interface_that_was_made_anew() {
    let mut bench = Bench::quick();
    bench.turn();
    let again = LinkChange::Recreated(interface("eth1", 9, 1500));
    bench.script.borrow_mut().links = vec![(Side::Down, LinkChange::Gone), (Side::Down, again)];
    bench.turn();
    assert_eq!(bench.forwarding.engine.down_mut().bound, None, "not woken");
    bench.happens(Wake::Links);
    bench.turn();
    assert_eq!(bench.forwarding.engine.down_mut().bound, Some(9));
    assert_eq!(
        bench.forwarding.engine.up_mut().bound,
        None,
        "the other side"
    );
    assert!(bench.forwarding.engine.down_mut().mtus.is_empty());
}

#[test]
fn the_core_hears_of_a_clock_that_was_set_and_only_then() {
    let mut bench = Bench::quick();
    bench.turn();
    for was_set in [false, true] {
        bench.script.borrow_mut().clock_was_set = was_set;
        bench.happens(Wake::ClockSet);
        bench.turn();
        assert_eq!(bench.forwarding.engine.clock_mut().was_set(), was_set);
    }
}

#[test]
fn an_interface_made_anew_has_its_hardware_timestamps_switched_on() {
    let mut bench = Bench::quick();
    bench.turn();
    let again = || {
        let again = LinkChange::Recreated(interface("eth1", 9, 1500));
        vec![(Side::Down, LinkChange::Gone), (Side::Down, again)]
    };
    bench.script.borrow_mut().links = again();
    bench.happens(Wake::Links);
    bench.turn();
    assert_eq!(bench.script.borrow().put_right, 1);
    assert!(bench.forwarding.engine.down_mut().sources.is_empty());
    // Another MTU is no reason.
    bench.script.borrow_mut().links =
        vec![(Side::Down, LinkChange::Changed(interface("eth1", 9, 1400)))];
    bench.happens(Wake::Links);
    bench.turn();
    assert_eq!(bench.script.borrow().put_right, 1);
    // With another clock its timestamps would be taken for those of the old one.
    bench.script.borrow_mut().other_clock = Some("eth1: its hardware clock is another".to_owned());
    bench.script.borrow_mut().links = again();
    bench.happens(Wake::Links);
    bench.turn();
    assert_eq!(bench.script.borrow().put_right, 1);
    let software = [StampSource::Software];
    assert_eq!(bench.forwarding.engine.up_mut().sources, software);
    assert_eq!(bench.forwarding.engine.down_mut().sources, software);
    let stamps = bench.forwarding.board().info().stamps;
    assert!(stamps.starts_with("software, because"), "{stamps}");
}

#[test]
fn news_of_the_process_that_keeps_timestamps_on_are_followed() {
    let mut bench = Bench::quick();
    bench.turn();
    let news = [
        KeeperNews::PutRight,
        KeeperNews::PutRight,
        KeeperNews::Ended,
    ];
    bench.script.borrow_mut().keeper.extend(news);
    bench.turn();
    assert_eq!(bench.script.borrow().keeper.len(), 3, "not woken");
    bench.happens(Wake::Keeper);
    bench.turn();
    assert_eq!(bench.script.borrow().keeper.len(), 0);
    let now = bench.time.get();
    let stamping = &mut bench.forwarding.parts.stamping;
    assert!(
        !stamping.put_right(now),
        "it was logged, and once a minute is enough"
    );
    assert!(stamping.put_right(now + Duration::from_secs(60)));
}
