//! Signed messages: verified before they have any effect, held and corrected like all others, signed again.
//!
//! [`exchanges`]: what leaves is right and signed; [`refused`]: what nobody with the key has made; [`belongs`]: who may go on
//! what another has begun; [`mutable`]: without keys.

mod belongs;
mod exchanges;
mod mutable;
mod refused;

use std::path::Path;

use ptpproxy::auth::SecurityAssociations;
use ptpproxy::core::{RequireAuthentication, Settings};

use crate::frames::Message;
use crate::gateway::{Gateway, unheld};
use crate::signatures::Key;

const KEY: Key = Key::of(3, "one-secret");
const OTHER: Key = Key::of(4, "another-secret");

fn keys(keys: &[Key]) -> SecurityAssociations {
    let text = Key::files(keys);
    SecurityAssociations::parse(Path::new("sa.cfg"), text.as_bytes()).expect("a right file")
}

fn required() -> Settings {
    Settings {
        require_authentication: RequireAuthentication::Both,
        ..unheld()
    }
}

fn with_keys(settings: Settings, of: &[Key]) -> Gateway {
    let mut gateway = Gateway::new(settings);
    let now = gateway.instant();
    gateway.core.set_keys(keys(of), now);
    gateway
}

/// What a message becomes when this residence goes into it.
fn corrected(message: &Message, residence_ns: u64) -> Message {
    let residence = i64::try_from(residence_ns).expect("small") << 16;
    Message {
        correction: message.correction + residence,
        ..message.clone()
    }
}
