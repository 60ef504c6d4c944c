//! Reading the configuration again while it runs.
//!
//! A disk may take its time, and a list of clients may be long: a thread of its own reads and parses, and
//! the loop only takes over what is ready. A bad file changes nothing.

mod outcome;
mod take_over;
#[cfg(test)]
mod tests;

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use log::LevelFilter;

use crate::cli::{self, Action, RunOptions, Source, SweepIntervals};
use crate::config::{Change, Values};
use crate::core::Settings;

pub use outcome::Outcome;
pub(super) use take_over::take_over;

/// Keys that change while it runs. All others are read at the start only.
pub(super) const LIVE: [&str; 20] = [
    "jitter",
    "jitter-share",
    "max-hold",
    "domain",
    "grandmaster",
    "client",
    "management",
    "authenticated",
    "max-rate",
    "client-rate",
    "client-timeout",
    "one-step",
    "tx-timestamp-timeout",
    "estimate",
    "syntonize",
    "max-rate-ppm",
    "sweep",
    "spin",
    "summary",
    "log",
];

/// Has the configuration read again: a handle for any thread, to be cloned at will.
#[derive(Clone, Debug)]
pub struct Reloader {
    requests: Sender<Sender<Outcome>>,
    wake: Arc<UnixStream>,
}

impl Reloader {
    /// Reads the configuration again, and returns when what can change has changed.
    ///
    /// It takes as long as reading the file does; the loop goes on meanwhile. Not to be called by the loop.
    #[must_use]
    pub fn reload(&self) -> Outcome {
        let (reply, outcome) = mpsc::channel();
        let asked = self.requests.send(reply).is_ok() && (&*self.wake).write_all(&[1]).is_ok();
        let outcome = asked.then(|| outcome.recv().ok()).flatten();
        outcome.unwrap_or_else(|| Outcome::failed("the gateway is stopping".into()))
    }
}

/// What the loop is to go on with.
pub(super) struct Order {
    pub(super) settings: Settings,
    pub(super) sweep: SweepIntervals,
    pub(super) spin: bool,
    pub(super) summary: Option<Duration>,
    /// Takes what went wrong: everything or, of what could be done, a part.
    pub(super) reply: Sender<Result<Vec<String>, String>>,
}

/// Where the loop finds its orders; readable when there is one.
pub(super) struct Orders {
    orders: Receiver<Order>,
    wake: UnixStream,
}

impl Orders {
    /// The next one.
    pub(super) fn next(&mut self) -> Option<Order> {
        // As many octets as orders, or more: nothing is left behind.
        while matches!(self.wake.read(&mut [0; 16]), Ok(octets) if octets > 0) {}
        self.orders.try_recv().ok()
    }
}

impl AsRawFd for Orders {
    fn as_raw_fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }
}

/// Starts the thread that reads whenever an octet comes by the second stream; the first writes them.
///
/// What it opens is opened then: the thread needs to read files, and no capability.
pub(super) fn start(
    source: &Source,
    (wake, woken): (UnixStream, UnixStream),
) -> io::Result<(Reloader, Orders)> {
    let (loop_wake, orders_wake) = UnixStream::pair()?;
    orders_wake.set_nonblocking(true)?;
    let (requests, asked) = mpsc::channel();
    let (order, orders) = mpsc::channel();
    let reader = Reader {
        source: source.clone(),
        running: source.values.clone(),
        asked,
        order,
        loop_wake,
    };
    thread::Builder::new()
        .name("reload".into())
        .spawn(move || reader.serve(&woken))?;
    let reloader = Reloader {
        requests,
        wake: Arc::new(wake),
    };
    let orders = Orders {
        orders,
        wake: orders_wake,
    };
    Ok((reloader, orders))
}

/// The thread that reads.
struct Reader {
    source: Source,
    /// The values in force.
    running: Values,
    asked: Receiver<Sender<Outcome>>,
    order: Sender<Order>,
    loop_wake: UnixStream,
}

impl Reader {
    /// Reads the configuration each time it is asked to, until nobody can ask any more. What comes
    /// while it reads is answered by one more reading.
    fn serve(mut self, mut woken: &UnixStream) {
        loop {
            match woken.read(&mut [0; 64]) {
                Ok(0) => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            let waiting: Vec<Sender<Outcome>> = self.asked.try_iter().collect();
            let outcome = self.reload();
            for reply in waiting {
                let _ = reply.send(outcome.clone());
            }
        }
    }

    fn reload(&mut self) -> Outcome {
        let (outcome, level) = self.read();
        // The line about the level must be seen whichever of the two lets it through.
        let level = level.unwrap_or_else(log::max_level);
        log::set_max_level(log::max_level().max(level));
        outcome.log(self.source.file.as_deref());
        log::set_max_level(level);
        outcome
    }

    fn read(&mut self) -> (Outcome, Option<LevelFilter>) {
        if self.source.file.is_none() {
            let text = "nothing to read again: it was started without --config FILE";
            return (Outcome::failed(text.into()), None);
        }
        let (options, level) = match cli::parse(self.source.arguments.iter().cloned()) {
            Ok((Action::Run(options), level)) => (options, level),
            Ok(_) => return (Outcome::failed("not a gateway's command line".into()), None),
            Err(stop) => {
                let outcome = Outcome {
                    errors: stop.to_lines(),
                    ..Outcome::default()
                };
                return (outcome, None);
            }
        };
        let changes = self.running.changes(&options.source.values);
        let live = |change: &Change| LIVE.contains(&change.key.as_str());
        let (applied, needs_restart): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(live);
        let mut outcome = Outcome {
            applied,
            needs_restart,
            errors: Vec::new(),
        };
        if outcome.applied.is_empty() {
            return (outcome, None);
        }
        match self.hand_over(&options) {
            Ok(errors) => outcome.errors = errors,
            Err(error) => return (Outcome::failed(error), None),
        }
        self.running
            .take(&options.source.values, |key| LIVE.contains(&key));
        (outcome, Some(level))
    }

    /// Gives the loop its order and waits until it has taken over.
    fn hand_over(&mut self, options: &RunOptions) -> Result<Vec<String>, String> {
        let (reply, answer) = mpsc::channel();
        let order = Order {
            settings: options.settings.clone(),
            sweep: options.rings.sweep,
            spin: options.rings.spin,
            summary: options.summary,
            reply,
        };
        let sent = self.order.send(order).is_ok() && self.loop_wake.write_all(&[1]).is_ok();
        let answer = sent.then(|| answer.recv().ok()).flatten();
        answer.unwrap_or_else(|| Err("the gateway is stopping".into()))
    }
}

impl Drop for Orders {
    /// Who waits for the loop need not wait any more.
    fn drop(&mut self) {
        let _ = self.wake.shutdown(Shutdown::Both);
    }
}
