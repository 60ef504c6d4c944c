//! The forwarders behind the upstream port: which one a frame is for, and the port by which each sends.

use crate::core::{Forwarder, Token};
use crate::{PortId, Side};

/// A forwarder among those behind the upstream port, by the number of its port downstream.
pub(super) type Number = u8;

/// The forwarder of a port downstream; of several behind the upstream port, the first.
pub(super) const fn first(port: PortId) -> Number {
    match port {
        PortId::Up => 0,
        PortId::Down(number) => number,
    }
}

/// The forwarder that all frames from a port are for, if there is one.
pub(super) fn only_one(cores: &mut [Forwarder], from: PortId) -> Option<&mut Forwarder> {
    match from {
        PortId::Up if cores.len() > 1 => None,
        PortId::Up | PortId::Down(_) => cores.get_mut(usize::from(first(from))),
    }
}

/// The port of a forwarder on a side.
pub(super) const fn port_of(side: Side, of: Number) -> PortId {
    match side {
        Side::Up => PortId::Up,
        Side::Down => PortId::Down(of),
    }
}

/// The port by which a forwarder sends what came from this one: from downstream there is one only.
pub(super) fn leaves<P>(from: PortId, of: Number, egress: &mut [P]) -> (PortId, &mut P) {
    match from {
        PortId::Up => (PortId::Down(of), &mut egress[usize::from(of)]),
        PortId::Down(_) => (PortId::Up, &mut egress[0]),
    }
}

/// The token of a frame that leaves by a port.
pub(super) fn named(token: Option<Token>, to: PortId, of: Number) -> Option<Token> {
    match to {
        PortId::Up => token.map(|token| token.numbered(of)),
        PortId::Down(_) => token,
    }
}
