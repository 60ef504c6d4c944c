//! Cables between namespaces.

use std::io;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute};

use super::link::{Mac, named};
use super::namespace::Namespace;

/// A cable between two namespaces (or within one), about to be made.
#[derive(Debug)]
#[must_use = "a cable exists once create() was called"]
pub struct Veth<'a> {
    ends: [(&'a Namespace, &'a str, Option<Mac>); 2],
    mtu: Option<u32>,
}

/// Joins `a`'s new link `a_name` to `b`'s new link `b_name`; both come up.
///
/// # Errors
/// When a name is taken.
pub fn veth(a: &Namespace, a_name: &str, b: &Namespace, b_name: &str) -> Result<()> {
    Veth::new(a, a_name, b, b_name).create()
}

impl<'a> Veth<'a> {
    /// A cable between `a`'s new link `a_name` and `b`'s new link `b_name`.
    pub fn new(a: &'a Namespace, a_name: &'a str, b: &'a Namespace, b_name: &'a str) -> Self {
        Self {
            ends: [(a, a_name, None), (b, b_name, None)],
            mtu: None,
        }
    }

    /// Largest payload at both ends, in octets (default 1500).
    pub fn mtu(mut self, mtu: u32) -> Self {
        self.mtu = Some(mtu);
        self
    }

    /// Hardware addresses of the two ends (default: random).
    pub fn macs(mut self, a: Mac, b: Mac) -> Self {
        self.ends[0].2 = Some(a);
        self.ends[1].2 = Some(b);
        self
    }

    /// Makes the cable and sets both ends up.
    ///
    /// # Errors
    /// When a name is taken or an address or size is refused.
    pub fn create(self) -> Result<()> {
        let [(a, a_name, _), (b, b_name, _)] = self.ends;
        let [mut near, mut far] = self.ends.map(|(_, name, mac)| {
            let mut message = named(name);
            message
                .attributes
                .extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
            message.attributes.extend(self.mtu.map(LinkAttribute::Mtu));
            message
        });
        near.attributes
            .push(LinkAttribute::NetNsFd(a.handle().as_raw_fd()));
        far.attributes
            .push(LinkAttribute::NetNsFd(b.handle().as_raw_fd()));
        a.create(
            near,
            InfoKind::Veth,
            Some(InfoData::Veth(InfoVeth::Peer(far))),
        )
        .map_err(with_remedy)
        .with_context(|| format!("{}:{a_name} to {}:{b_name}", a.name(), b.name()))?;
        a.set_up(a_name, true)?;
        b.set_up(b_name, true)
    }
}

/// A namespace of an ordinary user's cannot load the module itself.
fn with_remedy(error: anyhow::Error) -> anyhow::Error {
    let code = (error.root_cause().downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    match code {
        Some(libc::EOPNOTSUPP) => error.context("no veth in this kernel: as root, modprobe veth"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_veth_is_told_from_other_trouble() {
        let text = |code| {
            let error = anyhow::Error::from(io::Error::from_raw_os_error(code));
            format!("{:#}", with_remedy(error.context("making it")))
        };
        assert!(text(libc::EOPNOTSUPP).contains("modprobe veth"));
        assert!(!text(libc::EEXIST).contains("modprobe"));
    }
}
