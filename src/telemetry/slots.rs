//! One row for each client, written as its exchanges happen and read by anybody.
//!
//! A row is the only place of what the core and its readers both need of a client, so that all that is
//! known of one fits in 320 bytes. The core alone writes; its own reads are plain loads.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use super::client_view::{ClientMode, ClientView, millis, silence};
use super::grants::{GRANTED, GrantSlots, Grants};
use super::words::halves;
use crate::prefetch;
use crate::time::Instant;
use crate::wire::{Address, ClockIdentity, Lane, Mac, MessageType, PortIdentity, Transport};

/// Two values in each word: the lower half first.
mod word {
    /// Tenancy (odd while it changes), and when the client joined (seconds of the steady clock).
    pub(super) const TENANCY: usize = 0;
    /// clockIdentity.
    pub(super) const CLOCK: usize = 1;
    /// MAC address, and the port number above it.
    pub(super) const MAC: usize = 2;
    /// Its IP address, two words.
    pub(super) const ADDRESS: usize = 3;
    /// Lane with the mode in its two upper bits, and when it was seen last (milliseconds of the steady clock).
    pub(super) const LANE: usize = 5;
    /// Mean request interval in microseconds, and requests.
    pub(super) const REQUESTS: usize = 6;
    /// Requests answered, and those that never were.
    pub(super) const ANSWERED: usize = 7;
    /// Mean residence and the last one, in nanoseconds.
    pub(super) const RESIDENCE: usize = 8;
    /// Mean drawn hold and mean response time of the grandmaster, in nanoseconds.
    pub(super) const HOLD: usize = 9;
}

const WORDS: usize = 10;

type Words = [AtomicU64; WORDS];

/// Where the mode is; a lane takes the bits below.
const MODE_SHIFT: u32 = 30;
const _: () = assert!(Lane::BITS <= MODE_SHIFT);

/// Steps of the tenancy: bit 0 is set while it changes, bit 1 while the row is in use.
const CHANGING: u32 = 1;
const IN_USE: u32 = 2;
const STEP: u32 = 4;
/// A copy is taken again this often if the row changed hands meanwhile.
const TRIES: u32 = 8;

/// The rows of all clients.
#[derive(Debug)]
pub struct ClientSlots {
    rows: Box<[Words]>,
    grants: GrantSlots,
    /// Rows that were ever used are below this.
    used: AtomicU32,
}

impl ClientSlots {
    /// Bytes of a row.
    pub const OCTETS: usize = size_of::<Words>();

    /// Empty rows. Their memory is taken from the system when a row is first used.
    #[must_use]
    pub(crate) fn new(rows: u32) -> Self {
        Self {
            rows: bytemuck::zeroed_slice_box(rows as usize),
            grants: GrantSlots::new(rows),
            used: AtomicU32::new(0),
        }
    }

    /// The clients in the table, each as it is when its row is looked at.
    pub fn iter(&self) -> impl Iterator<Item = ClientView> {
        (0..self.used.load(Ordering::Acquire)).filter_map(|row| self.read(row))
    }

    /// A copy of one row, if it is in use.
    #[must_use]
    pub fn read(&self, row: u32) -> Option<ClientView> {
        let slot = Slot(self.rows.get(row as usize)?);
        for _ in 0..TRIES {
            let tenancy = low(slot.0[word::TENANCY].load(Ordering::Acquire));
            if tenancy & IN_USE == 0 {
                return None;
            }
            if tenancy & CHANGING == 0 {
                let mut view = slot.view(row, tenancy);
                view.grants = self.grants.read(row);
                // The tenancy is read again after the rest.
                fence(Ordering::Acquire);
                if low(slot.load(word::TENANCY)) == tenancy {
                    return Some(view);
                }
            }
            std::hint::spin_loop();
        }
        None
    }

    /// The row will be written soon.
    pub(crate) fn prefetch(&self, row: u32) {
        if let Some(row) = self.rows.get(row as usize) {
            prefetch::value(row);
        }
    }

    /// The row, to be written by the core.
    pub(crate) fn slot(&self, row: u32) -> Option<Slot<'_>> {
        self.rows.get(row as usize).map(Slot)
    }

    /// What a row holds, for another process.
    pub(crate) fn words(&self, row: u32) -> [u64; WORDS] {
        let row = self.rows.get(row as usize);
        row.map_or([0; WORDS], |words| {
            words.each_ref().map(|word| word.load(Ordering::Relaxed))
        })
    }

    /// The same again, before anybody reads; `taken` if the row is a client's.
    pub(crate) fn set_words(&self, row: u32, words: [u64; WORDS], taken: bool) {
        let Some(slot) = self.slot(row) else {
            return;
        };
        for (at, word) in words.into_iter().enumerate() {
            slot.store(at, word);
        }
        let free = low(slot.load(word::TENANCY)) & !(CHANGING | IN_USE);
        slot.store_low(word::TENANCY, if taken { free | IN_USE } else { free });
        self.used.fetch_max(row + 1, Ordering::Release);
    }

    /// A client takes a row.
    pub(crate) fn open(&self, row: u32, tenant: &Tenant, now: Instant) {
        let Some(slot) = self.slot(row) else {
            return;
        };
        let tenancy = low(slot.load(word::TENANCY)).wrapping_add(STEP) & !CHANGING | IN_USE;
        slot.store_low(word::TENANCY, tenancy | CHANGING);
        // Nothing of the new client is seen before that.
        fence(Ordering::Release);
        let PortIdentity { clock, port } = tenant.identity;
        slot.store(word::CLOCK, u64::from_be_bytes(clock.0));
        slot.set_addresses(port.to_be_bytes(), tenant.mac, tenant.address);
        slot.store(word::LANE, u64::from(tenant.lane.bits()));
        for word in word::REQUESTS..=word::HOLD {
            slot.store(word, 0);
        }
        self.grants.clear(row);
        slot.seen(now);
        let joined = u32::try_from(now.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX);
        slot.0[word::TENANCY].store(join(tenancy, joined), Ordering::Release);
        self.used.fetch_max(row + 1, Ordering::Release);
    }

    /// A message type is granted to the client of a row until then; or no longer.
    pub(crate) fn granted(&self, row: u32, message: MessageType, until: Option<Instant>) {
        self.grants.set(row, message, until);
    }

    /// How many clients are granted each message type of [`GRANTED`] now.
    #[must_use]
    pub fn grants(&self, now: Instant) -> [u32; GRANTED.len()] {
        let mut clients = [0; GRANTED.len()];
        for view in self.iter() {
            for (message, _) in view.grants.running(now) {
                let of = GRANTED.iter().zip(&mut clients);
                of.filter(|(one, _)| **one == message)
                    .for_each(|(_, count)| *count += 1);
            }
        }
        clients
    }

    /// The client of a row is forgotten.
    pub(crate) fn close(&self, row: u32) {
        if let Some(slot) = self.slot(row) {
            let tenancy = low(slot.load(word::TENANCY)).wrapping_add(STEP) & !(CHANGING | IN_USE);
            slot.store_low(word::TENANCY, tenancy);
        }
    }
}

/// Who takes a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenant {
    pub(crate) identity: PortIdentity,
    pub(crate) lane: Lane,
    pub(crate) mac: Mac,
    pub(crate) address: Address,
}

/// A row as the core sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a>(&'a Words);

impl Slot<'_> {
    /// Its messages come from elsewhere now. A reader may once see one address of before and the other of now.
    pub(crate) fn moved(self, mac: Mac, address: Address) {
        let [high, low, ..] = self.load(word::MAC).to_be_bytes();
        self.set_addresses([high, low], mac, address);
    }

    fn set_addresses(self, [port1, port2]: [u8; 2], mac: Mac, address: Address) {
        let [a, b, c, d, e, f] = mac.0;
        let address = match address {
            Address::Mac(_) => [0; 2],
            Address::V4(ip) => [0, u64::from(ip.to_bits())],
            Address::V6(ip) => halves(ip.to_bits()),
        };
        self.store(
            word::MAC,
            u64::from_be_bytes([port1, port2, a, b, c, d, e, f]),
        );
        self.store(word::ADDRESS, address[0]);
        self.store(word::ADDRESS + 1, address[1]);
    }

    /// Where its messages come from.
    pub(crate) fn addresses(self) -> (Mac, Address) {
        let [_, _, mac @ ..] = self.load(word::MAC).to_be_bytes();
        let mac = Mac(mac);
        (mac, self.address(mac))
    }

    fn address(self, mac: Mac) -> Address {
        let (upper, lower) = (self.load(word::ADDRESS), self.load(word::ADDRESS + 1));
        match split_lane(low(self.load(word::LANE))).0.transport() {
            Transport::Ethernet => Address::Mac(mac),
            Transport::Udp4 => Address::V4(Ipv4Addr::from_bits(low(lower))),
            Transport::Udp6 => Address::V6(Ipv6Addr::from_bits(
                u128::from(upper) << 64 | u128::from(lower),
            )),
        }
    }

    /// It asks so.
    pub(crate) fn asks(self, mode: ClientMode) {
        let word = low(self.load(word::LANE));
        let (lane, before) = split_lane(word);
        if mode != before {
            self.store_low(word::LANE, lane.bits() | (mode as u32) << MODE_SHIFT);
        }
    }

    /// A message of it came.
    pub(crate) fn seen(self, now: Instant) {
        self.store_high(word::LANE, millis(now));
    }

    /// How long it has been silent, to the millisecond (49 days at most).
    pub(crate) fn silent(self, now: Instant) -> Duration {
        silence(high(self.load(word::LANE)), now)
    }

    /// Mean time between its requests in microseconds; zero while unknown.
    pub(crate) fn interval_us(self) -> u32 {
        low(self.load(word::REQUESTS))
    }

    /// Its requests so far.
    pub(crate) fn requests(self) -> u32 {
        high(self.load(word::REQUESTS))
    }

    /// A request came; the mean time between them is now `interval_us`.
    pub(crate) fn requested(self, interval_us: u32) {
        let requests = self.requests().saturating_add(1);
        self.store(word::REQUESTS, join(interval_us, requests));
    }

    /// A request was answered after `response_ns`.
    pub(crate) fn answered(self, response_ns: u64) {
        let counts = self.load(word::ANSWERED);
        self.store_low(word::ANSWERED, low(counts).saturating_add(1));
        let mean = mean(high(self.load(word::HOLD)), response_ns);
        self.store_high(word::HOLD, mean);
    }

    /// An answer that was counted did not leave.
    pub(crate) fn not_answered(self) {
        let counts = self.load(word::ANSWERED);
        self.store_low(word::ANSWERED, low(counts).saturating_sub(1));
    }

    /// A request found no answer.
    pub(crate) fn unanswered(self) {
        let counts = self.load(word::ANSWERED);
        self.store_high(word::ANSWERED, high(counts).saturating_add(1));
    }

    /// A request departed: it was to be held for `hold_ns`, and stayed for `residence_ns`.
    pub(crate) fn departed(self, hold_ns: u32, residence_ns: u32) {
        let before = low(self.load(word::RESIDENCE));
        let residence = mean(before, u64::from(residence_ns));
        let hold = low(self.load(word::HOLD));
        let hold = if before == 0 {
            hold_ns
        } else {
            mean(hold, u64::from(hold_ns))
        };
        self.store(word::RESIDENCE, join(residence, residence_ns));
        self.store_low(word::HOLD, hold);
    }

    fn view(self, row: u32, tenancy: u32) -> ClientView {
        let [port1, port2, mac @ ..] = self.load(word::MAC).to_be_bytes();
        let mac = Mac(mac);
        let (lane, seen) = split(self.load(word::LANE));
        let (lane, mode) = split_lane(lane);
        let (interval_us, requests) = split(self.load(word::REQUESTS));
        let (answered, unanswered) = split(self.load(word::ANSWERED));
        let (residence, last_residence) = split(self.load(word::RESIDENCE));
        let (hold, response) = split(self.load(word::HOLD));
        let ns = |ns: u32| Duration::from_nanos(u64::from(ns));
        ClientView {
            row,
            tenancy,
            identity: PortIdentity {
                clock: ClockIdentity(self.load(word::CLOCK).to_be_bytes()),
                port: u16::from_be_bytes([port1, port2]),
            },
            mac,
            address: self.address(mac),
            lane,
            mode,
            grants: Grants::default(),
            joined: Instant::from_nanos(u64::from(high(self.load(word::TENANCY))) * 1_000_000_000),
            seen_ms: seen,
            interval: (interval_us > 0).then(|| Duration::from_micros(u64::from(interval_us))),
            requests,
            answered,
            unanswered,
            mean_residence: (residence > 0).then(|| ns(residence)),
            last_residence: (residence > 0).then(|| ns(last_residence)),
            mean_hold: (residence > 0).then(|| ns(hold)),
            response: (response > 0).then(|| ns(response)),
        }
    }

    fn load(self, at: usize) -> u64 {
        self.0[at].load(Ordering::Relaxed)
    }

    fn store(self, at: usize, value: u64) {
        self.0[at].store(value, Ordering::Relaxed);
    }

    fn store_low(self, at: usize, value: u32) {
        self.store(at, join(value, high(self.load(at))));
    }

    fn store_high(self, at: usize, value: u32) {
        self.store(at, join(low(self.load(at)), value));
    }
}

/// Lane and mode, as they share half a word.
const fn split_lane(half: u32) -> (Lane, ClientMode) {
    let mode = ClientMode::ALL[(half >> MODE_SHIFT) as usize];
    (Lane::from_bits(half & !(u32::MAX << MODE_SHIFT)), mode)
}

/// A running mean over about eight values; the first one counts whole.
pub(crate) fn mean(before: u32, value: u64) -> u32 {
    let value = u32::try_from(value).unwrap_or(u32::MAX).max(1);
    if before == 0 {
        return value;
    }
    let mean = (u64::from(before) * 7 + u64::from(value)) / 8;
    u32::try_from(mean).unwrap_or(u32::MAX).max(1)
}

const fn join(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

const fn split(word: u64) -> (u32, u32) {
    (low(word), high(word))
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn low(word: u64) -> u32 {
    word as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
mod tests;
