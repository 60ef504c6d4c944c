//! Verifies messages, and signs again what was edited since.

use std::num::{NonZeroU16, NonZeroU64};

use super::associations::{Entry, KeyName, SecurityAssociations};
use super::key::Covered;
use super::refusal::Refusal;
use super::replay::{Replay, Sender};
use crate::side::Side;
use crate::time::Instant;
use crate::wire::{
    Address, Authentication, Frame, Layout, MessageType, NoAuthentication, authentication,
};

/// The least window of messages other than Sync and Follow_Up. linuxptp checks those two only, with 3 by
/// default: four lost requests in a row would silence a client.
const LEAST_WINDOW: u16 = 64;
/// Sets of keys that were replaced and may still sign what waits.
const MOST_PAST: usize = 4;
/// Names of removed keys that are remembered.
const MOST_REMOVED: usize = 1024;

/// Shows that a message was verified, and signs it again. One word, to be kept beside the message: a structure of small
/// fields would stall each time it is moved, and every message has a place for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified(NonZeroU64);

const _: () = assert!(size_of::<Option<Verified>>() == 8);

impl Verified {
    /// By this key of this set of keys, and this association; the ICV is at that offset in the message.
    fn new(generation: u16, slot: u16, icv: NonZeroU16, spp: u8) -> Self {
        let beside = u64::from(generation) << 16 | u64::from(slot) << 32 | u64::from(spp) << 48;
        Self(NonZeroU64::from(icv) | beside)
    }

    /// Which set of keys.
    const fn generation(self) -> u16 {
        self.sixteen_bits(16)
    }

    /// Which of its keys.
    const fn slot(self) -> u16 {
        self.sixteen_bits(32)
    }

    /// Offset of the ICV in the message.
    fn icv(self) -> usize {
        usize::from(self.sixteen_bits(0))
    }

    #[expect(clippy::cast_possible_truncation, reason = "sixteen bits of it")]
    const fn sixteen_bits(self, at: u32) -> u16 {
        (self.0.get() >> at) as u16
    }

    /// securityParameterPointer of the association whose key signed the message: two senders of different
    /// associations cannot take each other's place.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the byte above those")]
    pub const fn spp(self) -> u8 {
        (self.0.get() >> 48) as u8
    }
}

/// The key that a message came with was removed, and the time to sign with it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyGone;

impl std::fmt::Display for KeyGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the key that it came with was removed")
    }
}

impl std::error::Error for KeyGone {}

/// What became of the keys when their file was read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// Names that were not there before.
    pub added: Vec<KeyName>,
    /// Names that are no longer there.
    pub removed: Vec<KeyName>,
    /// Names whose key or algorithm is another.
    pub replaced: Vec<KeyName>,
    /// Keys that stayed, under the same rules.
    pub kept: usize,
    /// Keys that stayed, but the rules of their association have changed.
    pub other_rules: usize,
}

impl KeyChanges {
    /// In words; `None` if all keys are the same.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let changed = [
            (self.added.len(), "added"),
            (self.removed.len(), "removed"),
            (self.replaced.len(), "replaced"),
            (self.other_rules, "under other rules"),
        ];
        if changed.iter().all(|(count, _)| *count == 0) {
            return None;
        }
        let words = changed.into_iter().chain([(self.kept, "kept")]);
        let words = words.filter(|(count, _)| *count > 0);
        let words: Vec<String> = words
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        Some(format!("keys: {}", words.join(", ")))
    }
}

struct Keys {
    generation: u16,
    set: SecurityAssociations,
}

/// Security associations at work. Takes no lock; allocates only when it is made or its file is read again.
pub struct Verifier {
    keys: Keys,
    /// Replaced sets, and until when they sign what waits; the newest last.
    past: Vec<(Keys, Instant)>,
    /// Names that were removed, sorted.
    removed: Vec<KeyName>,
    replay: Replay,
}

impl Verifier {
    /// With a table for this many senders at once (128 bytes for each), hashed under a secret.
    ///
    /// Each message type of a port counts as a sender, and each address that it sends unicast to.
    #[must_use]
    pub fn new(set: SecurityAssociations, senders: usize, secret: (u64, u64)) -> Self {
        Self {
            keys: Keys { generation: 0, set },
            past: Vec::new(),
            removed: Vec::new(),
            replay: Replay::new(senders, secret),
        }
    }

    /// Verifies a message that came from `side`.
    ///
    /// To be called once for each message: the second time it is a replay. A refused one changes nothing, so that
    /// nobody without a key has any effect.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn verify(
        &mut self,
        frame: &Frame<'_>,
        side: Side,
        now: Instant,
    ) -> Result<Verified, Refusal> {
        let found = frame.authentication().map_err(|none| match none {
            NoAuthentication::Missing => Refusal::Unsigned,
            NoAuthentication::Malformed | NoAuthentication::Several | NoAuthentication::NotLast => {
                Refusal::Malformed
            }
        })?;
        let name = KeyName {
            spp: found.spp(),
            id: found.key_id(),
        };
        let Some((slot, entry)) = self.keys.set.find(name) else {
            return Err(self.without_key(name));
        };
        // linuxptp has no such fields: without their lengths the ICV cannot be found.
        if found.has_optional_fields() || found.icv().len() != entry.key.algorithm().icv_len() {
            return Err(Refusal::Malformed);
        }
        if !is_signed(entry, frame, found) {
            return Err(if self.was_signed(name, frame, found) {
                Refusal::OldKey(name)
            } else {
                Refusal::BadIcv(name)
            });
        }
        let icv = u16::try_from(found.icv_offset())
            .ok()
            .and_then(NonZeroU16::new);
        let icv = icv.ok_or(Refusal::Malformed)?;
        let window = window(entry, frame.message_type());
        if window > 0
            && counts_up(frame)
            && !(self.replay).accept(
                sender(frame, side, name.spp),
                frame.sequence_id(),
                window,
                now,
            )
        {
            return Err(Refusal::Replayed(name));
        }
        let generation = self.keys.generation;
        Ok(Verified::new(generation, slot, icv, name.spp))
    }

    /// Signs a verified message again after an edit, in place, with the key that it came with. `layout` is
    /// that of the frame that `bytes` was copied from. The UDP checksum is updated.
    ///
    /// # Errors
    /// The key was removed (see [`Self::reload`]): the message must not be sent.
    pub fn sign(
        &self,
        bytes: &mut [u8],
        layout: Layout,
        verified: Verified,
    ) -> Result<(), KeyGone> {
        let entry = self.entry(verified).ok_or(KeyGone)?;
        let (ptp, at) = (layout.ptp_offset(), verified.icv());
        let message = bytes.get(ptp..ptp + at).ok_or(KeyGone)?;
        let icv = entry.key.icv(covered(entry, message));
        authentication::set_icv(bytes, layout, at, icv.as_bytes());
        Ok(())
    }

    /// Adds an AUTHENTICATION TLV to a Follow_Up that was made for a verified Sync, with the key of that
    /// Sync. `bytes` holds the frame in its first `len` bytes and room for up to 42 more. Returns the frame's
    /// length and layout then, and what [`Self::sign`] takes after a later edit of it.
    ///
    /// # Errors
    /// The key was removed. A frame that is no general PTP message, and room that is too small, count as that:
    /// nothing is to be sent either.
    pub fn sign_made(
        &self,
        bytes: &mut [u8],
        len: usize,
        sync: Verified,
    ) -> Result<(usize, Layout, Verified), KeyGone> {
        let entry = self.entry(sync).ok_or(KeyGone)?;
        let frame = Frame::parse(bytes.get(..len).ok_or(KeyGone)?).map_err(|_| KeyGone)?;
        let layout = frame.layout();
        let KeyName { spp, id } = entry.name;
        let icv_len = entry.key.algorithm().icv_len();
        let (len, layout, at) =
            authentication::append(bytes, layout, spp, id, icv_len).ok_or(KeyGone)?;
        let icv = u16::try_from(at)
            .ok()
            .and_then(NonZeroU16::new)
            .ok_or(KeyGone)?;
        let made = Verified::new(sync.generation(), sync.slot(), icv, sync.spp());
        self.sign(bytes, layout, made)?;
        Ok((len, layout, made))
    }

    /// Takes other associations instead, at once. What waits is still signed with the key that it came with
    /// for the time of `linger`; nothing is accepted with that key any more. What was seen of each sender
    /// is kept: no key has signed it anew.
    pub fn reload(
        &mut self,
        set: SecurityAssociations,
        now: Instant,
        linger: std::time::Duration,
    ) -> KeyChanges {
        let mut changes = KeyChanges::default();
        for name in self.keys.set.names() {
            match (self.keys.set.find(name), set.find(name)) {
                (Some((_, old)), Some((_, new))) if old.key.same(&new.key) => {
                    let rules = |entry: &Entry| (entry.seqid_window, entry.allow_mutable);
                    match rules(old) == rules(new) {
                        true => changes.kept += 1,
                        false => changes.other_rules += 1,
                    }
                }
                (_, Some(_)) => changes.replaced.push(name),
                (_, None) => changes.removed.push(name),
            }
        }
        changes.added = (set.names())
            .filter(|&name| self.keys.set.find(name).is_none())
            .collect();
        self.removed.retain(|&name| set.find(name).is_none());
        self.removed.extend(&changes.removed);
        self.removed.truncate(MOST_REMOVED);
        self.removed.sort_unstable();

        let generation = self.keys.generation.wrapping_add(1);
        let old = std::mem::replace(&mut self.keys, Keys { generation, set });
        self.expire(now);
        if self.past.len() == MOST_PAST {
            self.past.remove(0);
        }
        self.past.push((old, now + linger));
        changes
    }

    /// Erases replaced keys whose time is over; to be called now and then.
    pub fn expire(&mut self, now: Instant) {
        self.past.retain(|&(_, until)| now < until);
    }

    /// The associations in force.
    #[must_use]
    pub const fn associations(&self) -> &SecurityAssociations {
        &self.keys.set
    }

    /// Is the ICV of this message the same after an edit of correctionField (`allow_mutable`)?
    #[must_use]
    pub fn leaves_correction(&self, verified: Verified) -> bool {
        self.entry(verified)
            .is_some_and(|entry| entry.allow_mutable)
    }

    /// Senders that gave their row in the table away while they were active: the table is too small.
    #[must_use]
    pub const fn forgotten_senders(&self) -> u64 {
        self.replay.evicted()
    }

    /// The key of a verified message.
    fn entry(&self, verified: Verified) -> Option<&Entry> {
        let past = self.past.iter().map(|(keys, _)| keys).rev();
        std::iter::once(&self.keys)
            .chain(past)
            .find(|keys| keys.generation == verified.generation())?
            .set
            .slot(verified.slot())
    }

    #[cold]
    fn without_key(&self, name: KeyName) -> Refusal {
        if self.removed.binary_search(&name).is_ok() {
            Refusal::OldKey(name)
        } else {
            Refusal::UnknownKey(name)
        }
    }

    /// Is it the ICV of a key that was replaced by another of the same name?
    #[cold]
    fn was_signed(&self, name: KeyName, frame: &Frame<'_>, found: Authentication<'_>) -> bool {
        self.past.iter().any(|(keys, _)| {
            (keys.set.find(name)).is_some_and(|(_, entry)| is_signed(entry, frame, found))
        })
    }
}

fn covered<'a>(entry: &Entry, message: &'a [u8]) -> Covered<'a> {
    Covered {
        message,
        without_correction: entry.allow_mutable,
    }
}

fn is_signed(entry: &Entry, frame: &Frame<'_>, found: Authentication<'_>) -> bool {
    (frame.message().get(..found.icv_offset()))
        .is_some_and(|message| entry.key.matches(covered(entry, message), found.icv()))
}

/// How far ahead of the last one a message may be; 0 checks nothing.
fn window(entry: &Entry, message_type: MessageType) -> u16 {
    match (entry.seqid_window, message_type) {
        (0, _) | (_, MessageType::Sync | MessageType::FollowUp) => entry.seqid_window,
        (window, _) => window.max(LEAST_WINDOW),
    }
}

/// Is its sequenceId its sender's own? That of an answer is its request's, in no order of its own: whether
/// the request is open says if the answer is new.
fn counts_up(frame: &Frame<'_>) -> bool {
    const RESPONSE: u8 = 2;
    const ACKNOWLEDGE: u8 = 4;
    match frame.message_type() {
        MessageType::DelayResp | MessageType::PdelayResp | MessageType::PdelayRespFollowUp => false,
        MessageType::Management => {
            !matches!(frame.management_action(), Some(RESPONSE | ACKNOWLEDGE))
        }
        _ => true,
    }
}

/// Whose sequence a message belongs to: a port counts by message type and, in unicast, by addressee.
fn sender(frame: &Frame<'_>, side: Side, spp: u8) -> Sender {
    let port = frame.port_identity();
    let kind = [
        frame.message_type() as u8,
        frame.domain(),
        frame.major_sdo_id() << 1 | u8::from(side == Side::Up),
        spp,
    ];
    let [upper, lower] = match frame.destination() {
        address if address.is_multicast() => [0, 0],
        Address::Mac(mac) => {
            let [a, b, c, d, e, f] = mac.0;
            [0, u64::from_be_bytes([0, 0, a, b, c, d, e, f])]
        }
        Address::V4(address) => [0, u64::from(address.to_bits())],
        Address::V6(address) => {
            let [a, b, c, d, e, f, g, h, low @ ..] = address.octets();
            [
                u64::from_be_bytes([a, b, c, d, e, f, g, h]),
                u64::from_be_bytes(low),
            ]
        }
    };
    [
        u64::from_be_bytes(port.clock.0),
        u64::from(port.port) << 32 | u64::from(u32::from_be_bytes(kind)),
        u64::from(frame.lane().bits()),
        upper,
        lower,
    ]
}
