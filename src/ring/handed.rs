//! Rings that pass from one process to another: the socket with all that is set on it, and where its owner was.
//!
//! A ring lives as long as its socket. Another process that has the descriptor maps the same memory again, and goes on at the
//! same frame. What the kernel wrote meanwhile waits there, each frame with its timestamp; filters, memberships, the count of
//! timestamps and those in the error queue stay with the socket.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use super::link::Interface;
use super::os::sys;
use super::port::PacketPort;
use super::rx::{HandedRx, RxOptions, RxRing};
use super::tx::{HandedTx, TxOptions, TxRing};
use crate::engine::Token;

/// Where the rings of a port are.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedPort {
    rx: HandedRx,
    tx: HandedTx<Token>,
}

/// The sockets of a port.
#[derive(Debug)]
pub struct PortSockets<T> {
    /// Of the receive ring.
    pub rx: T,
    /// Of the transmit ring.
    pub tx: T,
}

impl PacketPort {
    /// Where its rings are, for whoever has their sockets. What it awaits is the other one's; nothing is to be sent or
    /// received here any more, unless it is [given back](Self::resume).
    pub fn hand_over(&mut self) -> HandedPort {
        HandedPort {
            rx: self.rx.hand_over(),
            tx: self.tx.hand_over(),
        }
    }

    /// The other one did not take it: goes on as before.
    pub fn resume(&mut self, handed: HandedPort) {
        self.tx.resume(handed.tx);
    }

    /// What nobody needs who goes on with it, to be dropped: from now on no path is warmed.
    pub fn rest(&mut self) -> impl Send + use<> {
        self.tx.take_warmer()
    }

    /// Its sockets.
    #[must_use]
    pub fn sockets(&self) -> PortSockets<BorrowedFd<'_>> {
        PortSockets {
            rx: self.rx.as_fd(),
            tx: self.tx.as_fd(),
        }
    }

    /// Goes on with the rings of another process on this interface.
    ///
    /// # Errors
    /// They are not what these options and this interface ask for: in words.
    pub fn take_over(
        interface: &Interface,
        sockets: PortSockets<OwnedFd>,
        handed: HandedPort,
        (receive, transmit): (&RxOptions, &TxOptions),
    ) -> Result<Self> {
        let name = &interface.name;
        let everything = u16::try_from(libc::ETH_P_ALL).unwrap_or_default();
        for (socket, protocol) in [(&sockets.rx, everything), (&sockets.tx, 0)] {
            let bound = sys::packet_address(socket.as_fd())
                .with_context(|| format!("{name}: no packet socket"))?;
            ensure!(bound.1 == protocol, "{name}: a socket of another kind");
            ensure!(
                bound.0 == interface.index,
                "{name} is another interface by now (number {}, not {})",
                interface.index,
                bound.0
            );
        }
        Ok(Self {
            rx: RxRing::take_over(interface, sockets.rx, handed.rx, receive)?,
            tx: TxRing::take_over(interface, sockets.tx, handed.tx, transmit)?,
        })
    }
}
