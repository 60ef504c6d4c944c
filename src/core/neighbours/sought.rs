//! Addresses that are asked for downstream and not known as masters'.
//!
//! A station that finds whom it asks for does not ask again. So what is asked for again within some seconds is asked for
//! upstream, once a minute: if it lives there, it may be a master that is silent until somebody finds it.

use std::net::IpAddr;
use std::time::Duration;

use super::place::Place;
use crate::core::bucket::Bucket;
use crate::time::Instant;

/// Addresses that are remembered.
const MOST: usize = 16;
/// Asked again: not sooner, and not later.
const AGAIN: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(300)..=Duration::from_secs(10);
/// Whoever has the address answers within this time.
const TO_ANSWER: Duration = Duration::from_secs(2);
/// Then it is left alone for so long.
const PAUSE: Duration = Duration::from_secs(60);
/// Questions a second.
const RATE: u32 = 4;

/// What became of what was asked.
#[derive(Clone, Copy, Debug)]
struct Entry {
    target: Place,
    asker: IpAddr,
    /// Asked for the first time, or since the last pause.
    since: Instant,
    /// We have asked.
    probed: Option<Instant>,
    told: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sought {
    entries: Vec<Entry>,
    rate: Bucket,
}

impl Sought {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(MOST),
            rate: Bucket::full(Instant::default()),
        }
    }

    /// Somebody downstream asks for this: whether we are to ask upstream.
    pub(super) fn asked(&mut self, target: Place, asker: IpAddr, now: Instant) -> bool {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.target == target) else {
            self.remember(target, asker, now);
            return false;
        };
        if let Some(probed) = entry.probed {
            if now.since(probed) > PAUSE {
                (entry.probed, entry.told, entry.since) = (None, false, now);
            }
            return false;
        }
        let age = now.since(entry.since);
        if age > *AGAIN.end() {
            (entry.since, entry.asker) = (now, asker);
        }
        if !AGAIN.contains(&age) || !self.rate.take(now, RATE) {
            return false;
        }
        (entry.probed, entry.asker) = (Some(now), asker);
        true
    }

    /// It answers upstream, and is no master as far as we know: who asked for it, once.
    pub(super) fn answered(&mut self, target: Place, now: Instant) -> Option<IpAddr> {
        let entry = self.probed(target, now)?;
        (!std::mem::replace(&mut entry.told, true)).then_some(entry.asker)
    }

    fn probed(&mut self, target: Place, now: Instant) -> Option<&mut Entry> {
        let fresh = |entry: &&mut Entry| {
            entry.target == target && entry.probed.is_some_and(|at| now.since(at) <= TO_ANSWER)
        };
        self.entries.iter_mut().find(fresh)
    }

    fn remember(&mut self, target: Place, asker: IpAddr, now: Instant) {
        let entry = Entry {
            target,
            asker,
            since: now,
            probed: None,
            told: false,
        };
        if self.entries.len() < MOST {
            self.entries.push(entry);
            return;
        }
        let last = |entry: &Entry| entry.probed.map_or(entry.since, |at| at + PAUSE);
        // Others wait for theirs.
        let oldest = self.entries.iter_mut().min_by_key(|entry| last(entry));
        if let Some(oldest) = oldest.filter(|oldest| now.since(last(oldest)) > *AGAIN.end()) {
            *oldest = entry;
        }
    }
}
