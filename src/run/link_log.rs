//! What becomes of our interfaces, for the log: also how they were at the start.

use std::time::Duration;

use log::{info, warn};

use super::decide::earliest;
use crate::ring::{Interface, LinkChange};
use crate::time::Instant;
use crate::{PerPort, PortId};

/// A link may take this long to come up after its interface, or its cable, was set up.
const PATIENCE: Duration = Duration::from_secs(3);

/// Logs what is wrong with an interface, once.
#[derive(Debug)]
pub(super) struct LinkLog {
    /// Without link at the start: its name, and when it is logged if that stays so.
    without_link: PerPort<Option<(String, Instant)>>,
}

impl LinkLog {
    /// Logs each interface that is down now; of one without link it waits for a moment.
    pub(super) fn new(interfaces: &PerPort<&Interface>, now: Instant) -> Self {
        for (port, interface) in interfaces.iter().filter(|(_, interface)| !interface.up) {
            down(port, &interface.name);
        }
        let without_link = interfaces.as_ref().map(|interface| {
            (interface.up && !interface.running).then(|| (interface.name.clone(), now + PATIENCE))
        });
        Self { without_link }
    }

    /// When there may be something to log.
    pub(super) fn due(&self) -> Option<Instant> {
        let ports = self.without_link.iter();
        earliest(ports.map(|(_, waits)| waits.as_ref().map(|(_, at)| *at)))
    }

    pub(super) fn log_if_due(&mut self, now: Instant) {
        for (port, waits) in self.without_link.iter_mut() {
            if let Some((name, _)) = waits.take_if(|(_, at)| now >= *at) {
                no_link(port, &name);
            }
        }
    }

    /// Logs what became of one of our interfaces.
    pub(super) fn changed(&mut self, port: PortId, name: &str, change: &LinkChange) {
        self.without_link[port] = None;
        let label = port.label();
        // Where it is the only one of its side, that says which.
        let which = match port {
            PortId::Down(_) if self.without_link.downs.len() > 1 => format!("{label} {name}"),
            _ => label.to_owned(),
        };
        match change {
            LinkChange::Changed(now) if !now.up => down(port, &now.name),
            LinkChange::Changed(now) if !now.running => no_link(port, &now.name),
            LinkChange::Changed(now) => {
                let (name, mtu) = (&now.name, now.mtu);
                info!(event = "link", side = label, interface = name.as_str(), over = true; "{label} {name} is up, MTU {mtu}");
            }
            LinkChange::Renamed(now) => {
                let name = &now.name;
                info!(event = "renamed", side = label, interface = name.as_str(); "{label} is now called {name}");
            }
            LinkChange::Gone => warn!(
                event = "link", side = label, interface = name;
                "{which}: the interface was deleted; waiting for its return"
            ),
            LinkChange::Recreated(now) => {
                let name = &now.name;
                info!(event = "link", side = label, interface = name.as_str(), over = true; "{label} {name} is back");
            }
        }
    }
}

fn down(port: PortId, name: &str) {
    let (side, remedy) = (port.label(), format!("ip link set {name} up"));
    warn!(
        event = "link", side = side, interface = name, remedy = remedy.as_str();
        "{side} {name} is down: {remedy}"
    );
}

fn no_link(port: PortId, name: &str) {
    let (side, remedy) = (
        port.label(),
        "check the cable and the device at its other end",
    );
    warn!(
        event = "link", side = side, interface = name, remedy = remedy;
        "{side} {name}: no link: {remedy}"
    );
}
