//! Opens the two ports: interfaces checked, filters in force before the first frame, groups joined.

use std::time::Duration;

use anyhow::{Context as _, Result};
use log::{info, warn};

use crate::Side;
use crate::cli::{self, RunOptions};
use crate::ring::{
    GroupMembership, Interface, PacketPort, RxOptions, RxRing, StampSource, Stamping, SystemClock,
    Timestamping, TxOptions, TxRing, check_pair,
};

use super::filters::Filters;
use super::notify::Notify;
use super::signals::Signals;

/// How often a missing interface is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Both ports, and what keeps their traffic coming.
pub(super) struct Opened {
    pub(super) up: PacketPort,
    pub(super) down: PacketPort,
    pub(super) interfaces: [Interface; 2],
    pub(super) keep: Keep,
}

/// What ends when it is dropped: group memberships (up, down), and hardware stamping.
pub(super) struct Keep {
    groups: [GroupMembership; 2],
    stamping: Stamping,
}

impl Keep {
    /// Whether hardware stamps are to be switched back at the end.
    pub(super) const fn hardware(&self) -> bool {
        matches!(self.stamping.source, StampSource::Hardware(_))
    }

    /// Which stamps are taken, and why.
    pub(super) fn stamps(&self) -> &str {
        &self.stamping.why
    }

    /// Joins the PTP groups again on an interface that was made anew: they ended with the old one.
    pub(super) fn join_again(&mut self, side: Side, interface: &Interface) {
        self.groups[side as usize] = join(interface);
    }
}

fn join(interface: &Interface) -> GroupMembership {
    let (membership, warnings) = GroupMembership::join(interface);
    for warning in warnings {
        warn!("{warning}");
    }
    membership
}

/// Opens both ports, and says so.
pub(super) fn open(options: &RunOptions, filters: &Filters) -> Result<Opened> {
    let (up, down) = check_pair(&options.up, &options.down)?;
    let rings = &options.rings;
    let wanted = match rings.timestamping {
        cli::Timestamping::Auto => Timestamping::Auto,
        cli::Timestamping::Hardware => Timestamping::Hardware,
        cli::Timestamping::Software => Timestamping::Software,
    };
    let stamping = Stamping::set_up(wanted, &up, &down)?;
    let port = |side: Side, interface: &Interface| -> Result<PacketPort> {
        let filter = filters.at_start(side)?;
        let receive = RxOptions {
            frames: rings.frames,
            promiscuous: rings.promiscuous,
            stamps: stamping.source,
            ..RxOptions::default()
        };
        let transmit = TxOptions {
            frames: rings.frames.min(2048),
            qdisc_bypass: rings.qdisc_bypass,
            warm_up: rings.warm_up,
            batch: rings.batch,
            stamps: stamping.source,
            ..TxOptions::default()
        };
        let what = || format!("opening --{} {}", side.label(), interface.name);
        Ok(PacketPort {
            rx: RxRing::open(interface, &filter, &receive).with_context(what)?,
            tx: TxRing::open(interface, &transmit).with_context(what)?,
        })
    };
    let (up_port, down_port) = (port(Side::Up, &up)?, port(Side::Down, &down)?);
    // The first line: whoever waits for it can send.
    info!("{}", cli::banner(options));
    info!("time stamps: {}", stamping.why);
    let groups = [&up, &down].map(join);
    Ok(Opened {
        up: up_port,
        down: down_port,
        interfaces: [up, down],
        keep: Keep { groups, stamping },
    })
}

/// Waits until both interfaces exist. False when the process is asked to stop before.
///
/// To the service manager that is a service which runs: what starts after it does not wait for a cable.
pub(super) fn wait_for(
    options: &RunOptions,
    signals: &mut Signals,
    notify: &mut Notify,
) -> Result<bool> {
    for name in [&options.up, &options.down] {
        let mut told = false;
        while Interface::lookup(name).is_err() {
            if !told {
                info!("waiting for interface {name}");
                notify.ready(&format!("waiting for interface {name}"));
                told = true;
            }
            notify.alive_if_due(SystemClock.now(), || {
                format!("waiting for interface {name}")
            });
            if signals.stop_within(LOOK_AGAIN).context("signals")? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
