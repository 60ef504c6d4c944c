//! What passes from one process to the other: descriptors, each under a name, and the state.

use std::net::TcpListener;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};

use crate::PortId;
use crate::core::StateWriter;
use crate::ring::PacketPort;
use crate::ring::{
    ClockSetWatch, GroupMembership, HandedPort, PortSockets, SilentPorts, SystemClock, passed,
};
use crate::run::loop_engine::LoopEngine;
use crate::side::numbers;

/// The state.
pub(super) const STATE: &str = "state";
/// Whether the clock was set.
const CLOCK_SET: &str = "clock-set";
/// Where metrics are asked for.
const METRICS: &str = "metrics";
/// Memberships of multicast groups: switches are not told that nobody listens any more.
const GROUPS: &str = "groups";
/// UDP ports where answers come to addresses that all clients share: nobody is told meanwhile that they are closed.
const SILENT: &str = "silent";

/// What is written before all else.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    /// The process that wrote it, and its version.
    pub(super) process: u32,
    pub(super) version: String,
    /// Where the rings of each port are: upstream, then those downstream in the order of `--down`.
    pub(super) ports: Vec<HandedPort>,
}

/// The descriptors of a gateway that goes, beside the state.
pub(in crate::run) struct Beside<'a> {
    pub(in crate::run) clock_set: &'a ClockSetWatch,
    pub(in crate::run) metrics: Option<&'a TcpListener>,
    pub(in crate::run) groups: Vec<&'a GroupMembership>,
    pub(in crate::run) silent: Option<&'a SilentPorts>,
}

/// What the loop knows, in sealed memory. The head is given back with it: whoever goes on after all needs its ports.
pub(super) fn written(
    engine: &mut LoopEngine<PacketPort, SystemClock>,
) -> (Vec<HandedPort>, Result<OwnedFd>) {
    engine.settle();
    let (up, downs) = engine.ports_mut();
    let ports = [up].into_iter().chain(downs);
    let ports: Vec<_> = ports.map(PacketPort::hand_over).collect();
    let head = Head {
        process: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        ports,
    };
    let mut out = StateWriter::new();
    out.put(&head);
    let bytes = engine.save(&mut out).and_then(|()| out.finish());
    let memory = bytes
        .map_err(anyhow::Error::from)
        .and_then(|bytes| passed::sealed(&bytes).context("memory for the state"));
    (head.ports, memory)
}

/// A descriptor, and under which name it passes.
pub(super) type Named<'a> = (String, BorrowedFd<'a>);

/// The state, as it passes.
pub(super) fn named(state: &OwnedFd) -> Named<'_> {
    (STATE.to_owned(), state.as_fd())
}

/// Every other descriptor: they are the same from turn to turn.
pub(super) fn descriptors<'a>(
    engine: &'a LoopEngine<PacketPort, SystemClock>,
    beside: &Beside<'a>,
) -> Vec<Named<'a>> {
    let mut all = Vec::new();
    let (up, downs) = engine.ports();
    let ports = [PortId::Up].into_iter().chain(numbers().map(PortId::Down));
    for (id, port) in ports.zip([up].into_iter().chain(downs)) {
        let sockets = port.sockets();
        let [rx, tx] = names(id);
        all.extend([(rx, sockets.rx), (tx, sockets.tx)]);
    }
    all.push((CLOCK_SET.to_owned(), beside.clock_set.as_fd()));
    let metrics = beside.metrics.map(|metrics| (METRICS, metrics.as_fd()));
    let groups = beside.groups.iter().flat_map(|groups| groups.sockets());
    let groups = groups.map(|socket| (GROUPS, socket));
    let silent = beside.silent.into_iter().flat_map(SilentPorts::sockets);
    let silent = silent.map(|socket| (SILENT, socket));
    let others = metrics.into_iter().chain(groups).chain(silent);
    all.extend(others.map(|(name, socket)| (name.to_owned(), socket)));
    all
}

/// Of the receive ring and of the transmit ring.
fn names(port: PortId) -> [String; 2] {
    ["rx", "tx"].map(|ring| match port {
        PortId::Up => format!("up-{ring}"),
        PortId::Down(number) => format!("down{number}-{ring}"),
    })
}

/// The descriptors that came, by name.
pub(super) struct Came(pub(super) Vec<(String, OwnedFd)>);

impl Came {
    fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(of, _)| of == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// The bytes of the state.
    pub(super) fn state(&mut self) -> Result<Vec<u8>> {
        let memory = self.take(STATE).context("there is no state")?;
        passed::unsealed(memory).context("reading the state")
    }

    /// The sockets of a port.
    pub(super) fn sockets(&mut self, port: PortId) -> Result<PortSockets<OwnedFd>> {
        let [rx, tx] = names(port);
        let mut socket = |name: &str| {
            let missing = || anyhow!("the socket {name} is missing");
            self.take(name).ok_or_else(missing)
        };
        Ok(PortSockets {
            rx: socket(&rx)?,
            tx: socket(&tx)?,
        })
    }

    /// What watches whether the clock is set.
    pub(super) fn clock_set(&mut self) -> Option<ClockSetWatch> {
        self.take(CLOCK_SET).map(ClockSetWatch::take_over)
    }

    /// Where metrics are asked for.
    pub(super) fn metrics(&mut self) -> Option<TcpListener> {
        self.take(METRICS).map(TcpListener::from)
    }
}
