//! Waits for the interfaces, and opens the rings on them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use log::info;

use super::filters::Filters;
use super::notify::Notify;
use super::signals::Signals;
use crate::options::{RingOptions, RunOptions};
use crate::ring::{
    Interface, PacketPort, RxOptions, RxRing, StampSource, SystemClock, TxOptions, TxRing,
};
use crate::{PerSide, Side};

/// How often a missing interface is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Opens both ports.
pub(super) fn open(
    options: &RunOptions,
    interfaces: PerSide<&Interface>,
    stamps: StampSource,
    filters: &Filters,
) -> Result<PerSide<PacketPort>> {
    let open = |side: Side| {
        let filter = filters.at_start(side)?;
        let interface = interfaces[side];
        open_one(&options.rings, interface, stamps, &filter)
            .with_context(|| format!("opening --{} {}", side.label(), interface.name))
    };
    Ok(PerSide {
        up: open(Side::Up)?,
        down: open(Side::Down)?,
    })
}

fn open_one(
    rings: &RingOptions,
    interface: &Interface,
    stamps: StampSource,
    filter: &[libc::sock_filter],
) -> Result<PacketPort> {
    let receive = RxOptions {
        frames: rings.frames,
        promiscuous: rings.promiscuous,
        stamps,
        ..RxOptions::default()
    };
    let transmit = TxOptions {
        frames: rings.frames.min(2048),
        qdisc_bypass: rings.qdisc_bypass,
        warm_up: rings.warm_up,
        batch: rings.batch,
        stamps,
        ..TxOptions::default()
    };
    Ok(PacketPort {
        rx: RxRing::open(interface, filter, &receive)?,
        tx: TxRing::open(interface, &transmit)?,
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
        let mut logged = false;
        while Interface::lookup(name).is_err() {
            if !logged {
                info!("waiting for interface {name}");
                notify.ready(&format!("waiting for interface {name}"));
                logged = true;
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
