//! What another gateway beside us changes: what leaves later, and what is dropped.

use crate::Side;
use crate::core::clients::Progress;
use crate::core::event::Event;
use crate::core::hold::FrameRef;
use crate::core::policy::Forwarder;
use crate::core::policy::response::{received_ns, which};
use crate::core::refs::Owner;
use crate::core::second_path::{Copy, Guarded};
use crate::core::syncs::SyncProgress;
use crate::core::verdict::Arrival;
use crate::reason::Reason;
use crate::time::Instant;
use crate::wire::Frame;

impl Forwarder {
    /// From now on no event message leaves until an Announce has: for loops on a network where another gateway may run
    /// already.
    pub const fn listen_first(&mut self) {
        self.paths.listen_first();
    }

    /// There was a sign of a second path on this side.
    pub(super) fn second_path_found(&mut self, side: Side, now: Instant) {
        if self.paths.found(now) {
            self.tell(Event::SecondPath(side));
        }
    }

    /// A message of a master upstream was seen downstream.
    pub(super) fn second_path_found_below(&mut self, now: Instant) {
        if self.paths.found_below(now) {
            self.tell(Event::SecondPath(Side::Down));
        }
    }

    /// This answer shows that a copy of its request took another way. Once is chance; a client whose answers show it
    /// again is doubted, and that is a sign of a second path. What anybody else than a master says shows nothing.
    pub(super) fn another_way(&mut self, client: u32, answer: &Frame<'_>, now: Instant) {
        let master = self.allowed_master(answer, now);
        if !master.is_ok_and(|master| !self.masters.made_itself_up(master)) {
            return;
        }
        let Ok(mut client) = self.clients.row(client) else {
            return;
        };
        if client.took_another_way(answer.sequence_id(), now) {
            self.second_path_found(Side::Up, now);
        }
    }

    /// A master answers a request that it has answered before. Two answers to copies that departed at different
    /// moments are a sign of another way; to copies that came together, they are counted.
    pub(super) fn answered_again(
        &mut self,
        answer: &Frame<'_>,
        rows: (u32, u8, u32),
        now: Instant,
    ) {
        let Some(received_ns) = received_ns(answer) else {
            return;
        };
        match self.paths.answered_again(which(answer, rows), received_ns) {
            Copy::None => {}
            Copy::Near => self.account.request_copied(),
            Copy::Apart => {
                self.account.request_copied();
                self.another_way(rows.0, answer, now);
            }
        }
    }

    /// A copy of an Announce, Signaling or Management message that was seen a moment ago goes no further.
    pub(super) fn check_echo(
        &mut self,
        frame: &Frame<'_>,
        arrival: &Arrival,
    ) -> Result<(), Reason> {
        match self.paths.echo(frame, arrival.side, arrival.now) {
            None => Ok(()),
            Some(side) if side == arrival.side => Err(Reason::Duplicate),
            Some(_) => {
                self.second_path_found(arrival.side, arrival.now);
                Err(Reason::SecondPath)
            }
        }
    }

    /// A corrected message leaves if no copy of its event message is seen until `until`. `sequence_id` is that of the
    /// request, or 0 of a Sync; `None` if that is gone.
    pub(super) fn guard(
        &mut self,
        frame: FrameRef,
        owner: Owner,
        sequence_id: Option<u16>,
        until: Instant,
    ) {
        let guarded = sequence_id.is_some_and(|id| self.paths.guard(frame, owner, id, until));
        if !guarded {
            self.drop_kept(frame, Reason::SecondPath);
        }
    }

    /// Everything that had arrived by now was read.
    pub fn all_read(&mut self, now: Instant) {
        self.read_up_to(now, now);
    }

    /// Everything was read that had arrived on either side until `then`: corrected messages that waited for that may
    /// leave. (Under a flood the present is never reached: that must not keep them for ever.)
    pub fn read_up_to(&mut self, then: Instant, now: Instant) {
        self.flights.read_up_to(then);
        while let Some(guarded) = self.paths.next_guarded(then) {
            let drop = if now.since(guarded.until) > self.settings.max_hold {
                // We were kept from running: it is of no use any more.
                Some(Reason::Stale)
            } else {
                self.copy_seen(&guarded)
            };
            match drop {
                Some(reason) => self.drop_kept(guarded.frame, reason),
                None => self.hold.leave(guarded.frame),
            }
        }
    }

    /// Why a correction is not to leave.
    fn copy_seen(&mut self, guarded: &Guarded) -> Option<Reason> {
        match guarded.owner {
            Owner::Request { client, place } => {
                let Some(client) = self.clients.same(client) else {
                    return Some(Reason::NotOurClient);
                };
                let request = client.request(place);
                match request.progress() {
                    _ if request.sequence_id() != guarded.sequence_id => Some(Reason::Unsolicited),
                    Progress::Departed if client.is_doubted(self.present) => {
                        Some(Reason::SecondPath)
                    }
                    Progress::Departed => None,
                    Progress::SecondPath => Some(Reason::SecondPath),
                    _ => Some(Reason::Unsolicited),
                }
            }
            Owner::Sync(sync) => match self.syncs.same_mut(sync).map(|sync| sync.progress()) {
                Some(SyncProgress::Departed(_)) => None,
                Some(SyncProgress::SecondPath) => Some(Reason::SecondPath),
                _ => Some(Reason::NoSync),
            },
        }
    }
}
