//! All that a forwarder knows, for the process that takes its place.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::core::policy::Forwarder;
use crate::core::settings::Settings;
use crate::core::state::{Reader as StateReader, StateError, Writer as StateWriter};
use crate::core::table::Secret;
use crate::time::Instant;

/// What sizes a forwarder's parts.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Sizes {
    max_clients: u32,
    hold_frames: u32,
}

impl Sizes {
    const fn of(settings: &Settings) -> Self {
        Self {
            max_clients: settings.max_clients,
            hold_frames: settings.hold_frames,
        }
    }
}

/// What was drawn at the start, and what is drawn next.
#[derive(Serialize, Deserialize)]
struct Drawn {
    seed: u64,
    secret: (u64, u64),
    next: u64,
}

impl Forwarder {
    /// All that it knows, between two turns: clients with their open requests, masters with their rates, what waits and
    /// until when, what is in flight, how clocks and timestamps lie, counts and measures. One that reads this decides on
    /// what comes next as this one would.
    ///
    /// Not among it: keys, routes and addresses of this machine, which are told anew; who has which address on either
    /// side, which is learnt anew; and what waits for a next hop.
    ///
    /// It may go on all the same: it then draws what the other one would.
    ///
    /// # Errors
    /// With keys: what waits is signed with those that it came with, and nobody else has them.
    pub fn save(&mut self, out: &mut StateWriter) -> Result<(), StateError> {
        if self.signatures.has_keys() {
            return Err(StateError::Unable("--sa-file"));
        }
        // The other one may have another list.
        self.clients.list_changed();
        let next = self.rng.random();
        self.rng = SmallRng::seed_from_u64(next);
        out.put(&Sizes::of(&self.settings));
        let secret = (self.secret.0, self.secret.1);
        let seed = self.settings.seed;
        out.put(&Drawn { seed, secret, next });
        out.put(&self.present);
        self.clients.save(out);
        self.masters.save(out);
        self.syncs.save(out);
        self.hold.save(out);
        self.flights.save(out);
        self.paths.save(out);
        self.unicast.simple().save(out);
        self.management.save(out);
        self.account.save(out);
        Ok(())
    }

    /// Goes on where another one was, by what that one [saved](Self::save). Before the first turn, and on the same
    /// machine: times are by its clock. Settings are this one's, but for the seed.
    ///
    /// # Errors
    /// Why it does not. Some of it may have been read by then: this forwarder is not to be used any more.
    pub fn restore(&mut self, from: &mut StateReader<'_>, now: Instant) -> Result<(), StateError> {
        let (then, own): (Sizes, _) = (from.take()?, Sizes::of(&self.settings));
        for (same, what) in [
            (then.max_clients == own.max_clients, "--max-clients"),
            (then.hold_frames == own.hold_frames, "--hold-frames"),
        ] {
            if !same {
                return Err(StateError::Sized(what));
            }
        }
        if self.signatures.has_keys() {
            return Err(StateError::Unable("--sa-file"));
        }
        let drawn: Drawn = from.take()?;
        let present: Instant = from.take()?;
        if present > now {
            return Err(StateError::Nonsense("it is of a later moment"));
        }
        let settings = Settings {
            seed: drawn.seed,
            ..Settings::clone(&self.settings)
        };
        let secret = Secret(drawn.secret.0, drawn.secret.1);
        *self = Self::with(settings, secret, SmallRng::seed_from_u64(drawn.next));
        self.present = present;
        self.clients.restore(from)?;
        self.masters.restore(from)?;
        self.syncs.restore(from)?;
        self.hold.restore(from)?;
        self.flights.restore(from)?;
        self.paths.restore(from)?;
        self.unicast.simple_mut().restore(from)?;
        self.management.restore(from)?;
        self.account.restore(from)
    }
}
