//! The thread that reads the configuration again, and the handle by which it is asked to.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use log::LevelFilter;

use super::order::{NewSettings, Order, Orders, TakenOver, ToLoop, way};
use super::report::ReloadReport;
use crate::auth::SecurityAssociations;
use crate::cli::{self, Action};
use crate::options::{Change, RunOptions, Source, Value, Values};

/// Has the configuration read again: a handle for any thread, to be cloned at will.
#[derive(Clone, Debug)]
pub struct Reloader {
    requests: Sender<Sender<ReloadReport>>,
    wake: Arc<UnixStream>,
}

impl Reloader {
    /// Reads the configuration again, and returns when what can change has changed.
    ///
    /// It takes as long as reading the file does; the loop goes on meanwhile. Not to be called by the loop.
    #[must_use]
    pub fn reload(&self) -> ReloadReport {
        let (reply, report) = mpsc::channel();
        let asked = self.requests.send(reply).is_ok() && (&*self.wake).write_all(&[1]).is_ok();
        let report = asked.then(|| report.recv().ok()).flatten();
        report.unwrap_or_else(|| ReloadReport::failed("the gateway is stopping".into()))
    }
}

/// The thread before it is started.
pub(in crate::run) struct Unstarted {
    thread: ReloadThread,
    woken: UnixStream,
    reloader: Reloader,
}

/// Makes the way to the loop and back. The thread will read whenever a byte comes by the second stream; the
/// first writes them.
pub(in crate::run) fn prepare(
    source: &Source,
    (wake, woken): (UnixStream, UnixStream),
) -> io::Result<(Unstarted, Orders)> {
    let (requests, asked) = mpsc::channel();
    let (to_loop, orders) = way()?;
    let thread = ReloadThread {
        source: source.clone(),
        running: source.values.clone(),
        asked,
        to_loop,
    };
    let reloader = Reloader {
        requests,
        wake: Arc::new(wake),
    };
    let unstarted = Unstarted {
        thread,
        woken,
        reloader,
    };
    Ok((unstarted, orders))
}

impl Unstarted {
    /// The way to the loop.
    pub(in crate::run) fn to_loop(&self) -> ToLoop {
        self.thread.to_loop.clone()
    }

    /// Starts the thread. What it opens is opened then: it needs to read files, and no capability.
    pub(in crate::run) fn start(self) -> io::Result<Reloader> {
        let Self {
            thread,
            woken,
            reloader,
        } = self;
        thread::Builder::new()
            .name("reload".into())
            .spawn(move || thread.serve(&woken))?;
        Ok(reloader)
    }
}

/// The thread that reads.
struct ReloadThread {
    source: Source,
    /// The values in force.
    running: Values,
    asked: Receiver<Sender<ReloadReport>>,
    to_loop: ToLoop,
}

impl ReloadThread {
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
            let waiting: Vec<Sender<ReloadReport>> = self.asked.try_iter().collect();
            let report = self.reload();
            for reply in waiting {
                let _ = reply.send(report.clone());
            }
        }
    }

    fn reload(&mut self) -> ReloadReport {
        let (report, level) = self.read();
        // The line about the level must be seen whichever of the two lets it through.
        let level = level.unwrap_or_else(log::max_level);
        log::set_max_level(log::max_level().max(level));
        report.log(self.source.file.as_deref());
        log::set_max_level(level);
        report
    }

    fn read(&mut self) -> (ReloadReport, Option<LevelFilter>) {
        let has_keys = |value: &Value| value.key == "sa-file" && !value.items.is_empty();
        if self.source.file.is_none() && !self.running.iter().any(has_keys) {
            let text = "nothing to reload: the gateway was started without --config FILE and --sa-file FILE";
            return (ReloadReport::failed(text.into()), None);
        }
        let (options, level) = match cli::parse(self.source.arguments.iter().cloned()) {
            Ok((Action::Run(options), log)) => (options, log.level),
            Ok(_) => {
                return (
                    ReloadReport::failed("not a gateway's command line".into()),
                    None,
                );
            }
            Err(stop) => {
                let report = ReloadReport {
                    errors: stop.to_lines(),
                    ..ReloadReport::default()
                };
                return (report, None);
            }
        };
        let changes = self.running.changes(&options.source.values);
        let (applied, needs_restart): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| change.live);
        let mut report = ReloadReport {
            applied,
            needs_restart,
            ..ReloadReport::default()
        };
        // Of the file that was named at the start: another one needs a restart.
        let moved = report
            .needs_restart
            .iter()
            .any(|change| change.key == "sa-file");
        let keys = match options.sa_file.as_deref().filter(|_| !moved) {
            Some(path) => match SecurityAssociations::load(path) {
                Ok(keys) => Some(keys),
                Err(problems) => {
                    let report = ReloadReport {
                        errors: problems.to_lines(),
                        ..ReloadReport::default()
                    };
                    return (report, None);
                }
            },
            None => None,
        };
        if report.applied.is_empty() && keys.is_none() {
            return (report, None);
        }
        match self.hand_over(&options, keys) {
            Ok(TakenOver { errors, keys }) => {
                report.errors = errors;
                report.keys = keys.in_words();
            }
            Err(error) => return (ReloadReport::failed(error), None),
        }
        self.running.take_live(&options.source.values);
        (report, Some(level))
    }

    /// Gives the loop its order and waits until it has taken over.
    fn hand_over(
        &mut self,
        options: &RunOptions,
        keys: Option<SecurityAssociations>,
    ) -> Result<TakenOver, String> {
        let (reply, answer) = mpsc::channel();
        let order = NewSettings {
            settings: options.settings.clone(),
            keys,
            sweep: options.rings.sweep,
            spin: options.rings.spin,
            summary: options.summary,
            reply,
        };
        let sent = self.to_loop.give(Order::Settings(Box::new(order)));
        let answer = sent.then(|| answer.recv().ok()).flatten();
        answer.ok_or_else(|| "the gateway is stopping".into())
    }
}

#[cfg(test)]
mod tests;
