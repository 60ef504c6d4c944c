//! A capture through the same engine and core, on a virtual clock: what would become of each frame.
//!
//! * `input` is a file or a pipe, and the wish to stop; `capture` reads packets out of it;
//! * `sources` joins the captures of both sides in `order`; `timeline` sets their time against the virtual clock;
//! * `session` lets each packet arrive at `port`s that keep what is sent, and says what became of it;
//! * `waiting` knows the frames that wait; `lines` prints, `written` writes what was forwarded.

mod capture;
mod input;
mod lines;
mod order;
mod port;
mod session;
mod sources;
mod timeline;
mod waiting;
mod written;

use std::io::{self, ErrorKind, Write};

use anyhow::{Context as _, anyhow};

use crate::auth::SecurityAssociations;
use crate::options::ReplayOptions;
use input::Stop;
use lines::Lines;
use session::Replay;
use sources::Sources;
use written::Written;

/// Replays what the options name: one line for each frame, another when a frame that had to wait departs or is
/// dropped, then the totals. Ends quietly when nobody reads `out` any more. SIGINT and SIGTERM end it as the
/// end of the capture does.
///
/// # Errors
/// A file cannot be read or written; names the file and the packet. What could be read was replayed.
pub fn run(options: &ReplayOptions, out: &mut impl Write) -> anyhow::Result<()> {
    let keys = options.sa_file.as_deref().map(SecurityAssociations::load);
    let keys = keys.transpose()?;
    let stop = Stop::on_signals().context("cannot watch for signals")?;
    let sources = match Sources::open(options, &stop) {
        Ok(sources) => sources,
        // Nothing came before it was to stop.
        Err(_) if stop.asked() => return Ok(()),
        Err(error) => return Err(error),
    };
    let written = match &options.write {
        Some(path) => Some(Written::create(path, &options.input)?),
        None => None,
    };
    let lines = Lines::new(out, sources.live());
    match Replay::new(options, keys, written, lines).run(sources, &stop) {
        // Only writing to `out` fails with a bare error of this type.
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Ok(error) => Err(anyhow!("cannot write the verdicts: {error}")),
            Err(error) => Err(error),
        },
        Ok(()) => Ok(()),
    }
}
