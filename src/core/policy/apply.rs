//! Other settings while it runs: no frame that waits is lost by it, and no client.

use crate::core::policy::Forwarder;
use crate::core::settings::{InForce, Settings, ValidSettings};

impl Forwarder {
    /// Goes on with other settings. What is sized or drawn at the start keeps its value: `max_clients`, `hold_frames`,
    /// `seed`, `neighbours` and `routed`.
    ///
    /// A message that waits keeps its departure time and the `max_hold` that it came under. What was sent keeps the
    /// deadline of its TX timestamp. A client that the new list leaves out is forgotten with its next message, or
    /// within seconds.
    pub fn apply(&mut self, settings: ValidSettings) {
        let before = &self.settings;
        let settings = Settings {
            max_clients: before.max_clients,
            hold_frames: before.hold_frames,
            seed: before.seed,
            neighbours: before.neighbours,
            routed: before.routed,
            ..settings.into()
        };
        if settings.clients != before.clients {
            self.clients.list_changed();
        }
        if settings.max_rate != before.max_rate {
            self.hold.set_rate(settings.max_rate);
        }
        if let Some(neighbours) = self.unicast.neighbours_mut() {
            neighbours.list(&settings.unicast_masters);
        }
        self.masters.set_bound(settings.max_rate_ppm);
        self.flights.apply(&settings);
        self.settings = InForce::new(settings);
    }
}
