//! How much memory a forwarder reserves.

use super::Settings;
use super::{flight, neighbours, routed, syncs};

/// Parts whose size nothing changes: masters, echoes, limits.
const FIXED: u64 = 2_075_000;
/// An event message that is in flight.
const IN_FLIGHT: u64 = 205;
/// A message that can be held: room for its bytes, what is known of it, its places in the queues.
const HELD: u64 = 567;
/// A client, but for its place among the hashes.
const CLIENT: u64 = 364;
/// Twice as many places among the hashes as clients, rounded up to a power of two: in two tables.
const PLACE: u64 = 16;
/// A Sync that is remembered.
const SYNC: u64 = 132;
/// An address whose neighbour discovery is relayed, but for its place among the hashes.
const ADDRESS: u64 = 184;
/// A next hop, but for its place among the hashes.
const HOP: u64 = 120;
/// Messages that wait for a next hop, and questions.
const FOR_HOPS: u64 = 620_000;

/// Bytes that [`Forwarder::new`](crate::core::Forwarder::new) reserves for these settings, a tenth too many at most (on
/// a 64-bit machine; others take less). `tests/memory.rs` compares it with what is allocated. Much of it is taken from
/// the system only when it is used first.
#[must_use]
pub fn reserved_bytes(settings: &Settings) -> u64 {
    let clients = u64::from(settings.max_clients);
    let places = (2 * clients).next_power_of_two();
    let syncs = syncs::beside(settings.max_clients) as u64;
    FIXED
        + IN_FLIGHT * u64::from(flight::capacity(settings.hold_frames))
        + HELD * u64::from(settings.hold_frames)
        + CLIENT * clients
        + PLACE * places
        + SYNC * syncs
        + addresses(settings)
        + hops(settings)
}

fn addresses(settings: &Settings) -> u64 {
    if !settings.relays_neighbours() {
        return 0;
    }
    let rows = u64::from(neighbours::capacity(settings.max_clients));
    ADDRESS * rows + PLACE / 2 * (2 * rows).next_power_of_two()
}

fn hops(settings: &Settings) -> u64 {
    if !settings.routed {
        return 0;
    }
    let rows = u64::from(routed::capacity(settings.max_clients));
    FOR_HOPS + HOP * rows + PLACE / 2 * (2 * rows).next_power_of_two()
}
