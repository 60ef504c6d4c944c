//! Reads hardware clocks beside the steady one, by a thread of its own: each reading takes a card some microseconds, which
//! the loop does not spend.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use log::warn;

use crate::engine::{CrossingReader, Crossings};
use crate::ring::HardwareClock;

/// How often each clock is read. A correction between two clocks waits for the next reading.
const EVERY: Duration = Duration::from_millis(4);
/// One that cannot be read is tried again this often.
const PAUSE: Duration = Duration::from_secs(1);
/// Failures in a row after which it is said.
const FAILURES: u32 = 8;

/// Clocks that are to be read, and where readings go.
#[derive(Default)]
pub(super) struct HardwareClocks {
    clocks: Vec<(HardwareClock, Arc<Crossings>)>,
}

impl HardwareClocks {
    /// What reads these, and who takes the readings.
    pub(super) fn new(clocks: Vec<HardwareClock>) -> (Self, Vec<CrossingReader>) {
        let pair = |clock: HardwareClock| {
            let crossings = Crossings::new(clock.phc());
            (clock, crossings)
        };
        let clocks: Vec<_> = clocks.into_iter().map(pair).collect();
        let reader =
            |(_, crossings): &(_, Arc<Crossings>)| CrossingReader::new(Arc::clone(crossings));
        let readers = clocks.iter().map(reader).collect();
        (Self { clocks }, readers)
    }

    /// Starts the thread, if there are any to read.
    ///
    /// # Errors
    /// The system's, when there can be no thread.
    pub(super) fn start(self) -> Result<()> {
        if self.clocks.is_empty() {
            return Ok(());
        }
        thread::Builder::new()
            .name("clocks".into())
            .spawn(move || self.serve())
            .context("starting the thread that reads hardware clocks")?;
        Ok(())
    }

    /// A card that was reset has a clock of the same name again.
    fn open_again(&mut self, phc: u32) {
        for (clock, _) in &mut self.clocks {
            if clock.phc() == phc
                && let Ok(again) = HardwareClock::open(phc)
            {
                *clock = again;
            }
        }
    }

    /// Reads until the process ends.
    fn serve(mut self) {
        let mut failures = 0_u32;
        loop {
            let mut failed = None;
            for (clock, crossings) in &mut self.clocks {
                match clock.read() {
                    Ok(Some(crossing)) => crossings.add(&crossing),
                    Ok(None) => {}
                    Err(error) => failed = Some((clock.phc(), error)),
                }
            }
            let Some((phc, error)) = failed else {
                failures = 0;
                thread::sleep(EVERY);
                continue;
            };
            failures = failures.saturating_add(1);
            if failures == FAILURES {
                warn!("/dev/ptp{phc} cannot be read any more: {error}");
            }
            if failures >= FAILURES {
                self.open_again(phc);
            }
            thread::sleep(if failures < FAILURES { EVERY } else { PAUSE });
        }
    }
}
