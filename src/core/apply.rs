//! Other settings while it runs: nothing that waits is lost by it, and no client.

use crate::core::forwarder::Forwarder;
use crate::core::limits::Pace;
use crate::core::settings::{Holds, Settings, SettingsError};
use crate::reason::Reason;

impl Forwarder {
    /// Goes on with other settings. What is sized or drawn at the start keeps its value: `max_clients`,
    /// `hold_frames` and `seed`.
    ///
    /// What waits keeps the moment that was drawn for it and the `max_hold` that it came under; what was
    /// sent keeps the deadline of its stamp. A client that the new list leaves out is forgotten with its
    /// next message, or within seconds.
    ///
    /// # Errors
    /// The settings do not fit together; then nothing has changed.
    pub fn apply(&mut self, settings: Settings) -> Result<(), SettingsError> {
        settings.validate()?;
        let before = &self.settings;
        let settings = Settings {
            max_clients: before.max_clients,
            hold_frames: before.hold_frames,
            seed: before.seed,
            ..settings
        };
        if settings.clients != before.clients {
            self.lists = self.lists.wrapping_add(1);
        }
        match (settings.max_rate, &mut self.pace) {
            (None, pace) => *pace = None,
            (Some(rate), Some(pace)) if settings.max_rate != before.max_rate => {
                pace.set_rate(rate);
            }
            (Some(_), Some(_)) => {}
            (Some(rate), pace) => *pace = Some(Pace::new(rate)),
        }
        self.masters.set_bound(settings.max_rate_ppm);
        self.holds = Holds::of(&settings);
        self.settings = settings;
        Ok(())
    }

    /// Whether a client may stay under the list in force; if not it is forgotten.
    pub(super) fn still_allowed(&mut self, row: u32) -> bool {
        let Some((identity, mac, address)) = self.clients.who(row) else {
            return false;
        };
        if !self.allowed(identity, mac, address) {
            self.forget(row, Reason::NotAllowed);
            return false;
        }
        if let Some(client) = self.clients.get_mut(row) {
            client.listed = self.lists;
        }
        true
    }

    /// Forgets a client; what it left here is dropped for this reason.
    pub(super) fn forget(&mut self, row: u32, reason: Reason) {
        if let Some((_, client)) = self.clients.remove(row)
            && let Some(frame) = client.held
        {
            self.discard(frame, reason);
        }
    }
}
