//! The filter that asks a map of the kernel's.

use std::io;

use crate::core::Forwarder;
use crate::filter::{self, Sampling, Spec, domain_key, map_key, master_key};
use crate::ring::{ClientMap, MapFilter};
use crate::run::port::FilterSocket;

/// Clients that are added or removed in one turn at most: each takes a system call.
const IN_ONE_TURN: usize = 1024;
/// Those that have gone are removed a moment later than others come in their place.
const SLACK: u32 = 8192;
/// Values of domainNumber: each may be a key as well, within the slack.
const DOMAINS: usize = 256;

/// The map, and what it holds.
pub(super) struct Map {
    map: ClientMap,
    /// Clients in it.
    pub(super) clients: usize,
    /// Length of the program in force.
    pub(super) instructions: usize,
    /// Programs can be loaded only at the start, before the rights are given up: one that knows the
    /// domains of the start, and one for any others, which are keys of the map.
    at_start: Program,
    others: Program,
    domains_at_start: Option<Vec<u8>>,
    /// Domains that are keys.
    domains: [bool; DOMAINS],
}

struct Program {
    filter: MapFilter,
    instructions: usize,
}

impl Map {
    /// Puts the filter in force; the core keeps who comes and goes from now on.
    pub(super) fn start(
        spec: &Spec<'_>,
        cores: &mut [Forwarder],
        up: &mut impl FilterSocket,
    ) -> io::Result<Self> {
        let clients: u32 = cores.iter().map(|core| core.settings().max_clients).sum();
        let capacity = clients.saturating_add(SLACK);
        let mut map = ClientMap::new(capacity)?;
        map.sample(&spec.sampling)?;
        let load = |program: &[_]| {
            let filter = map.load(program)?;
            io::Result::Ok(Program {
                filter,
                instructions: program.len(),
            })
        };
        let at_start = load(&filter::with_map(spec, map.maps()))?;
        let others = load(&filter::with_map_of_domains(spec, map.maps()))?;
        // Of another process.
        for identity in cores.iter().flat_map(Forwarder::client_identities) {
            map.add(&map_key(&identity))?;
        }
        let known = cores.iter().map(Forwarder::clients).sum();
        // The socket keeps the program.
        up.attach_map(&at_start.filter)?;
        cores.iter_mut().for_each(|core| core.follow_changes(true));
        Ok(Self {
            clients: known,
            instructions: at_start.instructions,
            at_start,
            others,
            domains_at_start: spec.domains.map(<[u8]>::to_vec),
            domains: [false; DOMAINS],
            map,
        })
    }

    /// Samples like this from now on.
    pub(super) fn sample(&mut self, sampling: &Sampling) -> io::Result<()> {
        self.map.sample(sampling)
    }

    /// Lets other domains in; `None` lets all in.
    ///
    /// # Errors
    /// The kernel's; then the domains before, or some of both, are let in.
    pub(super) fn set_domains(
        &mut self,
        domains: Option<&[u8]>,
        up: &mut impl FilterSocket,
    ) -> io::Result<()> {
        let wanted = |domain: u8| domains.is_none_or(|listed| listed.contains(&domain));
        // First more and then less: what passes before and after passes in between.
        self.set_keys(|domain| wanted(domain).then_some(true))?;
        let program = if domains == self.domains_at_start.as_deref() {
            &self.at_start
        } else {
            &self.others
        };
        up.attach_map(&program.filter)?;
        self.instructions = program.instructions;
        self.set_keys(|domain| (!wanted(domain)).then_some(false))
    }

    /// Knows these masters in place of those.
    pub(super) fn set_masters(&mut self, before: &[u32], after: &[u32]) -> io::Result<()> {
        for word in after.iter().filter(|word| !before.contains(word)) {
            self.map.add(&master_key(*word))?;
        }
        for word in before.iter().filter(|word| !after.contains(word)) {
            self.map.remove(&master_key(*word))?;
        }
        Ok(())
    }

    /// Adds or takes away the keys of the domains that are to change.
    fn set_keys(&mut self, change: impl Fn(u8) -> Option<bool>) -> io::Result<()> {
        for (domain, has) in (0..=u8::MAX).zip(&mut self.domains) {
            match change(domain).filter(|wanted| wanted != has) {
                Some(true) => self.map.add(&domain_key(domain))?,
                Some(false) => self.map.remove(&domain_key(domain))?,
                None => continue,
            }
            *has = !*has;
        }
        Ok(())
    }

    /// Follows who came and went, and admits them; the version of the client tables that the map has reached.
    pub(super) fn follow(&mut self, cores: &mut [Forwarder]) -> (u64, io::Result<()>) {
        let mut reached = 0;
        for core in cores {
            let (version, done) = self.follow_one(core);
            reached += version;
            match done {
                Ok(()) => core.admit(version),
                error => return (reached, error),
            }
        }
        (reached, Ok(()))
    }

    fn follow_one(&mut self, core: &mut Forwarder) -> (u64, io::Result<()>) {
        let mut reached = core.clients_version() - core.changes() as u64;
        for _ in 0..IN_ONE_TURN {
            let Some((change, version)) = core.next_change() else {
                break;
            };
            let key = map_key(&change.identity);
            let done = if change.came {
                self.clients += 1;
                self.map.add(&key)
            } else {
                self.clients = self.clients.saturating_sub(1);
                self.map.remove(&key)
            };
            if let Err(error) = done {
                return (reached, Err(error));
            }
            reached = version;
        }
        (reached, Ok(()))
    }
}

#[cfg(test)]
mod tests;
