//! The map's filter on a real socket, when the rights of the start are gone.

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;

use caps::{CapSet, CapsHashSet};

use super::*;
use crate::core::ValidSettings;
use crate::options::FilterChoice;
use crate::run::filters::Filters;
use crate::run::filters::sampler::Sampler;
use crate::telemetry::FilterKind;

/// What is sent to it passes the filter or is refused.
struct Socket {
    to: UnixDatagram,
    from: UnixDatagram,
}

impl FilterSocket for Socket {
    fn attach(&mut self, program: &[libc::sock_filter]) -> io::Result<()> {
        crate::ring::attach_filter(self.from.as_fd(), program)
    }

    fn attach_map(&mut self, program: &MapFilter) -> io::Result<()> {
        program.attach(self.from.as_fd())
    }

    fn detach(&mut self) -> io::Result<()> {
        crate::ring::detach_filter(self.from.as_fd())
    }
}

impl Socket {
    /// Whether a Sync of this domain passes.
    fn passes(&self, domain: u8) -> bool {
        let mut frame = [0; 14 + 44];
        frame[12..16].copy_from_slice(&[0x88, 0xF7, 0, 2]);
        frame[18] = domain;
        let _ = self.to.send(&frame);
        self.from.recv(&mut [0; 128]).is_ok()
    }
}

/// A running gateway may load no program: it takes other domains all the same, and keeps its map.
#[test]
fn other_domains_need_no_rights() {
    for at_start in [vec![], vec![5]] {
        let (to, from) = UnixDatagram::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        let mut socket = Socket { to, from };
        let mut core = Forwarder::new(ValidSettings::default());
        let mut filters = Filters::new(at_start.clone(), [1, 2, 3], FilterChoice::Map, false);
        // No sample, or one in 1024 passes by chance.
        filters.sampler = Sampler::of(Sampling::each(0));
        if let Err(error) = filters.start(std::slice::from_mut(&mut core), &mut socket) {
            ptpproxy_lab::net::skip_without_rights(&format!("{error:#}"));
            return;
        }
        let rights = caps::read(None, CapSet::Effective).unwrap();
        caps::set(None, CapSet::Effective, &CapsHashSet::new()).unwrap();
        assert!(ClientMap::new(1).is_err(), "no rights");
        let instructions = filters.in_force().instructions;
        for domains in [
            &at_start[..],
            &[5],
            &[0, 7],
            &[7, 255],
            &[],
            &[5],
            &at_start,
        ] {
            filters.domains = domains.to_vec();
            filters
                .domains_above(std::slice::from_mut(&mut core), &mut socket)
                .unwrap();
            let let_in: Vec<u8> = (0..=255).filter(|&domain| socket.passes(domain)).collect();
            if domains.is_empty() {
                assert_eq!(let_in.len(), 256);
            } else {
                assert_eq!(let_in, domains);
            }
            assert_eq!(filters.in_force().kind, FilterKind::Map);
        }
        assert_eq!(filters.in_force().instructions, instructions);
        caps::set(None, CapSet::Effective, &rights).unwrap();
    }
}
