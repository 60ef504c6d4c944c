//! Opens the two ports: interfaces checked, filters in force before the first frame, groups joined.

use std::time::Duration;

use anyhow::{Context as _, Result};
use log::{info, warn};

use crate::Side;
use crate::cli::{self, RunOptions};
use crate::ring::{
    GroupMembership, Interface, PacketPort, RxOptions, RxRing, Stamping, Timestamping, TxOptions,
    TxRing, check_pair,
};

use super::filters::Filters;

/// How often a missing interface is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Both ports, and what keeps their traffic coming.
pub(super) struct Opened {
    pub(super) up: PacketPort,
    pub(super) down: PacketPort,
    pub(super) interfaces: [Interface; 2],
    pub(super) keep: Keep,
}

/// What ends when it is dropped: group memberships, and hardware stamping.
pub(super) struct Keep {
    _groups: Vec<GroupMembership>,
    _stamping: Stamping,
}

/// Opens both ports.
pub(super) fn open(options: &RunOptions, filters: &Filters) -> Result<Opened> {
    if options.wait {
        wait_for(&options.up);
        wait_for(&options.down);
    }
    let (up, down) = check_pair(&options.up, &options.down)?;
    let rings = &options.rings;
    let wanted = match rings.timestamping {
        cli::Timestamping::Auto => Timestamping::Auto,
        cli::Timestamping::Hardware => Timestamping::Hardware,
        cli::Timestamping::Software => Timestamping::Software,
    };
    let stamping = Stamping::set_up(wanted, &up, &down)?;
    info!("time stamps: {}", stamping.why);
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
    let mut groups = Vec::new();
    for interface in [&up, &down] {
        let (membership, warnings) = GroupMembership::join(interface);
        groups.push(membership);
        for warning in warnings {
            warn!("{warning}");
        }
    }
    Ok(Opened {
        up: up_port,
        down: down_port,
        interfaces: [up, down],
        keep: Keep {
            _groups: groups,
            _stamping: stamping,
        },
    })
}

/// Returns once the interface exists.
fn wait_for(name: &str) {
    let mut told = false;
    while Interface::lookup(name).is_err() {
        if !told {
            info!("waiting for interface {name}");
            told = true;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
