//! `--source gateway` at the start: which addresses of this machine everything carries that leaves upstream, and ports
//! that are silent where the answers come.

use std::io;
use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};

use crate::core::SourceAddress;
use crate::options::RunOptions;
use crate::ring::{Interface, SilentPorts, interface_addresses, needs, own_addresses};

/// The addresses, and what keeps the kernel from refusing the answers to them.
pub(super) struct Sharing {
    pub(super) addresses: Vec<SourceAddress>,
    pub(super) ports: SilentPorts,
}

impl Sharing {
    /// What the options want; `None` if clients keep their own addresses.
    ///
    /// # Errors
    /// One line: an address that this machine has not, none at all, or no right to the ports.
    pub(super) fn of(options: &RunOptions, up: &Interface) -> Result<Option<Self>> {
        let Some(listed) = &options.shared else {
            return Ok(None);
        };
        let read = || Ok::<_, io::Error>((interface_addresses(up.index)?, own_addresses()?));
        let (on_interface, all) = read().context("--source gateway: own IP addresses")?;
        let addresses = chosen(listed, &up.name, &on_interface, &all)?;
        let ports = SilentPorts::open().map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                let needs = needs("CAP_NET_BIND_SERVICE");
                anyhow::anyhow!("--source gateway: UDP ports 319 and 320: {error} ({needs})")
            }
            _ => anyhow::anyhow!("--source gateway: UDP ports 319 and 320: {error}"),
        })?;
        Ok(Some(Self { addresses, ports }))
    }
}

impl Sharing {
    /// One line for the log.
    pub(super) fn summary(&self) -> String {
        let all = self.addresses.iter().map(|own| match own.vlan {
            None => own.ip.to_string(),
            Some(vlan) => format!("{} in VLAN {vlan}", own.ip),
        });
        let all: Vec<_> = all.collect();
        format!(
            "upstream everything carries this machine's MAC and {}",
            all.join(", ")
        )
    }
}

/// The listed addresses, if the kernel answers for them; with none listed what the interface has.
fn chosen(
    listed: &[SourceAddress],
    name: &str,
    on_interface: &[IpAddr],
    all: &[IpAddr],
) -> Result<Vec<SourceAddress>> {
    for own in listed {
        let (there, whose) = match own.vlan {
            None => (on_interface, name.to_owned()),
            Some(vlan) => (all, format!("{name}'s VLAN {vlan}")),
        };
        if !there.contains(&own.ip) {
            bail!(
                "--source-address {}: not an address of {whose}: add it there (ip address add), or name one that is",
                own.ip
            );
        }
    }
    if !listed.is_empty() {
        return Ok(listed.to_vec());
    }
    // A link-local one does for nobody who listens to a group of a larger scope: whoever wants it names it.
    let usual = |ip: &&IpAddr| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let of = |v4: bool| (on_interface.iter().filter(usual)).find(|ip| ip.is_ipv4() == v4);
    let found: Vec<_> = [of(true), of(false)]
        .into_iter()
        .flatten()
        .map(|&ip| SourceAddress { vlan: None, ip })
        .collect();
    if found.is_empty() {
        bail!(
            "--source gateway: {name} has no IP address: give it one (ip address add), or name those of its VLANs by \
             --source-address ADDR@VLAN"
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn of(vlan: Option<u16>, text: &str) -> SourceAddress {
        SourceAddress { vlan, ip: ip(text) }
    }

    #[test]
    fn the_first_of_each_version_is_taken() {
        let has = ["fe80::1", "192.0.2.1", "192.0.2.2", "2001:db8::1"].map(ip);
        let chosen = |has: &[IpAddr]| chosen(&[], "eth0", has, has);
        assert_eq!(
            chosen(&has).expect("some"),
            [of(None, "192.0.2.1"), of(None, "2001:db8::1")]
        );
        let error = chosen(&has[..1]).expect_err("only of the link").to_string();
        assert!(
            error.starts_with("--source gateway: eth0 has no IP address"),
            "{error}"
        );
    }

    #[test]
    fn a_listed_one_must_be_there() {
        let (on, all) = ([ip("192.0.2.1")], [ip("192.0.2.1"), ip("198.51.100.1")]);
        let good = [of(None, "192.0.2.1"), of(Some(5), "198.51.100.1")];
        assert_eq!(chosen(&good, "eth0", &on, &all).expect("good"), good);
        for (bad, whose) in [
            (of(None, "198.51.100.1"), "not an address of eth0:"),
            (
                of(Some(5), "198.51.100.9"),
                "not an address of eth0's VLAN 5:",
            ),
        ] {
            let error = chosen(&[bad], "eth0", &on, &all)
                .expect_err("bad")
                .to_string();
            assert!(error.contains(whose), "{error}");
        }
    }
}
