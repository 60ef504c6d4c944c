//! The kernel filters in force: the one upstream follows the client table.
//!
//! Where the kernel and our privileges allow it, the filter asks a map of the kernel's, to which clients
//! are added one by one as they come. Else it is a program with a search tree over all clients, made
//! anew when they have changed.

mod map;
mod masters;
mod refusal;
mod sampler;
mod tree;

use std::io;
use std::time::Duration;

use log::{debug, info, warn};

use crate::Side;
use crate::core::Forwarder;
use crate::engine::Clock;
use crate::filter::{self, Fit, MAX_INSTRUCTIONS, Spec};
use crate::options::FilterChoice;
use crate::telemetry::{FilterKind, FilterState};
use crate::time::Instant;
use crate::wire::PortIdentity;

use super::cores::{admit_all, clients, clients_version};
use super::loop_engine::LoopEngine;
use super::port::{FilterSocket, LinkPort};
use super::publisher::count;
use map::Map;
use masters::KnownMasters;
use refusal::Facts;
use sampler::Sampler;
use tree::{Tree, for_kernel};

/// Of a flood that nobody here wants one frame in this many passes all the same, so that it can be counted.
pub(super) const SAMPLE_ONE_IN: u32 = sampler::THINNEST;
/// With more clients than this a tree over them would let most strangers through: it is not worth its
/// making.
const MOST_CLIENTS: usize = 60_000;
/// A tree is replaced at most this often.
const PAUSE: Duration = Duration::from_millis(20);
/// And its making takes at most this share of the time, as long as nobody has to wait longer than may be.
const SHARE: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_millis(50);
/// One that the kernel refuses is tried again, after a pause that doubles up to this.
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// While at least this many clients come or go between two trees, none is made: they need not wait for it then.
const RUSH: u64 = 512;

/// What the filter upstream knows of our clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InForce {
    /// Each by its identity, in a map of the kernel's.
    Map,
    /// By a program that was made for them.
    Tree(Fit),
}

impl std::fmt::Display for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Map => write!(f, "map of all clients"),
            Self::Tree(Fit::Exact) => write!(f, "search tree over all clients"),
            Self::Tree(Fit::Coarse { pass_per_mille }) => write!(
                f,
                "coarse search tree, lets {pass_per_mille} of 1000 foreign Delay_Resp in"
            ),
            Self::Tree(Fit::Plain) => write!(f, "plain, lets every Delay_Resp in"),
        }
    }
}

/// Makes the filters, and has the one upstream follow the client table.
pub(super) struct Filters {
    domains: Vec<u8>,
    key: [u32; 3],
    choice: FilterChoice,
    sampler: Sampler,
    masters: KnownMasters,
    /// The tree is to be made anew with another sampling.
    resample: bool,
    /// Version of the client table that the filter upstream follows.
    version: u64,
    /// Version up to which clients are let in.
    admitted: u64,
    /// There was no time for a tree, or the kernel refused it: one is to be made.
    behind: bool,
    /// The last one was refused.
    refused: bool,
    /// The filter downstream is not yet for these domains.
    refused_below: bool,
    last: Instant,
    pause: Duration,
    identities: Vec<PortIdentity>,
    in_force: InForce,
    /// Clients that it knows.
    clients: usize,
    instructions: usize,
    map: Option<Map>,
    tree: Tree,
}

impl Filters {
    pub(super) const fn new(
        domains: Vec<u8>,
        key: [u32; 3],
        choice: FilterChoice,
        neighbours: bool,
    ) -> Self {
        Self {
            masters: KnownMasters::new(neighbours),
            domains,
            key,
            choice,
            sampler: Sampler::new(),
            resample: false,
            version: 0,
            admitted: 0,
            behind: false,
            refused: false,
            refused_below: false,
            last: Instant::from_nanos(0),
            pause: PAUSE,
            identities: Vec::new(),
            in_force: InForce::Tree(Fit::Plain),
            clients: 0,
            instructions: 0,
            map: None,
            tree: Tree::new(),
        }
    }

    /// The filter upstream that the kernel runs now.
    pub(super) fn in_force(&self) -> FilterState {
        FilterState {
            kind: match self.in_force {
                InForce::Map => FilterKind::Map,
                InForce::Tree(Fit::Exact) => FilterKind::Exact,
                InForce::Tree(Fit::Coarse { .. }) => FilterKind::Coarse,
                InForce::Tree(Fit::Plain) => FilterKind::Plain,
            },
            clients: count(self.clients),
            instructions: count(self.instructions),
        }
    }

    /// The filter to open a port with.
    pub(super) fn at_start(&self, side: Side) -> anyhow::Result<Vec<libc::sock_filter>> {
        let (program, _) = filter::fit(&self.spec(side, None), MAX_INSTRUCTIONS)?;
        Ok(for_kernel(&program))
    }

    /// Puts those to open a port with in force again: what follows relies on them. A filter of many clients may take all the
    /// memory that the kernel has for them: then everything comes in for a moment.
    pub(super) fn replace_all<P: LinkPort, C: Clock>(&self, engine: &mut LoopEngine<P, C>) {
        let replace = |side: Side, port: &mut P| {
            let replaced = self.at_start(side).and_then(|program| {
                port.attach(&program)
                    .or_else(|_| port.detach().and_then(|()| port.attach(&program)))?;
                Ok(())
            });
            if let Err(error) = replaced {
                warn!("kernel filter {}: not replaced: {error:#}", side.label());
            }
        };
        replace(Side::Up, engine.up_mut());
        let downs = engine.downs_mut().iter_mut();
        downs.for_each(|down| replace(Side::Down, down));
    }

    /// Puts a map in force, if it may be had, in place of the filter of [`Filters::at_start`]. To be called
    /// once, before the first turn.
    ///
    /// # Errors
    /// When a map is asked for and cannot be had.
    pub(super) fn start(
        &mut self,
        cores: &mut [Forwarder],
        up: &mut impl FilterSocket,
    ) -> anyhow::Result<()> {
        self.instructions = self.at_start(Side::Up)?.len();
        self.tree.found(self.instructions);
        if matches!(self.choice, FilterChoice::Auto | FilterChoice::Map) {
            let facts = Facts::here();
            let started = facts.check().and_then(|()| {
                Map::start(&self.spec(Side::Up, None), cores, up)
                    .map_err(|error| facts.explain(&error))
            });
            match started {
                Ok(map) => {
                    self.instructions = map.instructions;
                    self.tree.found(map.instructions);
                    let known = map.clients;
                    self.map = Some(map);
                    self.now_in_force(InForce::Map, known);
                    self.version = clients_version(cores);
                    if known > 0 {
                        admit_all(cores);
                    }
                    return Ok(());
                }
                Err(why) if self.choice == FilterChoice::Map => {
                    anyhow::bail!("--filter map: {why}")
                }
                Err(why) => debug!("no map for the kernel filter upstream: {why}"),
            }
        }
        Ok(())
    }

    /// When the filter is to follow, if the client table has changed.
    pub(super) fn due(&self, cores: &[Forwarder]) -> Option<Instant> {
        let pause = if self.map.is_some() {
            Duration::ZERO
        } else {
            self.pause
        };
        let follow =
            (self.behind || clients_version(cores) != self.version).then(|| self.last + pause);
        let others = [self.sampler.due(), self.masters.due(cores)];
        follow.into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Samples thinner or thicker what nobody here wants, by how much of it comes in. True when the filter downstream
    /// is to be put in force anew ([`Filters::at_start`]).
    pub(super) fn sample(&mut self, cores: &[Forwarder], now: Instant) -> bool {
        let searches = self.in_force != InForce::Tree(Fit::Plain);
        let changed = self.sampler.look(cores, searches, now);
        if changed.up {
            let sampling = self.sampler.sampling(Side::Up);
            debug!("kernel filter upstream: samples {sampling:?}");
            match &mut self.map {
                Some(map) => {
                    if let Err(error) = map.sample(&sampling) {
                        debug!("kernel filter upstream: the sample does not change: {error}");
                    }
                }
                None => (self.behind, self.resample) = (true, true),
            }
        }
        changed.down && (!self.domains.is_empty() || self.masters.words().is_some())
    }

    /// Follows the masters whose neighbours pass. True when the filter downstream is to be put in force anew
    /// ([`Filters::at_start`]).
    pub(super) fn follow_masters(&mut self, cores: &[Forwarder], now: Instant) -> bool {
        if self.masters.due(cores).is_none_or(|due| now < due) {
            return false;
        }
        let before = self.masters.words().map(<[u32]>::to_vec);
        if !self.masters.follow(cores, now) {
            return false;
        }
        match &mut self.map {
            Some(map) => {
                let before = before.unwrap_or_default();
                let after = self.masters.words().unwrap_or_default();
                if let Err(error) = map.set_masters(&before, after) {
                    debug!("kernel filter upstream: masters not followed: {error}");
                    self.masters.again(now);
                }
            }
            None => (self.behind, self.resample) = (true, true),
        }
        true
    }

    /// The filter downstream was not put in force.
    pub(super) fn refused_below(&mut self, now: Instant) {
        self.masters.again(now);
    }

    /// Follows the client table; lets new clients' requests go once their answers can come in.
    pub(super) fn follow(
        &mut self,
        cores: &mut [Forwarder],
        up: &mut impl FilterSocket,
        clock: impl Fn() -> Instant,
    ) {
        let version = clients_version(cores);
        if self.in_force == InForce::Tree(Fit::Plain) && version != self.admitted {
            // It lets everybody's answers in.
            self.admitted = version;
            admit_all(cores);
        }
        if version == self.version && !self.behind {
            return;
        }
        if let Some(map) = &mut self.map {
            let (followed, outcome) = map.follow(cores);
            self.clients = map.clients;
            match outcome {
                Ok(()) => {
                    self.version = followed;
                    return;
                }
                Err(error) => {
                    warn!("kernel filter upstream: the map of clients fails: {error}");
                    cores.iter_mut().for_each(|core| core.follow_changes(false));
                    self.map = None;
                }
            }
        }
        let now = clock();
        let rush = version - self.version > RUSH;
        let plain_now = self.in_force == InForce::Tree(Fit::Plain);
        if now < self.last + self.pause && (plain_now || !rush) {
            return;
        }
        let plain = self.plain_for(cores);
        let same = !self.tree.open() && !self.resample;
        let outcome = if plain_now && (plain || rush) && same {
            Ok(())
        } else {
            self.replace(cores, up, plain || rush)
        };
        self.version = version;
        self.last = clock();
        match outcome {
            Ok(()) => {
                self.behind = rush && !plain;
                self.resample = false;
                self.refused = false;
                self.pause = (self.last.since(now) * SHARE).clamp(PAUSE, LONGEST_PAUSE);
                self.admitted = version;
                admit_all(cores);
            }
            // The answers to those who have come since cannot come in: they go on waiting.
            Err(error) => self.try_again(&error),
        }
    }

    /// The kernel has refused a tree.
    fn try_again(&mut self, error: &io::Error) {
        self.behind = true;
        self.pause = (self.pause * 2).clamp(PAUSE, LONGEST_RETRY);
        // What goes on for hours is logged once.
        if !std::mem::replace(&mut self.refused, true) {
            warn!("kernel filter upstream not replaced: {error}; it is tried again");
        }
        debug!("kernel filter upstream not replaced: {error}");
    }

    /// Lets other domains in from now on, on both sides.
    pub(super) fn set_domains<P: LinkPort, C: Clock>(
        &mut self,
        domains: Vec<u8>,
        engine: &mut LoopEngine<P, C>,
    ) -> anyhow::Result<()> {
        // Upstream it is tried again without being asked.
        if domains == self.domains && !self.refused_below {
            return Ok(());
        }
        self.domains = domains;
        let below = self.at_start(Side::Down)?;
        let below = attach_below(engine, &below);
        self.refused_below = below.is_err();
        let (cores, up) = engine.cores_and_up();
        self.domains_above(cores, up)?;
        Ok(below?)
    }

    /// Has the filter upstream take the domains.
    fn domains_above(
        &mut self,
        cores: &mut [Forwarder],
        up: &mut impl FilterSocket,
    ) -> io::Result<()> {
        let domains = (!self.domains.is_empty()).then_some(self.domains.as_slice());
        if let Some(map) = &mut self.map {
            match map.set_domains(domains, up) {
                Ok(()) => {
                    self.instructions = map.instructions;
                    self.tree.found(map.instructions);
                    return Ok(());
                }
                Err(error) => {
                    warn!(
                        "kernel filter upstream: the map of clients does not take other domains: {error}; \
                         a tree serves"
                    );
                    cores.iter_mut().for_each(|core| core.follow_changes(false));
                    self.map = None;
                }
            }
        }
        let version = clients_version(cores);
        let outcome = self.replace(cores, up, self.plain_for(cores));
        match &outcome {
            Ok(()) => {
                (self.behind, self.refused) = (false, false);
                self.version = version;
                self.admitted = version;
                admit_all(cores);
            }
            Err(error) => self.try_again(error),
        }
        outcome
    }

    fn plain_for(&self, cores: &[Forwarder]) -> bool {
        self.choice == FilterChoice::Plain || clients(cores) > MOST_CLIENTS
    }

    fn replace(
        &mut self,
        cores: &[Forwarder],
        up: &mut impl FilterSocket,
        plain: bool,
    ) -> io::Result<()> {
        let mut identities = std::mem::take(&mut self.identities);
        identities.clear();
        if !plain {
            identities.extend(cores.iter().flat_map(Forwarder::client_identities));
        }
        let mut tree = std::mem::take(&mut self.tree);
        let spec = self.spec(Side::Up, (!plain).then_some(identities.as_slice()));
        let outcome = tree.replace(up, &spec);
        self.instructions = tree.in_force();
        self.tree = tree;
        let known = identities.len();
        self.identities = identities;
        if self.tree.open() {
            self.now_in_force(InForce::Tree(Fit::Plain), 0);
        }
        let fit = outcome?;
        debug!(
            "kernel filter upstream: {fit:?} for {known} clients, {} instructions",
            self.instructions
        );
        self.now_in_force(InForce::Tree(fit), known);
        Ok(())
    }

    fn now_in_force(&mut self, now: InForce, clients: usize) {
        let kind = |state: InForce| match state {
            InForce::Map => 0,
            InForce::Tree(Fit::Exact) => 1,
            InForce::Tree(Fit::Coarse { .. }) => 2,
            InForce::Tree(Fit::Plain) => 3,
        };
        self.clients = if now == InForce::Tree(Fit::Plain) {
            0
        } else {
            clients
        };
        if kind(now) != kind(self.in_force) {
            info!("kernel filter upstream: {now}");
        }
        self.in_force = now;
    }

    fn spec<'a>(&'a self, side: Side, clients: Option<&'a [PortIdentity]>) -> Spec<'a> {
        Spec {
            side,
            domains: (!self.domains.is_empty()).then_some(self.domains.as_slice()),
            clients,
            watch_second_path: true,
            neighbours: self.masters.words(),
            sampling: self.sampler.sampling(side),
            key: self.key,
        }
    }
}

/// Puts a program in force on each port downstream.
///
/// # Errors
/// The first of the kernel's; all others have it.
pub(super) fn attach_below<P: LinkPort, C: Clock>(
    engine: &mut LoopEngine<P, C>,
    program: &[libc::sock_filter],
) -> io::Result<()> {
    let attached = engine
        .downs_mut()
        .iter_mut()
        .map(|down| down.attach(program));
    attached.fold(Ok(()), io::Result::and)
}

#[cfg(test)]
mod tests;
