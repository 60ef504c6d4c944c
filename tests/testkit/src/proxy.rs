//! The program under test: started, watched, stopped, and its totals read.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ptpproxy_lab::net::{Namespace, Process};

/// A gateway's interface toward the grandmaster.
pub const UP: &str = "up0";
/// A gateway's interface toward the clients.
pub const DOWN: &str = "down0";

/// How long anything that happens at once may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A running `ptpproxy --up up0 --down down0`.
pub struct Proxy {
    process: Process,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<String>>,
}

/// What the program left behind.
pub struct Ended {
    /// Exit status.
    pub status: ExitStatus,
    /// Its whole log.
    pub log: Vec<String>,
    /// Its totals.
    pub totals: Totals,
    /// From the signal to the end.
    pub took: Duration,
}

/// What was printed at the end.
pub struct Totals(pub String);

impl Proxy {
    /// Starts it and waits until it forwards.
    pub fn start(gateway: &Namespace, arguments: &[&str]) -> Self {
        let proxy = Self::launch(gateway, &mut command(arguments));
        proxy.wait_for("forwarding:");
        proxy
    }

    /// Starts a command that is the program, or becomes it.
    pub fn launch(gateway: &Namespace, command: &mut Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = gateway.spawn(command).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let errors = process.stderr.take().unwrap();
        let mut output = process.stdout.take().unwrap();
        let readers = vec![
            thread::spawn(move || {
                let mut text = String::new();
                let _ = output.read_to_string(&mut text);
                text
            }),
            thread::spawn(move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok) {
                    kept.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
                String::new()
            }),
        ];
        Self {
            process,
            log,
            readers,
        }
    }

    /// What it has logged.
    pub fn log(&self) -> Vec<String> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many log lines have this in them.
    pub fn logged(&self, what: &str) -> usize {
        self.log().iter().filter(|line| line.contains(what)).count()
    }

    /// Waits until it has logged this.
    pub fn wait_for(&self, what: &str) {
        self.wait_for_times(what, 1);
    }

    /// Waits until it has logged this so often.
    pub fn wait_for_times(&self, what: &str, times: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.logged(what) < times {
            assert!(
                Instant::now() < deadline,
                "no {what:?} in {:#?}",
                self.log()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: i32) {
        self.process.signal(signal).unwrap();
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "still runs: {:#?}", self.log());
            thread::sleep(Duration::from_millis(1));
        };
        let took = start.elapsed();
        let texts: Vec<String> = self
            .readers
            .drain(..)
            .map(|reader| reader.join().unwrap())
            .collect();
        let totals = Totals(texts.concat());
        Ended {
            status,
            log: self.log(),
            totals,
            took,
        }
    }

    /// Sends a signal and waits for the end that follows.
    pub fn stop_by(mut self, signal: i32) -> Ended {
        self.signal(signal);
        self.end()
    }

    /// Stops it in order; it must end well.
    pub fn stop(self) -> Ended {
        let ended = self.stop_by(libc::SIGTERM);
        assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
        assert_eq!(ended.status.signal(), None);
        ended
    }
}

impl Totals {
    fn number(&self, words: &[&str], column: usize) -> u64 {
        self.0
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|found| found.starts_with(words))
            .filter_map(|found| found.get(words.len() + column)?.parse::<u64>().ok())
            .sum()
    }

    /// Frames of a message type from a side that were forwarded.
    pub fn forwarded(&self, side: &str, message: &str) -> u64 {
        self.number(&["frames", side, message], 1)
    }

    /// Those that were dropped for a reason.
    pub fn dropped(&self, side: &str, message: &str, reason: &str) -> u64 {
        self.number(&["drops", side, message, reason], 0)
    }

    /// All frames dropped for a reason.
    pub fn dropped_for(&self, reason: &str) -> u64 {
        self.0
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.first() == Some(&"drops") && words.get(3) == Some(&reason))
            .filter_map(|words| words.get(4)?.parse::<u64>().ok())
            .sum()
    }

    /// A further count.
    pub fn count(&self, name: &str) -> u64 {
        self.number(&["counts", name], 0)
    }
}

/// The program that was built together with the running test: `target/debug/ptpproxy`, beside the tests' own
/// folder `deps`.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("ptpproxy");
    assert!(program.is_file(), "no {}", program.display());
    program
}

/// The program with `--up up0 --down down0` and more; without a control socket unless one is named.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["--up", UP, "--down", DOWN, "--control", "off"])
        .args(arguments);
    command
}
