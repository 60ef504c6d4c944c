//! The kernel filters in force: the one above follows the client table.

use std::time::Duration;

use log::{debug, warn};

use crate::Side;
use crate::core::Forwarder;
use crate::filter::{self, Fit, Instruction, MAX_INSTRUCTIONS, Spec};
use crate::ring::RxRing;
use crate::telemetry::{FilterKind, FilterState};
use crate::time::Instant;
use crate::wire::PortIdentity;

use super::MachineEngine;

/// One of so many frames that nobody here wants passes all the same, so that they can be counted.
pub(super) const SAMPLE_ONE_IN: u32 = 1024;
/// With more clients than this a tree over them would let most strangers through: it is not worth its
/// making.
const MOST_CLIENTS: usize = 60_000;
/// The filter is replaced at most this often.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes the filters, and replaces the one above as clients come and go.
pub(super) struct Filters {
    domains: Vec<u8>,
    key: [u32; 3],
    /// Version of the client table that the filter above was made from.
    version: u64,
    last: Instant,
    /// Instructions that the kernel took; it charges them to net.core.optmem_max.
    limit: usize,
    identities: Vec<PortIdentity>,
    plain: bool,
    in_force: FilterState,
}

impl Filters {
    pub(super) const fn new(domains: Vec<u8>, key: [u32; 3]) -> Self {
        Self {
            domains,
            key,
            version: 0,
            last: Instant::from_nanos(0),
            limit: MAX_INSTRUCTIONS,
            identities: Vec::new(),
            plain: true,
            in_force: FilterState {
                kind: FilterKind::Plain,
                clients: 0,
                instructions: 0,
            },
        }
    }

    /// The filter above that the kernel runs now.
    pub(super) const fn in_force(&self) -> FilterState {
        self.in_force
    }

    /// The filter to open a port with.
    pub(super) fn at_start(&self, side: Side) -> anyhow::Result<Vec<libc::sock_filter>> {
        let (program, _) = filter::fit(&self.spec(side, None), MAX_INSTRUCTIONS)?;
        Ok(for_kernel(&program))
    }

    /// When the filter must be looked at again, if the client table has changed.
    pub(super) fn due(&self, core: &Forwarder) -> Option<Instant> {
        (core.clients_version() != self.version).then(|| self.last + PAUSE)
    }

    /// Follows the client table; lets new clients' requests go once their answers can come in.
    pub(super) fn follow(&mut self, core: &mut Forwarder, up: &mut RxRing, now: Instant) {
        let version = core.clients_version();
        if version == self.version || now < self.last + PAUSE {
            return;
        }
        self.last = now;
        self.version = version;
        let many = core.clients() > MOST_CLIENTS;
        if !(many && self.plain)
            && let Err(error) = self.replace(core, up, many)
        {
            warn!("kernel filter above not replaced: {error}");
        }
        core.admit(version);
    }

    /// Lets other domains in from now on, on both sides.
    pub(super) fn set_domains(
        &mut self,
        domains: Vec<u8>,
        engine: &mut MachineEngine,
    ) -> anyhow::Result<()> {
        if domains == self.domains {
            return Ok(());
        }
        self.domains = domains;
        let below = self.at_start(Side::Down)?;
        let below = engine.down_mut().rx.set_filter(&below);
        let (core, up) = engine.core_and_up();
        let version = core.clients_version();
        self.replace(core, &mut up.rx, core.clients() > MOST_CLIENTS)?;
        self.version = version;
        core.admit(version);
        Ok(below?)
    }

    fn replace(&mut self, core: &Forwarder, up: &mut RxRing, many: bool) -> anyhow::Result<()> {
        self.identities.clear();
        if !many {
            self.identities.extend(core.client_identities());
        }
        let mut limit = self.limit;
        loop {
            let known = (!many && limit > 0).then_some(self.identities.as_slice());
            let (program, fit) = filter::fit(&self.spec(Side::Up, known), limit.max(512))?;
            match up.set_filter(&for_kernel(&program)) {
                Ok(()) => {
                    debug!(
                        "kernel filter above: {fit:?} for {} clients, {} instructions",
                        core.clients(),
                        program.len()
                    );
                    self.plain = known.is_none();
                    self.in_force = FilterState {
                        kind: match fit {
                            Fit::Exact => FilterKind::Exact,
                            Fit::Coarse { .. } => FilterKind::Coarse,
                            Fit::Plain => FilterKind::Plain,
                        },
                        clients: count(if many { 0 } else { self.identities.len() }),
                        instructions: count(program.len()),
                    };
                    return Ok(());
                }
                // The kernel charges old and new together while one is replaced.
                Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && limit > 0 => {
                    limit = if program.len() > 512 {
                        program.len() / 2
                    } else {
                        0
                    };
                    self.limit = limit;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn spec<'a>(&'a self, side: Side, clients: Option<&'a [PortIdentity]>) -> Spec<'a> {
        Spec {
            side,
            domains: (!self.domains.is_empty()).then_some(self.domains.as_slice()),
            clients,
            watch_second_path: true,
            sample_one_in: SAMPLE_ONE_IN,
            key: self.key,
        }
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn for_kernel(program: &[Instruction]) -> Vec<libc::sock_filter> {
    program
        .iter()
        .map(|step| libc::sock_filter {
            code: step.code,
            jt: step.jt,
            jf: step.jf,
            k: step.k,
        })
        .collect()
}
