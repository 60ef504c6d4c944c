//! The forwarder on real interfaces: opens the ports, runs the engine, prints and logs.

mod aim;
pub mod confine;
mod filters;
mod lap;
mod log_events;
mod notify;
mod pacer;
mod ports;
mod publisher;
mod reload;
mod signals;
mod waiter;

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use log::{info, warn};
use mio::Token;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Side;
use crate::cli::RunOptions;
use crate::control::reply::Reloaded;
use crate::control::{Place, Readers};
use crate::telemetry::Counters;

use crate::engine::{Clock, Engine};
use crate::metrics;
use crate::report;
use crate::ring::{ClockSetWatch, LinkChange, Monitor, PacketPort, SystemClock, process};
use crate::time::{ClockSample, Instant};

use filters::Filters;
use lap::Lap;
use log_events::{log_event, log_link};
use notify::Notify;
use pacer::{Pacer, Wait};
use ports::{Keep, Opened};
use publisher::Publisher;
pub use reload::{Outcome, Reloader};
use signals::Signals;
use waiter::Waiter;

const UP_RX: Token = Token(1);
const DOWN_RX: Token = Token(2);
const SIGNAL: Token = Token(3);
const CLOCK_SET: Token = Token(4);
const LINKS: Token = Token(5);
const RELOAD: Token = Token(6);

/// Default slack of timers is 50 us, as long as a sweep may be.
const TIMER_SLACK_NS: u64 = 1;
/// While sweeping or spinning, other descriptors are looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The machine's clocks, as the engine sees them.
struct MachineClock {
    clock: SystemClock,
    was_set: bool,
}

impl Clock for MachineClock {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn sample(&self) -> ClockSample {
        self.clock.sample()
    }

    fn was_set(&mut self) -> bool {
        std::mem::take(&mut self.was_set)
    }
}

/// The engine on this machine.
type MachineEngine = Engine<PacketPort, PacketPort, MachineClock>;

/// Forwards until it is told to stop.
///
/// # Errors
/// One line on what could not be set up, with the remedy.
pub fn run(options: &RunOptions) -> anyhow::Result<()> {
    let mut signals = Signals::new().context("signal handlers")?;
    let hangups = signals::on_hangup().context("signal handlers")?;
    let mut clock_set = ClockSetWatch::new().context("watching the clock")?;
    let clock = MachineClock {
        clock: SystemClock,
        was_set: false,
    };
    let settings = options.settings.clone();
    let key = keys(settings.seed);
    let mut filters = Filters::new(settings.domains.clone(), key, options.rings.filter);
    let mut notify = Notify::from_environment();
    if options.wait && !ports::wait_for(options, &mut signals, &mut notify)? {
        return print_totals(&Counters::default(), &[]);
    }
    let opened = ports::open(options, &filters)?;
    if let Err(error) = process::set_timer_slack(TIMER_SLACK_NS) {
        warn!("timer slack not lowered: {error}; sweeps will be late by up to 50 us");
    }
    let mut monitor = Monitor::open(&[&opened.interfaces[0], &opened.interfaces[1]])
        .context("watching the links")?;
    let mut waiter = Waiter::new()?;
    // The transmit sockets are in no set: waking a poller between a frame's transmit stamp and its
    // arrival would add to what every cable shows. Late stamps are found by sweeping.
    for (fd, token) in [
        (opened.up.rx.as_raw_fd(), UP_RX),
        (opened.down.rx.as_raw_fd(), DOWN_RX),
    ] {
        waiter.watch_idle(fd, token)?;
    }
    waiter.watch_always(signals.as_raw_fd(), SIGNAL)?;
    waiter.watch_always(clock_set.as_raw_fd(), CLOCK_SET)?;
    waiter.watch_always(monitor.as_raw_fd(), LINKS)?;
    let Opened {
        up,
        down,
        interfaces,
        mut keep,
    } = opened;
    let mut engine = Engine::new(up, down, clock, settings);
    let (core, up) = engine.core_and_up();
    filters.start(core, &mut up.rx)?;
    core.gate_new_clients();
    engine.core_mut().listen_first();
    let mut pacer = Pacer::new(options.rings.sweep, options.rings.spin);
    pacer.aim(options.rings.precise);
    let mut publisher = Publisher::new(
        &mut engine,
        &interfaces,
        keep.stamps().to_owned(),
        filters.in_force(),
        &pacer,
    );
    if options.rings.precise {
        // All memory is there by now.
        aim::take_priority();
    }
    let listener = options.metrics.map(metrics::Listener::bind).transpose()?;
    // Hardware stamps are switched back at the end.
    let rights: &[_] = match keep.hardware() {
        true => &[confine::Capability::CAP_NET_ADMIN],
        false => &[],
    };
    if let Err(error) = confine::drop_capabilities(rights) {
        warn!("capabilities kept: {error:#}");
    }
    // A thread: it takes the capabilities over that there are by now.
    let (reloader, mut orders) =
        reload::start(&options.source, hangups).context("the thread that reads again")?;
    waiter.watch_always(orders.as_raw_fd(), RELOAD)?;
    if let Some(listener) = listener {
        let address = listener
            .serve(Arc::clone(publisher.board()))
            .context("starting the metrics thread")?;
        info!("metrics: http://{address}/metrics");
    }
    let readers = Readers::start(
        Arc::clone(publisher.board()),
        &options.control,
        Arc::new(move || Reloaded::from(reloader.reload())),
    )
    .context("starting the control thread")?;
    notify.ready(&status_line(options, engine.core().clients()));
    let mut lap = Lap::new(options.summary, engine.clock_mut().now());
    engine.send_due_first(options.rings.precise);
    let mut stop = false;
    let mut was_set = false;
    let mut links = true;
    let mut ordered = true;
    let mut looked = engine.clock_mut().now();
    // Every thread runs, all is open.
    match confine::allow_calls(options.control != Place::Off) {
        Ok(count) => info!("confined: capabilities dropped, {count} system calls allowed"),
        Err(error) => warn!("system calls not confined: {error:#}"),
    }
    while !stop {
        let started = engine.clock_mut().now();
        let turn = engine.turn();
        let now = engine.clock_mut().now();
        follow_clients(&mut engine, &mut filters);
        while let Some(event) = engine.core_mut().next_event() {
            log_event(event);
        }
        lap.log_if_due(engine.core(), now);
        notify.alive_if_due(now, || status_line(options, engine.core().clients()));
        publisher.note(turn, &pacer);
        publisher.publish_if_due(&mut engine, filters.in_force(), now);
        let next_wake = [
            engine.next_wake(),
            engine.core().next_sweep(),
            filters.due(engine.core()),
            lap.due(),
            notify.due(),
            publisher.due(),
        ]
        .into_iter()
        .flatten()
        .min();
        let mut happened = |token| match token {
            SIGNAL => stop = true,
            CLOCK_SET => was_set |= clock_set.was_set(),
            LINKS => links = true,
            RELOAD => ordered = true,
            _ => {}
        };
        // What a new filter let go departs now.
        let ready = engine.core_mut().next_egress().is_some();
        let wait = pacer.after(turn, now, next_wake, engine.core().next_departure());
        match if ready { Wait::No } else { wait } {
            Wait::Frame(due) => waiter.wait_for_frame(due, now, &mut happened)?,
            Wait::Sweep(interval) => waiter::sweep(interval, now.since(started)),
            Wait::Exactly(due, frames) => waiter.wait_exactly(due, frames, now, &mut happened)?,
            Wait::No => {}
        }
        if now.since(looked) >= LOOK_EVERY {
            looked = now;
            waiter.look(&mut happened)?;
        }
        if std::mem::take(&mut links) {
            follow_links(&mut engine, &mut monitor, &mut keep, &mut publisher);
        }
        if std::mem::take(&mut ordered) {
            while let Some(order) = orders.next() {
                reload::take_over(order, &mut engine, &mut filters, &mut lap, &mut pacer);
                publisher.settings_changed();
            }
        }
        if std::mem::take(&mut was_set) {
            engine.clock_mut().was_set = true;
        }
    }
    notify.stopping();
    drop(readers);
    finish(&mut engine)
}

/// How it goes, in the words that `systemctl status` shows.
fn status_line(options: &RunOptions, clients: usize) -> String {
    format!(
        "forwarding: up {} <-> down {}, {clients} {}",
        options.up,
        options.down,
        if clients == 1 { "client" } else { "clients" },
    )
}

/// Prints the totals.
fn finish(engine: &mut MachineEngine) -> anyhow::Result<()> {
    let mut more = vec![(
        "sample_one_in",
        u64::from(filters::SAMPLE_ONE_IN),
        "of what the kernel drops for us above one in so many is counted: foreign, not-our-client, \
         peer-delay, gptp, domain, version, unknown-type",
    )];
    let late = &engine.core().measures().hold_error;
    more.extend([
        (
            "hold_error_p50_ns",
            late.quantile_ns(0.5).unwrap_or(0),
            "half of the held Delay_Req departed no later than this after their random moment",
        ),
        (
            "hold_error_p99_ns",
            late.quantile_ns(0.99).unwrap_or(0),
            "99 of 100 did so",
        ),
    ]);
    for side in [Side::Up, Side::Down] {
        let unsent = engine.unsent(side);
        let port = match side {
            Side::Up => engine.up_mut(),
            Side::Down => engine.down_mut(),
        };
        let (_, drops) = port.rx.drops();
        let lost = port.tx.stats().stamps_lost;
        more.extend(match side {
            Side::Up => [
                (
                    "ring_drops_up",
                    drops,
                    "frames lost because the receive ring was full",
                ),
                ("unsent_up", unsent, "frames that the kernel did not take"),
                (
                    "stamps_lost_up",
                    lost,
                    "transmit stamps that never came or could not be trusted",
                ),
            ],
            Side::Down => [
                (
                    "ring_drops_down",
                    drops,
                    "frames lost because the receive ring was full",
                ),
                ("unsent_down", unsent, "frames that the kernel did not take"),
                (
                    "stamps_lost_down",
                    lost,
                    "transmit stamps that never came or could not be trusted",
                ),
            ],
        });
    }
    print_totals(engine.counters(), &more)
}

fn print_totals(counters: &Counters, more: &[(&str, u64, &str)]) -> anyhow::Result<()> {
    match report::totals(&mut io::stdout().lock(), counters, more) {
        // Nobody reads any more: that is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("printing the totals"),
    }
}

/// Logs what became of our interfaces, and binds the rings again to one that was made anew.
fn follow_links(
    engine: &mut MachineEngine,
    monitor: &mut Monitor,
    keep: &mut Keep,
    publisher: &mut Publisher,
) {
    let result = monitor.changes(&mut |change| {
        let which = match &change {
            LinkChange::Changed { which, .. }
            | LinkChange::Renamed { which, .. }
            | LinkChange::Gone { which }
            | LinkChange::Recreated { which, .. } => *which,
        };
        let (side, port) = if which == 0 {
            (Side::Up, engine.up_mut())
        } else {
            (Side::Down, engine.down_mut())
        };
        log_link(side, &change);
        publisher.link(side, &change);
        match change {
            LinkChange::Changed { now, .. } | LinkChange::Renamed { now, .. } => {
                port.tx.set_mtu(now.mtu);
                // ENETDOWN, told once when the link went down.
                port.rx.take_error();
            }
            LinkChange::Recreated { now, .. } => {
                let bound = port.rx.rebind(&now).and_then(|()| port.tx.rebind(&now));
                if let Err(error) = bound {
                    warn!(
                        "{} {}: cannot be bound again: {error}",
                        side.label(),
                        now.name
                    );
                }
                keep.join_again(side, &now);
            }
            LinkChange::Gone { .. } => {}
        }
    });
    if let Err(error) = result {
        warn!("links cannot be watched: {error}");
    }
}

fn follow_clients(engine: &mut MachineEngine, filters: &mut Filters) {
    let (core, up) = engine.core_and_up();
    filters.follow(core, &mut up.rx, || SystemClock.now());
}

/// The key of the kernel filter's fold.
fn keys(seed: u64) -> [u32; 3] {
    let mut rng = SmallRng::seed_from_u64(seed);
    [rng.random(), rng.random(), rng.random()]
}
