//! What is asked by `watch`, and who may ask.

use crate::telemetry::{Board, Wanted};
use crate::wire::{Address, ClockIdentity, Name, PortIdentity};

/// What somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct Request {
    pub(super) who: Who,
    pub(super) wanted: Wanted,
}

/// Whose messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// All.
    All,
    /// Of each port of a clock, and answers to it.
    Clock(ClockIdentity),
    /// Of these ports, and answers to them.
    Ports(Vec<PortIdentity>),
}

/// Whether a user may watch: only root and the user that the gateway runs as. (The socket lets its group ask for less.)
///
/// # Errors
/// It may not.
pub(super) fn allowed(user: u32, gateway: u32) -> Result<(), String> {
    if user == 0 || user == gateway {
        Ok(())
    } else {
        Err(format!(
            "watch: only root and the gateway's user (uid {gateway}) may see messages, not uid {user}"
        ))
    }
}

impl Request {
    /// Reads `watch clock=ID only=drops frames=yes`; the clients are those who are known now.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(line: &str, board: &Board) -> Result<Self, String> {
        let mut request = Self {
            who: Who::All,
            wanted: Wanted {
                exchanges: true,
                frames: false,
            },
        };
        for word in line.split_whitespace().skip(1) {
            let unknown = || format!("watch: {word} is not known");
            let (key, value) = word.split_once('=').ok_or_else(unknown)?;
            match (key, value) {
                ("only", "drops") => request.wanted.exchanges = false,
                ("frames", "yes") => request.wanted.frames = true,
                ("clock", clock) => {
                    request.who = Who::Clock(clock.parse().map_err(|_| unknown())?);
                }
                ("port", port) => {
                    request.who = Who::Ports(vec![self::port(port).ok_or_else(unknown)?]);
                }
                ("address", address) => {
                    let address = address.parse().map_err(|_| unknown())?;
                    request.who = Who::Ports(sending_from(address, board)?);
                }
                _ => return Err(unknown()),
            }
        }
        Ok(request)
    }
}

impl Who {
    /// Whether this message is theirs, or answers them.
    pub(super) fn sent_or_asked_for(&self, name: Option<&Name>) -> bool {
        let is = |port: &PortIdentity| match self {
            Self::All => true,
            Self::Clock(clock) => port.clock == *clock,
            Self::Ports(ports) => ports.contains(port),
        };
        match name {
            Some(name) => is(&name.sender) || name.requester.as_ref().is_some_and(is),
            None => *self == Self::All,
        }
    }
}

fn port(text: &str) -> Option<PortIdentity> {
    let (clock, port) = text.rsplit_once('-')?;
    Some(PortIdentity {
        clock: clock.parse().ok()?,
        port: port.parse().ok()?,
    })
}

/// The clients that send from an address.
fn sending_from(address: Address, board: &Board) -> Result<Vec<PortIdentity>, String> {
    let of = |client: &crate::telemetry::ClientView| {
        client.address == address || Address::Mac(client.mac) == address
    };
    let clients = board.clients().map(|(_, client)| client);
    let ports: Vec<PortIdentity> = clients.filter(of).map(|client| client.identity).collect();
    if ports.is_empty() {
        return Err(format!(
            "watch: no client sends from {address} now (`ptpproxy clients` lists them); to wait for one, name it \
             by its identity"
        ));
    }
    Ok(ports)
}
