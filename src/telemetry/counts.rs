//! Counts since the start, one entry each: the field, which is also its name in the totals and its key in JSON;
//! its metric; and its meaning, in one sentence. Everything else comes out of these two lists: the record on the
//! board, the totals at the end, `ptpproxy status`, its JSON, the metrics and their table in deploy/REFERENCE.md.

use serde::{Deserialize, Serialize};

use super::words::record;

/// How a count is called, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Count<T> {
    /// Its name in the totals, and its key in JSON.
    pub name: &'static str,
    /// Its metric, which ends in `_total`.
    pub metric: &'static str,
    help: &'static str,
    value: fn(&T) -> u64,
}

impl<T> Count<T> {
    /// What it counts, in one sentence with its full stop.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help.trim()
    }

    /// The count.
    #[must_use]
    pub fn of(&self, counts: &T) -> u64 {
        (self.value)(counts)
    }
}

macro_rules! counts {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[doc = $help:literal])+ $field:ident => $metric:literal,)+
    }) => {
        record! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(default)]
            $vis struct $name { $($(#[doc = $help])+ pub $field: u64,)+ }
        }

        impl $name {
            /// Each of them, in the order in which they are shown.
            pub const ALL: &'static [Count<Self>] = &[$(Count {
                name: stringify!($field),
                metric: $metric,
                help: concat!($($help),+),
                value: |counts| counts.$field,
            }),+];
        }
    };
}

/// The list of what the core counts beside frames, handed to a macro: [`Counts`] is made of it here, and the fields of
/// the core's own counters beside it.
macro_rules! core_counts {
    ($macro:ident) => {
        $macro! {
            /// What the core counts beside frames.
            pub struct Counts {
                /// Delay_Req held for a random time.
                held => "ptpproxy_requests_held_total",
                /// Delay_Req of our clients that were answered.
                answered => "ptpproxy_requests_answered_total",
                /// Delay_Req of our clients that were not answered within two seconds, or before eight newer ones.
                unanswered => "ptpproxy_requests_unanswered_total",
                /// Unanswered Delay_Req replaced by newer ones of the same client (at most eight are open).
                evicted => "ptpproxy_requests_evicted_total",
                /// Answers to another copy of a Delay_Req that was answered before.
                copied => "ptpproxy_requests_copied_total",
                /// Departures estimated from the clock because the transmit timestamp was missing.
                estimated => "ptpproxy_stamps_estimated_total",
                /// Follow_Up messages made for one-step Syncs.
                follow_ups_made => "ptpproxy_follow_ups_made_total",
                /// Messages with an AUTHENTICATION TLV that passed without correction.
                authenticated => "ptpproxy_authenticated_total",
                /// Messages whose signature was verified (`--sa-file`).
                verified => "ptpproxy_verified_total",
                /// Messages signed again after an edit, or signed because they were made here.
                signed => "ptpproxy_signed_total",
                /// Senders of signed messages that were forgotten while they were active, for want of memory: what they sent
                /// could be replayed once (see --max-clients).
                forgotten_senders => "ptpproxy_forgotten_senders_total",
                /// Clients that moved here from the up side.
                roamed => "ptpproxy_clients_roamed_total",
                /// Questions of our own for an address: before ARP or neighbour discovery for it is relayed, or for the next hop of
                /// a message that is routed.
                neighbours_asked => "ptpproxy_neighbours_asked_total",
                /// Unicast messages that were routed between two subnets (`--routed`).
                routed => "ptpproxy_routed_total",
                /// Messages of our clients that were also seen upstream.
                heard_above => "ptpproxy_heard_above_total",
                /// Frames sent at a take-over, by which switches look for a client or a master here.
                addresses_moved => "ptpproxy_addresses_moved_total",
            }
        }
    };
}
pub(super) use core_counts;

core_counts!(counts);

counts! {
    /// What is counted at one interface and its rings.
    pub struct PortCounts {
        /// Frames that passed the kernel's filter of this side.
        ring_frames => "ptpproxy_ring_frames_total",
        /// Frames lost because the receive ring of this side was full (see --ring-frames).
        ring_drops => "ptpproxy_ring_drops_total",
        /// Frames that the kernel did not accept for sending on this side.
        unsent => "ptpproxy_unsent_frames_total",
        /// Transmit timestamps of this side that were missing, late or could not be trusted.
        stamps_lost => "ptpproxy_stamps_lost_total",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::words::{Take, Words as _};

    /// Each is read by its own name, has a metric of its own, and one sentence.
    fn check<T: Serialize>(all: &[Count<T>], filled: &T) {
        let json = serde_json::to_value(filled).unwrap();
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(all.len()));
        let mut metrics: Vec<&str> = Vec::new();
        for count in all {
            assert_eq!(json[count.name], count.of(filled), "{}", count.name);
            let metric = count.metric;
            assert!(metric.starts_with("ptpproxy_") && metric.ends_with("_total"));
            assert!(!metrics.contains(&metric), "{metric} twice");
            metrics.push(metric);
            let help = count.help();
            assert!(help.ends_with('.') && !help.contains(". "), "{help}");
        }
    }

    #[test]
    fn each_count_is_its_own() {
        let numbers: Vec<u64> = (1..=100).collect();
        check(Counts::ALL, &Counts::read(&mut Take(numbers.iter())));
        check(
            PortCounts::ALL,
            &PortCounts::read(&mut Take(numbers.iter())),
        );
    }
}
