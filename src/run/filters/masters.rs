//! The masters whose neighbours pass the kernel's filters.

use std::time::Duration;

use crate::core::Forwarder;
use crate::time::Instant;

/// Masters that the filters know. What is about others passes as well, as long as nobody floods.
const MOST: usize = 32;
/// The filters follow at most this often.
const PAUSE: Duration = Duration::from_millis(100);
/// What the kernel refused is tried again after this time.
const RETRY: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct KnownMasters {
    /// `None`: no neighbours pass. Sorted.
    words: Option<Vec<u32>>,
    /// Version of what the core knows.
    version: Option<u64>,
    /// Not before.
    next: Instant,
}

impl KnownMasters {
    pub(super) const fn new(on: bool) -> Self {
        Self {
            words: if on { Some(Vec::new()) } else { None },
            version: None,
            next: Instant::from_nanos(0),
        }
    }

    /// The last 32 bits of each address.
    pub(super) fn words(&self) -> Option<&[u32]> {
        self.words.as_deref()
    }

    /// Follows what the core knows: whether the filters are to change.
    pub(super) fn follow(&mut self, cores: &[Forwarder], now: Instant) -> bool {
        let Some(words) = &mut self.words else {
            return false;
        };
        let Some(version) = version(cores) else {
            return false;
        };
        if self.version == Some(version) || now < self.next {
            return false;
        }
        self.version = Some(version);
        self.next = now + PAUSE;
        let mut new: Vec<u32> = Vec::new();
        for (_, known) in cores.iter().filter_map(Forwarder::neighbour_masters) {
            new.extend(known.take(MOST));
        }
        new.sort_unstable();
        new.dedup();
        new.truncate(MOST);
        std::mem::replace(words, new.clone()) != new
    }

    /// The kernel refused it: it is tried again later.
    pub(super) fn again(&mut self, now: Instant) {
        if let Some(words) = &mut self.words {
            // Whatever comes is another set than this.
            words.clear();
        }
        self.version = None;
        self.next = now + RETRY;
    }

    /// When to follow.
    pub(super) fn due(&self, cores: &[Forwarder]) -> Option<Instant> {
        self.words.as_ref()?;
        let version = version(cores)?;
        (self.version != Some(version)).then_some(self.next)
    }
}

/// What changes with the masters that any forwarder knows.
fn version(cores: &[Forwarder]) -> Option<u64> {
    let versions = cores.iter().filter_map(Forwarder::neighbour_masters);
    versions
        .map(|(version, _)| version)
        .reduce(u64::wrapping_add)
}
