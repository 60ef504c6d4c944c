//! The lab's second life: the same program, started again inside a namespace to play a part.

use std::io::{BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result, bail};
use serde::{Serialize, de::DeserializeOwned};

use crate::lab::stations::assignment::{
    self, Assignment, ClientsDone, Cue, FloodDone, MasterDone, News, Start,
};
use crate::lab::stations::{clients, flood, grandmaster};
use crate::net::{Namespace, Process};

/// First argument of a program that plays the grandmaster.
const GRANDMASTER: &str = "play-grandmaster";
/// First argument of a program that plays the clients.
const CLIENTS: &str = "play-clients";

/// First argument of a program that sends a flood.
const SOURCE: &str = "play-source";
/// First argument of a program that counts what a flood delivers.
const SINK: &str = "play-sink";

/// Plays the part that the program's first argument names; `None` if it names none.
#[must_use]
pub fn play(part: &str) -> Option<Result<()>> {
    match part {
        GRANDMASTER => Some(perform(grandmaster::run)),
        CLIENTS => Some(perform(clients::run)),
        SOURCE => Some(perform(flood::source)),
        SINK => Some(perform(flood::sink)),
        _ => None,
    }
}

fn perform<T: Serialize>(run: fn(Assignment, &mut Cue) -> Result<T>) -> Result<()> {
    // The default slack of 50 us would lengthen each sweep by half. Without it, it is only less prompt.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");
    let (mut cue, given) = Cue::open()?;
    let seen = run(given, &mut cue)?;
    cue.done(seen)
}

/// What the lab hears from its generators.
#[derive(Debug)]
pub enum Heard {
    /// One of them is ready.
    Ready,
    /// Requests sent and answered so far.
    Progress(u64, u64),
    /// The grandmaster is through.
    Master(Box<MasterDone>),
    /// The clients are through.
    Clients(Box<ClientsDone>),
    /// An end of a flood is through: the source (true) or the sink.
    Flood(bool, FloodDone),
    /// One of them stopped for this reason.
    Failed(anyhow::Error),
}

/// A generator process as the lab holds it.
#[derive(Debug)]
pub struct Generator {
    process: Process,
}

impl Generator {
    /// Starts the grandmaster in its namespace; what it says goes to `news`.
    pub fn grandmaster(home: &Namespace, given: &Assignment, news: Sender<Heard>) -> Result<Self> {
        Self::start(home, GRANDMASTER, given, news, Heard::Master)
    }

    /// Starts the clients in their namespace; what they say goes to `news`.
    pub fn clients(home: &Namespace, given: &Assignment, news: Sender<Heard>) -> Result<Self> {
        Self::start(home, CLIENTS, given, news, Heard::Clients)
    }

    /// Starts one end of a flood in its namespace.
    pub fn flood(
        home: &Namespace,
        source: bool,
        given: &Assignment,
        news: Sender<Heard>,
    ) -> Result<Self> {
        if source {
            Self::start(home, SOURCE, given, news, |done| Heard::Flood(true, *done))
        } else {
            Self::start(home, SINK, given, news, |done| Heard::Flood(false, *done))
        }
    }

    fn start<T: DeserializeOwned + 'static>(
        home: &Namespace,
        part: &'static str,
        given: &Assignment,
        news: Sender<Heard>,
        wrap: fn(Box<T>) -> Heard,
    ) -> Result<Self> {
        let mut command = Command::new(Path::new("/proc/self/exe").canonicalize()?);
        command
            .arg(part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = home.spawn(&mut command)?;
        let output = process.stdout.take().context("no output")?;
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let heard = match assignment::hear::<News<T>>(&mut output) {
                    Ok(Some(News::Ready)) => Heard::Ready,
                    Ok(Some(News::Progress(sent, answered))) => Heard::Progress(sent, answered),
                    Ok(Some(News::Done(done))) => wrap(Box::new(done)),
                    Ok(None) => Heard::Failed(anyhow::anyhow!("{part} ended")),
                    Err(error) => Heard::Failed(error.context(part)),
                };
                let last = !matches!(heard, Heard::Ready | Heard::Progress(..));
                if news.send(heard).is_err() || last {
                    return;
                }
            }
        });
        let mut generator = Self { process };
        generator.say(given)?;
        Ok(generator)
    }

    fn say<T: Serialize>(&mut self, message: &T) -> Result<()> {
        let Some(input) = self.process.stdin.as_mut() else {
            bail!("no input");
        };
        let input: &mut dyn Write = input;
        assignment::say(input, message)
    }

    /// Tells it when to start.
    pub fn begin(&mut self, start: Start) -> Result<()> {
        self.say(&start)
    }

    /// Its process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}
