//! With which settings nothing is handed over: what they need beside packet sockets does not pass yet.

use crate::options::{RoutedChoice, RunOptions};
use crate::ring::{StampSource, Stamping, is_pattern};

/// What keeps a gateway from handing over, or from going on where another one was.
pub(in crate::run) fn obstacle(options: &RunOptions, stamping: &Stamping) -> Option<&'static str> {
    let hardware = |source: &StampSource| matches!(source, StampSource::Hardware(_));
    if options.downs.len() > 1 || options.downs.iter().any(|down| is_pattern(down)) {
        Some("several --down")
    } else if options.routed != RoutedChoice::Off {
        Some("--routed")
    } else if options.shared.is_some() {
        Some("--source gateway")
    } else if options.sa_file.is_some() {
        Some("--sa-file")
    } else if stamping.source.iter().any(|(_, source)| hardware(source)) {
        Some("hardware timestamps (--timestamping software)")
    } else {
        None
    }
}
