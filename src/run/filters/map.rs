//! The filter that asks a map of the kernel's.

use std::io;
use std::os::fd::AsRawFd as _;

use crate::core::Forwarder;
use crate::filter::{self, Spec, map_key};
use crate::ring::{ClientMap, RxRing};

/// Clients that are added or removed in one turn at most: each takes a system call.
const IN_ONE_TURN: usize = 1024;
/// Those that have gone are removed a moment later than others come in their place.
const SLACK: u32 = 8192;

/// The map, and what it holds.
pub(super) struct Map {
    map: ClientMap,
    /// Clients in it.
    pub(super) clients: usize,
    /// Length of its program.
    pub(super) instructions: usize,
}

impl Map {
    /// Puts the filter in force; the core keeps who comes and goes from now on.
    pub(super) fn start(
        spec: &Spec<'_>,
        core: &mut Forwarder,
        up: &mut RxRing,
    ) -> io::Result<Self> {
        let mut map = Self {
            map: ClientMap::new(core.settings().max_clients.saturating_add(SLACK))?,
            clients: 0,
            instructions: 0,
        };
        map.instructions = map.attach(spec, up)?;
        core.follow_changes(true);
        Ok(map)
    }

    /// Puts a program that asks the map in force; its length.
    pub(super) fn attach(&self, spec: &Spec<'_>, up: &mut RxRing) -> io::Result<usize> {
        let program = filter::with_map(spec, self.map.as_raw_fd());
        let filter = self.map.load(&program)?;
        // The socket keeps the program.
        up.set_map_filter(&filter)?;
        Ok(program.len())
    }

    /// Follows who came and went; the version of the client table that the map has reached.
    pub(super) fn follow(&mut self, core: &mut Forwarder) -> (u64, io::Result<()>) {
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
