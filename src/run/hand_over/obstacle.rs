//! With which settings nothing is handed over: what they need beside packet sockets does not pass yet.

use crate::options::{RoutedChoice, RunOptions};
use crate::ring::{StampSource, Stamping};

/// One message carries the descriptors of as many, and some to spare.
const MOST_DOWNS: usize = 60;

/// What keeps a gateway with so many ports downstream from handing over, or from going on where another one was.
pub(in crate::run) fn obstacle(
    options: &RunOptions,
    stamping: &Stamping,
    downs: usize,
) -> Option<&'static str> {
    let hardware = |source: &StampSource| matches!(source, StampSource::Hardware(_));
    if downs > MOST_DOWNS {
        Some("more than 60 --down")
    } else if options.routed != RoutedChoice::Off {
        Some("--routed")
    } else if options.sa_file.is_some() {
        Some("--sa-file")
    } else if stamping.source.iter().any(|(_, source)| hardware(source)) {
        Some("hardware timestamps (--timestamping software)")
    } else {
        None
    }
}
