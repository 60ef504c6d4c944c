//! What follows from the settings for each request, worked out once.

use std::ops::Deref;
use std::time::Duration;

use super::Settings;

/// What the settings say of holds, worked out once: each request needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holds {
    /// The longest random hold, in nanoseconds.
    pub(crate) jitter_ns: u64,
    /// The longest hold that is planned, in nanoseconds: it leaves time for a late timer and for the batch.
    pub(crate) planned_ns: u64,
    /// An event message that departs when it is older than this may be older than `max_hold` by the time
    /// that its batch has left; in nanoseconds.
    pub(crate) stale_after_ns: u64,
    /// `max_hold`, in nanoseconds.
    pub(crate) max_hold_ns: u64,
    /// Where few requests wait, they depart at one moment in each of these; in nanoseconds, zero is off.
    pub(crate) shared_ns: u64,
}

/// Settings that are in force, and what follows from them.
pub(crate) struct InForce {
    settings: Settings,
    holds: Holds,
}

impl InForce {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            holds: Holds::of(&settings),
            settings,
        }
    }

    pub(crate) const fn holds(&self) -> &Holds {
        &self.holds
    }
}

impl Deref for InForce {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Holds {
    fn of(settings: &Settings) -> Self {
        let max_hold = settings.max_hold;
        let margin = Duration::from_millis(1).min(max_hold / 10) + 2 * settings.grid;
        let planned = max_hold.saturating_sub(margin);
        let stale_after = max_hold - Duration::from_micros(250).min(max_hold / 40);
        Self {
            jitter_ns: nanos(settings.jitter.min(planned)),
            planned_ns: nanos(planned),
            stale_after_ns: nanos(stale_after),
            max_hold_ns: nanos(max_hold),
            shared_ns: nanos(settings.shared_grid),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
