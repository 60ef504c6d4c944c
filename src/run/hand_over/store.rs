//! The service manager's store of descriptors (FileDescriptorStoreMax=, sd_notify(3)): it gives them to the next process of
//! this service.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::bundle::{Came, Named};
use crate::ring::passed;
use crate::run::notify::Notify;

/// The manager has dealt with all that was sent by then, or does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// One message for each: a name is that of all in it. They are not to be watched: a timestamp in an error queue would look like
/// the end of its socket.
const ALL: &str = "FDSTORE=1\nFDPOLL=0\nFDNAME=";

/// The way there, made at the start: later no socket can be.
pub(in crate::run) struct Store {
    notify: Notify,
    /// Our end, and the one that the manager closes when it has read what was sent before (BARRIER=1).
    barrier: Option<(UnixStream, UnixStream)>,
    /// It was sent all that does not change any more.
    has_descriptors: bool,
}

impl Store {
    /// Of the manager that this is told to.
    pub(in crate::run) fn new(notify: &Notify) -> Self {
        let barrier = notify.has_manager().then(UnixStream::pair);
        Self {
            notify: notify.again(),
            barrier: barrier.and_then(Result::ok),
            has_descriptors: false,
        }
    }

    /// Whether there is a manager.
    pub(in crate::run) fn is_there(&self) -> bool {
        self.barrier.is_some()
    }

    /// What it has kept for this process; it keeps it no longer.
    pub(super) fn take(&self) -> Option<Came> {
        let kept = passed::kept_by_manager();
        let mut names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            self.notify
                .send(&format!("FDSTOREREMOVE=1\nFDNAME={name}\n"));
        }
        (!kept.is_empty()).then_some(Came(kept))
    }

    /// Sends it these while the gateway still forwards, and waits for nothing: what it does not take now is
    /// [sent again](Self::keep).
    pub(super) fn keep_early(&mut self, descriptors: &[Named<'_>]) {
        self.has_descriptors = descriptors.iter().all(|named| self.send(named).is_ok());
    }

    /// Has it keep the state, and these if they were not sent before, each under its name. It asks which service this
    /// process is of: that must still run then.
    pub(super) fn keep(self, state: Named<'_>, descriptors: &[Named<'_>]) -> Result<()> {
        let manager = || "the service manager does not take the descriptors";
        self.notify.wait_at_most(PATIENCE).with_context(manager)?;
        let again = match self.has_descriptors {
            true => &[],
            false => descriptors,
        };
        for named in again.iter().chain([&state]) {
            self.send(named).with_context(manager)?;
        }
        if let Some((here, there)) = self.barrier {
            self.notify.send_with("BARRIER=1", &[there.as_fd()])?;
            // The manager's copy is the last one.
            drop(there);
            here.set_read_timeout(Some(PATIENCE))?;
            let _ = (&here).read(&mut [0]);
        }
        Ok(())
    }

    fn send(&self, (name, descriptor): &Named<'_>) -> io::Result<()> {
        self.notify
            .send_with(&format!("{ALL}{name}\n"), &[*descriptor])
    }
}
