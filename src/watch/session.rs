//! Asks a gateway to be shown what passes, and takes its lines until the end.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};

use super::capture::Capture;
use super::lines::{Lines, Next};
use super::tally::Tally;
use super::text;
use crate::control::client::Gateway;
use crate::control::seen::{Seen, Watching};
use crate::core::ClientMatch;
use crate::options::WatchOptions;

/// Shows what passes until it is told to stop, so many lines came, so long a time has passed, or the gateway ends.
///
/// # Errors
/// One line on why it cannot, or that the gateway has gone.
pub fn run(options: &WatchOptions) -> Result<ExitCode> {
    let gateway = Gateway::find(options.socket.as_deref())?;
    let stream = gateway.open(&request(options))?;
    let mut lines = Lines::new(stream, options.time).context("watch")?;
    let first = match lines.next().context("watch")? {
        Next::Line(line) => line,
        Next::Stop => return Ok(ExitCode::SUCCESS),
        Next::Closed => String::new(),
    };
    gateway.accepted(&first)?;
    let watching: Watching =
        serde_json::from_str(&first).context("watch: an answer of another version")?;
    let capture = options.capture.as_ref();
    let capture = capture.map(|to| Capture::create(&to.path, to.limit, &watching));
    let session = Session {
        options,
        lines,
        capture: capture.transpose()?,
        tally: Tally::default(),
        out: io::stdout().lock(),
    };
    let (end, summary) = session.run(&first)?;
    // Nobody may be reading: that is no reason to panic.
    let _ = write!(io::stderr(), "{summary}");
    match end {
        End::Gone => Err(anyhow!("the gateway has ended, or closed the connection")),
        End::Asked | End::Full | End::Unread => Ok(ExitCode::SUCCESS),
    }
}

/// The line that asks.
fn request(options: &WatchOptions) -> String {
    let mut request = "watch".to_owned();
    match options.client {
        Some(ClientMatch::Clock(clock)) => request += &format!(" clock={clock}"),
        Some(ClientMatch::Port(port)) => request += &format!(" port={port}"),
        Some(ClientMatch::Mac(mac)) => request += &format!(" address={mac}"),
        Some(ClientMatch::Ip(ip)) => request += &format!(" address={ip}"),
        None => {}
    }
    if options.capture.is_some() {
        request += " only=drops frames=yes";
    }
    request
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// By a signal, a count or a time.
    Asked,
    /// The capture is as large as it may be.
    Full,
    /// Nobody reads what is printed.
    Unread,
    /// The gateway closed.
    Gone,
}

struct Session<'a, W> {
    options: &'a WatchOptions,
    lines: Lines,
    capture: Option<Capture>,
    tally: Tally,
    out: W,
}

impl<W: Write> Session<'_, W> {
    /// Takes lines to the end. Why it ended, and the lines to say at the end.
    fn run(mut self, first: &str) -> Result<(End, String)> {
        let head = if self.options.json {
            format!("{first}\n")
        } else {
            text::head()
        };
        let end = match self.print(&head)? {
            true => self.take_lines()?,
            false => End::Unread,
        };
        let mut summary = String::new();
        if end == End::Full {
            let limit = self.options.capture.as_ref().map_or(0, |to| to.limit);
            let name = self.capture.as_ref().map_or("", Capture::name);
            summary += &format!(
                "# {name}: the next frame would pass its limit of {} MB (--max-size): ended\n",
                limit / 1_000_000
            );
        }
        let lost = self.tally.lost();
        summary += &format!("# {} lines, {lost}\n", self.tally.steps);
        if let Some(capture) = self.capture {
            summary += &format!("# {}\n", capture.finish(&lost)?);
        }
        Ok((end, summary))
    }

    fn take_lines(&mut self) -> Result<End> {
        while self
            .options
            .count
            .is_none_or(|most| self.tally.steps < most)
        {
            if !self.lines.has_line()
                && let Some(capture) = &mut self.capture
            {
                capture.flush()?;
            }
            let line = match self.lines.next().context("watch")? {
                Next::Line(line) => line,
                Next::Stop => return Ok(End::Asked),
                Next::Closed => return Ok(End::Gone),
            };
            let seen: Seen =
                serde_json::from_str(&line).context("watch: an answer of another version")?;
            if let Some(capture) = &mut self.capture
                && !capture.add(&seen)?
            {
                return Ok(End::Full);
            }
            self.tally.count(&seen);
            let text = match self.options.json {
                true => line + "\n",
                false => text::line(&seen),
            };
            if !self.print(&text)? {
                return Ok(End::Unread);
            }
        }
        Ok(End::Asked)
    }

    /// Prints at once; false if nobody reads any more.
    fn print(&mut self, text: &str) -> Result<bool> {
        let printed = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        match printed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error).context("printing"),
        }
    }
}
