//! Waits for the interfaces, and opens the rings on them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use log::{info, warn};

use super::filters::Filters;
use super::notify::Notify;
use super::reload::ToLoop;
use super::signals::Signals;
use crate::options::{RingOptions, RunOptions};
use crate::ring::{
    Claim, Interface, PacketPort, RxOptions, RxRing, StampSource, Stamping, SystemClock, TxOptions,
    TxRing,
};
use crate::side::numbers;
use crate::{PerPort, PortId};

/// How often a missing interface is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Opens all ports.
pub(super) fn open(
    options: &RunOptions,
    interfaces: &PerPort<&Interface>,
    stamping: &Stamping,
    filters: &Filters,
) -> Result<PerPort<PacketPort>> {
    let open = |port: PortId| {
        let side = port.side();
        let filter = filters.at_start(side)?;
        let interface = interfaces[port];
        if !stamping.software_transmit[port] {
            warn!("{}", without_stamps(&interface.name, stamping.source[side]));
        }
        let (receive, transmit) = ring_options(options, stamping, port);
        let opening = || format!("opening --{} {}", side.label(), interface.name);
        let rx = RxRing::open(interface, &filter, &receive).with_context(opening)?;
        let tx = TxRing::open(interface, &transmit).with_context(opening)?;
        anyhow::Ok(PacketPort { rx, tx })
    };
    let downs = numbers().map(PortId::Down).take(interfaces.downs.len());
    Ok(PerPort {
        up: open(PortId::Up)?,
        downs: downs.map(open).collect::<Result<_>>()?,
    })
}

/// What it means that a driver does not let the kernel timestamp what it sends. Nobody could say when a frame leaves a
/// queue: so it skips that.
fn without_stamps(name: &str, source: StampSource) -> String {
    let then = match source {
        StampSource::Software => {
            "departures by it are estimated, to tens of microseconds on a machine and worse on a virtual one; use an \
             interface with transmit timestamps (ethtool -T)"
        }
        StampSource::Hardware(_) => "lost hardware timestamps are estimated",
    };
    format!(
        "{name}: its driver gives no software transmit timestamps, so frames skip its queueing discipline and {then}"
    )
}

/// How the rings of a port are set up.
pub(super) fn ring_options(
    options: &RunOptions,
    stamping: &Stamping,
    port: PortId,
) -> (RxOptions, TxOptions) {
    let (rings, stamps) = (&options.rings, stamping.source[port.side()]);
    let receive = RxOptions {
        frames: rings.frames,
        promiscuous: rings.promiscuous,
        stamps,
        ..RxOptions::default()
    };
    let transmit = TxOptions {
        qdisc_bypass: rings.qdisc_bypass || !stamping.software_transmit[port],
        ..transmit_options(rings, stamps)
    };
    (receive, transmit)
}

/// How a transmit ring is set up: frames for some batches, since the kernel is given one when it is full.
pub(super) fn transmit_options(rings: &RingOptions, stamps: StampSource) -> TxOptions {
    let frames = (8 * rings.batch).next_power_of_two().clamp(64, 2048);
    TxOptions {
        frames: frames.min(rings.frames),
        warm_up: rings.warm_up,
        batch: rings.batch,
        stamps,
        ..TxOptions::default()
    }
}

/// Closes all packet sockets side by side: for each the kernel waits until no processor uses it any more, 10 to 50 ms on a
/// common machine and ten times that on a slow one.
pub(super) fn close(ports: impl IntoIterator<Item = PacketPort>, claim: Option<Claim>) {
    let mut closing = vec![close_aside(claim)];
    for PacketPort { rx, tx } in ports {
        closing.extend([close_aside(rx), close_aside(tx)]);
    }
    for thread in closing.into_iter().flatten() {
        let _ = thread.join();
    }
}

/// Drops it in a thread of its own, or here where there can be none.
fn close_aside<T: Send + 'static>(value: T) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name("closing".into());
    thread.spawn(move || drop(value))
}

/// The same, and wakes the loop then: whether it is done.
pub(super) fn close_beside_loop<T: Send + 'static>(value: T, to_loop: ToLoop) -> impl Fn() -> bool {
    let done = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&done);
    let thread = thread::Builder::new().name("closing".into());
    let started = thread.spawn(move || {
        drop(value);
        theirs.store(true, Ordering::Release);
        to_loop.wake();
    });
    move || started.is_err() || done.load(Ordering::Acquire)
}

/// Waits until all interfaces exist, and of each pattern one. False when the process is asked to stop before.
///
/// To the service manager that is a service which runs: what starts after it does not wait for a cable.
pub(super) fn wait_for(
    options: &RunOptions,
    signals: &mut Signals,
    notify: &mut Notify,
) -> Result<bool> {
    for name in [&options.up].into_iter().chain(&options.downs) {
        let mut logged = false;
        while !Interface::any_is_called(name) {
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
