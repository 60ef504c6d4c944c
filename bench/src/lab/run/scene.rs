//! The network of a run: grandmaster, gateways and clients in namespaces of their own.

use anyhow::Result;

use crate::lab::options::{GatewayKind, Options};
use crate::lab::stations::assignment::Share;
use crate::net::{Namespace, veth};

/// Upstream interface of a gateway.
pub const UP: &str = "up0";
/// Downstream interface of a gateway.
pub const DOWN: &str = "down0";
/// The grandmaster's interface.
pub const MASTER_PORT: &str = "eth0";

/// The namespaces, and which clients are behind which interface.
#[derive(Debug)]
pub struct Scene {
    /// The grandmaster's.
    pub grandmaster: Namespace,
    /// The gateways'; none with a direct cable.
    pub gateways: Vec<Namespace>,
    /// All clients'.
    pub clients: Namespace,
    /// One interface of the clients for each gateway, or for each port downstream of the one gateway.
    pub shares: Vec<Share>,
    /// Keeps the upstream segment alive where there is one.
    _segment: Option<Namespace>,
}

impl Scene {
    /// Makes the network. One gateway has a cable to the grandmaster; several share a segment with
    /// it, and each has a segment of clients below.
    pub fn build(options: &Options) -> Result<Self> {
        let grandmaster = Namespace::new("grandmaster")?;
        let clients = Namespace::new("clients")?;
        let shares = shares(options.clients, options.gateways.max(options.downs));
        let mut gateways = Vec::new();
        let mut segment = None;
        if options.gateway == GatewayKind::Direct {
            veth(&grandmaster, MASTER_PORT, &clients, &shares[0].interface)?;
        } else if options.gateways == 1 {
            let gateway = Namespace::new("gateway")?;
            veth(&grandmaster, MASTER_PORT, &gateway, UP)?;
            for (down, share) in downs(options).iter().zip(&shares) {
                veth(&gateway, down, &clients, &share.interface)?;
            }
            gateways.push(gateway);
        } else {
            let upstream = Namespace::new("segment")?;
            veth(&grandmaster, MASTER_PORT, &upstream, "master")?;
            let mut ports = vec!["master".to_owned()];
            for (number, share) in shares.iter().enumerate() {
                let gateway = Namespace::new(&format!("gateway{number}"))?;
                let port = format!("gateway{number}");
                veth(&upstream, &port, &gateway, UP)?;
                veth(&gateway, DOWN, &clients, &share.interface)?;
                ports.push(port);
                gateways.push(gateway);
            }
            let ports: Vec<_> = ports.iter().map(String::as_str).collect();
            upstream.bridge("segment0", &ports)?;
            segment = Some(upstream);
        }
        if options.gateway == GatewayKind::Bridge {
            for gateway in &gateways {
                gateway.bridge("bridge0", &[UP, DOWN])?;
            }
        }
        Ok(Self {
            grandmaster,
            gateways,
            clients,
            shares,
            _segment: segment,
        })
    }
}

/// The downstream interfaces of a gateway.
#[must_use]
pub fn downs(options: &Options) -> Vec<String> {
    (0..options.downs)
        .map(|number| format!("down{number}"))
        .collect()
}

/// The clients divided among gateways or ports, as evenly as can be.
fn shares(clients: u32, gateways: u16) -> Vec<Share> {
    let bound = |n: u16| {
        let bound = u64::from(n) * u64::from(clients) / u64::from(gateways.max(1));
        u32::try_from(bound).unwrap_or(clients)
    };
    (0..gateways.max(1))
        .map(|number| Share {
            interface: format!("eth{number}"),
            first: bound(number),
            count: bound(number + 1) - bound(number),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_has_one_gateway() {
        for (clients, gateways) in [(1000, 1), (1000, 3), (7, 7), (60_000, 64)] {
            let shares = shares(clients, gateways);
            let mut next = 0;
            for share in &shares {
                assert_eq!(share.first, next);
                assert!(share.count > 0);
                next += share.count;
            }
            assert_eq!((next, shares.len()), (clients, usize::from(gateways)));
        }
    }
}
