//! Keeps the kernel from routing what a gateway routes: an nftables table that drops, before any route is looked up, UDP
//! to the ports of PTP from either interface whose route leads out of the other.

use std::io;

use netlink_sys::Socket;

use super::nft::Batch;
use crate::wire::field::udp;

/// A table that is there as long as this value. The kernel deletes it with the process.
#[derive(Debug)]
pub struct RouteGuard {
    _owner: Socket,
}

impl RouteGuard {
    /// Puts the table in force. Takes CAP_NET_ADMIN, and Linux 5.12 or later.
    ///
    /// # Errors
    /// The kernel's.
    pub fn raise(up: &str, down: &str) -> io::Result<Self> {
        let name = table_name("own", up, down);
        let mut batch = Batch::new();
        batch.own_table(&name);
        rules(&mut batch, &name, up, down);
        Ok(Self {
            _owner: batch.send()?,
        })
    }

    /// Puts a table in force that stays, in the place of one of that name. Takes CAP_NET_ADMIN. Returns its name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn keep(up: &str, down: &str) -> io::Result<String> {
        let name = table_name("guard", up, down);
        let mut batch = Batch::new();
        // So that there is one to delete.
        batch.table(&name);
        batch.delete_table(&name);
        batch.table(&name);
        rules(&mut batch, &name, up, down);
        batch.send().map(|_| name)
    }

    /// Takes away what [`RouteGuard::keep`] put there, if it did. Returns its name.
    ///
    /// # Errors
    /// The kernel's.
    pub fn remove(up: &str, down: &str) -> io::Result<String> {
        let name = table_name("guard", up, down);
        let mut batch = Batch::new();
        batch.table(&name);
        batch.delete_table(&name);
        batch.send().map(|_| name)
    }
}

fn rules(batch: &mut Batch, table: &str, up: &str, down: &str) {
    batch.chain(table);
    for way in [(up, down), (down, up)] {
        batch.drop_routed(table, way, udp::PTP_PORTS);
    }
}

/// A name that nft takes without quotes.
fn table_name(kind: &str, up: &str, down: &str) -> String {
    let plain = |name: &str| -> String {
        let plain = |byte: char| {
            if byte.is_ascii_alphanumeric() {
                byte
            } else {
                '_'
            }
        };
        name.chars().map(plain).collect()
    };
    format!("ptpproxy_{kind}_{}_{}", plain(up), plain(down))
}
