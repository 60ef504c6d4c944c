//! What several forwarders are together: each has its own clients and counts.

use std::borrow::Cow;

use crate::core::Forwarder;
use crate::telemetry::{Counters, Measures};

/// Clients in all tables.
pub(super) fn clients(cores: &[Forwarder]) -> usize {
    cores.iter().map(Forwarder::clients).sum()
}

/// Changes whenever a client comes or goes.
pub(super) fn clients_version(cores: &[Forwarder]) -> u64 {
    cores.iter().map(Forwarder::clients_version).sum()
}

/// The filter lets in the answers to all clients.
pub(super) fn admit_all(cores: &mut [Forwarder]) {
    for core in cores {
        core.admit(core.clients_version());
    }
}

/// What all counted. What came from upstream for each port is counted once for each.
pub(super) fn counters(cores: &[Forwarder]) -> Cow<'_, Counters> {
    match cores {
        [one] => Cow::Borrowed(one.counters()),
        all => Cow::Owned(all.iter().fold(Counters::default(), |mut sum, core| {
            sum.add(core.counters());
            sum
        })),
    }
}

/// What all measured.
pub(super) fn measures(cores: &[Forwarder]) -> Cow<'_, Measures> {
    match cores {
        [one] => Cow::Borrowed(one.measures()),
        all => Cow::Owned(all.iter().fold(Measures::default(), |mut sum, core| {
            sum.add(core.measures());
            sum
        })),
    }
}
