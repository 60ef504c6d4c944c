//! The gateway on real interfaces, from its start to its end.

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;

use anyhow::{Context as _, Result};
use log::{info, warn};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::confine;
use super::decide::Decider;
use super::filters::Filters;
use super::forwarding::{Forwarding, Parts};
use super::groups::SoughtGroups;
use super::hand_over::{self, Former, Store};
use super::hardware_clocks::HardwareClocks;
use super::lap::Lap;
use super::lateness::Lateness;
use super::link_log::LinkLog;
use super::loop_engine::{LoopEngine, WatchedClock};
use super::machine::{Links, Machine, Watches};
use super::memory::Memory;
use super::notify::Notify;
use super::pacer::Pacer;
use super::publisher::Publisher;
use super::reload::ToLoop;
use super::sharing::Sharing;
use super::signals::{Signals, on_hangup};
use super::stamping::StampChoice;
use super::threads::Threads;
use super::{aim, guard, ports, reload, routes};
use crate::auth::SecurityAssociations;
use crate::cli;
use crate::control::Readers;
use crate::engine::Engine;
use crate::metrics::Listener;
use crate::options::RunOptions;
use crate::ring::{
    Claim, ClockSetWatch, PacketPort, RouteGuard, SilentPorts, Stamping, SystemClock, check_ports,
    process,
};
use crate::telemetry::{By, Role};
use crate::{PerPort, PerSide};

/// Default slack of timers is 50 us, as long as a polling interval may be.
const TIMER_SLACK_NS: u64 = 1;

/// A gateway: [opened](Self::open), then [confined](Self::confine), then run [turn](Self::turn) by turn, then
/// [finished](Self::finish); [`run`](super::run) does just that.
pub struct Gateway {
    /// Once they are started. Dropped first: they read what the loop publishes.
    readers: Option<Readers>,
    /// Until then.
    threads: Option<Threads>,
    forwarding: Forwarding<PacketPort, SystemClock, Machine>,
    /// Keeps the kernel from routing what we route.
    _guard: Option<RouteGuard>,
    /// Keeps other gateways off these interfaces.
    claim: Option<Claim>,
    /// Where metrics are asked for.
    metrics: Option<TcpListener>,
    /// Wakes the loop.
    to_loop: ToLoop,
    /// The service manager keeps what the next process needs.
    store: Option<Store>,
    /// What keeps this one from being taken over from.
    obstacle: Option<&'static str>,
    /// Another process does all that this one did.
    handed_over: bool,
    /// Where answers come to addresses that all clients share.
    silent: Option<SilentPorts>,
}

impl Gateway {
    /// Opens everything that takes a right, in this order: each step relies on those before it. `None` when the
    /// process is asked to stop while it waits for an interface.
    ///
    /// # Errors
    /// One line on what could not be set up, with the remedy.
    pub fn open(options: &RunOptions) -> Result<Option<Self>> {
        // Keys: a bad file is an error before anything else happens.
        let keys = keys(options)?;
        // Signals: from here on a stop or a reload asked for is not lost, nor is a step of the clock.
        let mut signals = Signals::new().context("signal handlers")?;
        let hangups = on_hangup().context("signal handlers")?;
        let mut clock_set = ClockSetWatch::new().context("watching the clock")?;
        let (reload, orders) = reload::prepare(&options.source, hangups).context("reload")?;
        let to_loop = reload.to_loop();
        // Interfaces: they exist, may be joined, and take timestamps.
        let mut notify = Notify::from_environment();
        if options.wait && !ports::wait_for(options, &mut signals, &mut notify)? {
            return Ok(None);
        }
        let interfaces = check_ports(&options.up, &options.downs)?;
        let names = interfaces.as_ref().map(|interface| interface.name.clone());
        let interfaces = interfaces.as_ref();
        let first = PerSide {
            up: interfaces.up,
            down: interfaces.downs[0],
        };
        // Another process may be there, or may have been: this one goes on where it was.
        let store = Store::new(&notify);
        let mut former = Former::find(options, &interfaces, &store)?;
        // Claim: no other gateway of this machine joins the same two networks.
        let beside = former.as_ref().and_then(Former::running);
        let claim = Claim::take(&interfaces, &options.settings.domains, beside)?;
        // Addresses: this machine has those that everything is to carry.
        let sharing = Sharing::of(options, interfaces.up)?;
        // Guard: from here on the kernel does not route what we route.
        let guard = guard::raise(options)?;
        let mut stamping = Stamping::set_up(
            options.rings.timestamping,
            options.settings.phc_bound,
            &interfaces,
        )?;
        // What needs a right later is left to a process that reads no frame. Before the rings, which it is not to have.
        stamping.leave_to_keeper(confine::keeper)?;
        // Memory: asked for where it is there.
        let (short, memory) =
            Memory::of(options, interfaces.downs.len()).check(process::available_memory())?;
        let (clocks, crossings) = HardwareClocks::new(std::mem::take(&mut stamping.clocks));
        let routes = match options.settings.routed {
            true => {
                // The options allow it with one downstream only.
                Some(routes::watch(first).context("reading the routes")?)
            }
            false => None,
        };
        let (routes, news) = routes.unzip();
        // Groups: from here on switches send PTP our way. Links: what happens to them is seen.
        let links = Links::join(interfaces.clone())?;
        let obstacle = hand_over::obstacle(options, &stamping, interfaces.downs.len());
        if let Some(setting) = obstacle.filter(|_| store.is_there()) {
            info!("a restart begins anew: with {setting} nothing is handed over");
        }
        // Rings: each has its filter before its first frame. Those of another process come with all that it knew.
        let mut filters = filters(options);
        let restored = match &mut former {
            Some(former) => former.engine(options, &interfaces, &stamping, |rings| {
                new_engine(options, rings)
            })?,
            None => None,
        };
        let goes_on = restored.is_some();
        let mut engine = match restored {
            Some(engine) => engine,
            None => engine(
                options,
                ports::open(options, &interfaces, &stamping, &filters)?,
            ),
        };
        // The first line: whoever waits for it can send.
        info!("{}", cli::banner(options, &names.downs));
        info!("timestamps: {}", stamping.why);
        match short {
            true => warn!("{memory}"),
            false => info!("{memory}"),
        }
        let link_log = LinkLog::new(&interfaces, SystemClock.now());
        if let Some(watched) = former.as_mut().and_then(Former::clock_set) {
            clock_set = watched;
            // Before the first frame is read that waits there.
            if clock_set.was_set() {
                engine.clock_mut().note_set();
            }
        }
        let watches = Watches::new(signals, clock_set, orders);
        let up = engine.up_mut().rx.as_raw_fd();
        let downs = engine.downs_mut().iter().map(|down| down.rx.as_raw_fd());
        let receive: Vec<_> = [up].into_iter().chain(downs).collect();
        let machine = Machine::new(watches, links, receive, stamping, news)?;
        // A port below 1024 takes a right.
        let metrics = metrics(options, former.as_mut())?;
        // The other process, if one runs, ends with this: all that may fail is done.
        former.map(Former::take).transpose()?;
        lower_timer_slack();
        // The core, whose clients the filter upstream follows.
        engine.clock_mut().follow(crossings);
        if let Some(keys) = keys {
            for core in engine.cores_mut() {
                core.set_keys(keys.clone(), SystemClock.now());
            }
        }
        let stamping = StampChoice::new(
            options.rings.timestamping,
            PerSide {
                up: names.up.clone(),
                down: names.downs.join(", "),
            },
            machine.stamping(),
            SystemClock.now(),
        );
        let groups = SoughtGroups::new(&interfaces);
        let cores = engine.cores_mut();
        groups.tell_macs(cores);
        let silent = sharing.map(|sharing| {
            info!("{}", sharing.summary());
            for core in &mut *cores {
                core.share_addresses(sharing.addresses.clone());
            }
            sharing.ports
        });
        for (core, stamps) in cores.iter_mut().zip(stamping.tx_stamps()) {
            core.set_tx_stamps(stamps);
        }
        if goes_on {
            filters.replace_all(&mut engine);
        }
        let (cores, up) = engine.cores_and_up();
        filters.start(cores, up)?;
        let decider = decider(options, SystemClock.now());
        let publisher = Publisher::new(
            &mut engine,
            &interfaces,
            machine.stamping().why.clone(),
            filters.in_force(),
            decider.pacer(),
        );
        // Priority: all memory is there by now.
        if options.rings.precise {
            aim::take_priority();
        }
        let again = metrics.as_ref().map(Listener::again);
        let lap = Lap::new(options.summary, SystemClock.now());
        let lateness = Lateness::new(SystemClock.now());
        let parts = Parts {
            names,
            stamping,
            filters,
            groups,
            lap,
            links: link_log,
            lateness,
            notify,
            publisher,
            decider,
        };
        let threads = Threads {
            reload,
            routes,
            clocks,
            metrics,
            control: options.control.clone(),
            replaces: options.take_over.is_some(),
        };
        Ok(Some(Self {
            forwarding: Forwarding::new(engine, machine, parts),
            metrics: again.and_then(Result::ok),
            to_loop,
            store: Some(store),
            obstacle,
            handed_over: false,
            threads: Some(threads),
            readers: None,
            _guard: guard,
            claim: Some(claim),
            silent,
        }))
    }

    /// Gives up what is not needed any more: capabilities, and most system calls. Between the two it starts the
    /// threads beside the loop, and is ready.
    ///
    /// # Errors
    /// When a thread cannot be started. A system that does not confine is a warning.
    pub fn confine(&mut self) -> Result<()> {
        let Some(threads) = self.threads.take() else {
            return Ok(());
        };
        let removes_files = threads.removes_files();
        // Capabilities belong to a thread: first, while there is one only; the others start with what it has.
        if let Err(error) = confine::drop_capabilities(&[]) {
            warn!("capabilities kept: {error:#}");
        }
        // Threads: they open sockets and files that the filter of system calls forbids.
        self.readers = Some(threads.start(&self.forwarding.board())?);
        self.forwarding.ready();
        // System calls: last, for every thread.
        match confine::allow_calls(removes_files) {
            Ok(count) => info!("confined: capabilities dropped, {count} system calls allowed"),
            Err(error) => warn!("system calls not confined: {error:#}"),
        }
        Ok(())
    }

    /// One turn of the loop: forwards what has arrived and what is due, then waits. False when the process is
    /// asked to stop.
    ///
    /// # Errors
    /// The system's: it cannot wait.
    pub fn turn(&mut self) -> Result<bool> {
        let goes_on = self.forwarding.turn()?;
        match self.forwarding.take_successor() {
            Some(stream) if goes_on => Ok(!self.leave_to(&stream)),
            _ => Ok(goes_on),
        }
    }

    /// Hands over to the process at the other end of a connection, if it takes it.
    #[cold]
    fn leave_to(&mut self, stream: &UnixStream) -> bool {
        let Forwarding {
            engine, outside, ..
        } = &mut self.forwarding;
        let beside = outside.beside(self.metrics.as_ref(), self.silent.as_ref());
        match hand_over::leave_to(stream, engine, &beside, self.obstacle) {
            Ok(()) => {
                info!("another process has taken over");
                self.handed_over = true;
            }
            Err(error) => warn!("another process asked to take over, but did not: {error:#}"),
        }
        self.handed_over
    }

    /// Ends the gateway: prints the totals, and gives the interfaces their former settings back. What the next process of
    /// this service goes on with is left to the service manager, if there is one; or it has been handed over.
    ///
    /// # Errors
    /// The system's, when the totals could not be printed.
    pub fn finish(mut self) -> Result<()> {
        self.forwarding.parts.notify.stopping();
        let kept = match self.store.take() {
            Some(store) if !self.handed_over => self.keep_for_restart(store)?,
            _ => false,
        };
        drop(self.readers.take());
        let printed = match self.handed_over {
            true => Ok(()),
            false => self.forwarding.print_totals(),
        };
        if kept {
            // The sockets live on, and the next process waits for this one's end.
            return printed;
        }
        let (up, downs) = self.forwarding.engine.into_ports();
        ports::close([up].into_iter().chain(downs), self.claim);
        printed
    }
}

impl Gateway {
    /// Leaves to the service manager what the next process of this service goes on with; whether it has all of it.
    fn keep_for_restart(&mut self, mut store: Store) -> Result<bool> {
        if store.is_there() && self.obstacle.is_none() {
            self.make_ready(&mut store)?;
        }
        let Forwarding {
            engine, outside, ..
        } = &mut self.forwarding;
        let beside = outside.beside(self.metrics.as_ref(), self.silent.as_ref());
        let obstacle = self.obstacle;
        Ok(hand_over::keep_for_restart(
            store, engine, &beside, obstacle,
        ))
    }

    /// Lets go of what the next process does not need and leaves the sockets to the service manager, and goes on forwarding
    /// meanwhile: the kernel takes its time for packet sockets. From the end of this on nobody forwards until the next
    /// process does.
    fn make_ready(&mut self, store: &mut Store) -> Result<()> {
        let (up, downs) = self.forwarding.engine.ports_mut();
        let rest: Vec<_> = [up]
            .into_iter()
            .chain(downs)
            .map(PacketPort::rest)
            .collect();
        // The readers' thread has the lowest priority: it is not waited for here either.
        let closing = (self.readers.take(), self.claim.take(), rest);
        let closed = ports::close_beside_loop(closing, self.to_loop.clone());
        let Forwarding {
            engine, outside, ..
        } = &self.forwarding;
        let beside = outside.beside(self.metrics.as_ref(), self.silent.as_ref());
        hand_over::keep_early(store, engine, &beside);
        while !closed() {
            self.forwarding.turn()?;
        }
        Ok(())
    }
}

/// The keys of signed messages. Nobody reads them from our memory from here on.
fn keys(options: &RunOptions) -> Result<Option<SecurityAssociations>> {
    let Some(path) = &options.sa_file else {
        return Ok(None);
    };
    if let Err(error) = process::keep_memory_private() {
        warn!("keys may show in a core dump: {error}");
    }
    match SecurityAssociations::load(path) {
        Ok(keys) => {
            info!("{}: {}", path.display(), keys.summary());
            Ok(Some(keys))
        }
        // The program prints them as what is wrong with its configuration.
        Err(problems) => Err(problems.into()),
    }
}

fn filters(options: &RunOptions) -> Filters {
    let settings = &options.settings;
    let key = filter_key(settings.seed);
    Filters::new(
        settings.domains.clone(),
        key,
        options.rings.filter,
        settings.relays_neighbours(),
    )
}

/// The key of the kernel filter's fold.
fn filter_key(seed: u64) -> [u32; 3] {
    let mut rng = SmallRng::seed_from_u64(seed);
    [rng.random(), rng.random(), rng.random()]
}

/// An engine that knows nothing, and makes itself known first.
fn engine(options: &RunOptions, ports: PerPort<PacketPort>) -> LoopEngine<PacketPort, SystemClock> {
    let mut engine = new_engine(options, ports);
    for core in engine.cores_mut() {
        core.gate_new_clients();
        match options.standby {
            true => {
                core.set_role(Role::Standby, By::START, SystemClock.now());
            }
            false => core.listen_first(),
        }
    }
    engine
}

fn new_engine(
    options: &RunOptions,
    ports: PerPort<PacketPort>,
) -> LoopEngine<PacketPort, SystemClock> {
    let clock = WatchedClock::new(SystemClock);
    let mut engine = Engine::with_downs(ports.up, ports.downs, clock, &options.settings);
    engine.send_due_first(options.rings.precise);
    engine
}

/// Where metrics are asked for: where another process had it, or anew.
fn metrics(options: &RunOptions, former: Option<&mut Former>) -> Result<Option<Listener>> {
    let Some(address) = options.metrics else {
        return Ok(None);
    };
    let taken = former.and_then(|former| former.metrics(address));
    match taken.map(Listener::take_over) {
        Some(listener) => Ok(Some(listener)),
        None => Listener::bind(address).map(Some),
    }
}

fn decider(options: &RunOptions, now: crate::time::Instant) -> Decider {
    let rings = &options.rings;
    let mut pacer = Pacer::new(rings.sweep, rings.spin);
    pacer.aim(rings.precise);
    Decider::new(pacer, now)
}

fn lower_timer_slack() {
    if let Err(error) = process::set_timer_slack(TIMER_SLACK_NS) {
        warn!("timer slack not lowered: {error}; polling will be late by up to 50 us");
    }
}
