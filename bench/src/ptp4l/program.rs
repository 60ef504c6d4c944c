//! A program whose lines can be waited for.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::output::StateChange;
use crate::net::{Namespace, Process};

/// How long a ptp4l may take to find its state.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A running program: everything it prints, on either stream, is kept.
#[derive(Debug)]
pub struct Program {
    process: Process,
    name: String,
    output: Arc<Output>,
}

#[derive(Debug, Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Program {
    /// Starts `command` in `namespace`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(namespace: &Namespace, command: &mut Command) -> Result<Self> {
        let name = Path::new(command.get_program())
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = namespace.spawn(command)?;
        let output = Arc::new(Output::default());
        if let Some(stream) = process.stdout.take() {
            collect(stream, Arc::clone(&output));
        }
        if let Some(stream) = process.stderr.take() {
            collect(stream, Arc::clone(&output));
        }
        Ok(Self {
            process,
            name,
            output,
        })
    }

    /// Lines printed so far.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.output
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// The lines from number `from` on.
    #[must_use]
    pub fn lines_from(&self, from: usize) -> Vec<String> {
        let lines = self
            .output
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lines.get(from..).unwrap_or_default().to_vec()
    }

    /// Waits for the first line, from the program's start on, of which `pick` makes something.
    ///
    /// # Errors
    /// When none comes within `patience` or the program ends; `what` says what was waited for.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        let mut seen = 0;
        loop {
            // Before the lines, so that none of a program that ended is missed.
            let ended = self.process.try_wait()?;
            let lines = self
                .output
                .lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = lines.iter().skip(seen).find_map(|line| pick(line)) {
                return Ok(found);
            }
            seen = lines.len();
            let tail = || lines[lines.len().saturating_sub(12)..].join("\n  ");
            if let Some(status) = ended {
                bail!(
                    "{} ended ({status}) before {what}:\n  {}",
                    self.name,
                    tail()
                );
            }
            if Instant::now() >= deadline {
                bail!(
                    "{}: no {what} within {patience:?}:\n  {}",
                    self.name,
                    tail()
                );
            }
            // Short, because the end of a program wakes nobody.
            let nap = Duration::from_millis(50);
            drop(self.output.grown.wait_timeout(lines, nap));
        }
    }

    /// Waits for a line with these words in it, from the program's start on.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_for_words(&mut self, words: &str, patience: Duration) -> Result<()> {
        self.wait_for(&format!("{words:?}"), patience, |line| {
            line.contains(words).then_some(())
        })
    }

    /// Waits until a ptp4l is a client that follows its grandmaster.
    ///
    /// # Errors
    /// As [`wait_for`](Self::wait_for).
    pub fn wait_until_slave(&mut self) -> Result<()> {
        self.wait_for("state SLAVE", PATIENCE, |line| {
            (StateChange::parse(line)?.to == "SLAVE").then_some(())
        })
    }
}

impl Deref for Program {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Program {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn collect(stream: impl Read + Send + 'static, output: Arc<Output>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { break };
            output
                .lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
            output.grown.notify_all();
        }
    });
}

/// A folder under the system's temporary one; removed on drop.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes a folder of a name that is not taken.
    ///
    /// # Errors
    /// When the temporary folder cannot be written.
    pub fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("ptpproxy-{}-{number}", std::process::id());
            let path = env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Left by a process of this number that was killed.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot make {}", path.display()));
                }
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
