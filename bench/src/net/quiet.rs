//! Was the machine there for a test? Others may have had the processors: other guests of the hypervisor, or other
//! programs of this machine.

use std::fs;
use std::time::{Duration, Instant};

use super::stolen::{self, Ticks};

/// A failed test says nothing if more than this share of its time some task waited for a processor.
const TOO_MUCH_WAITING: f64 = 0.2;
/// How long a quiet moment is awaited before a test is run again, at most.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is looked at to find the machine quiet.
const GLANCE: Duration = Duration::from_millis(500);

/// What the kernel had counted at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    ticks: Ticks,
    /// Time in which at least one task waited for a processor; `None` where the kernel does not say.
    waiting: Option<Duration>,
    at: Instant,
}

impl Moment {
    /// This one.
    pub(super) fn now() -> Self {
        let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
        Self {
            ticks: Ticks::now(),
            waiting: waiting(&pressure),
            at: Instant::now(),
        }
    }

    /// Who had the processors since then, in words; `None` if the machine was there.
    pub(super) fn disturbed(&self) -> Option<String> {
        let now = Self::now();
        disturbance(
            now.ticks.stolen_since(self.ticks),
            now.waiting
                .zip(self.waiting)
                .map(|(now, before)| now.saturating_sub(before)),
            now.ticks.busy_since(self.ticks),
            now.at - self.at,
        )
    }
}

/// Judges shares of the time between two moments: `busy` stands in where the kernel does not say how long tasks
/// waited.
fn disturbance(
    stolen: f64,
    waited: Option<Duration>,
    busy: f64,
    elapsed: Duration,
) -> Option<String> {
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).min(100.0));
    if stolen > stolen::TOO_MUCH {
        return Some(format!(
            "the hypervisor took {} of the processors' time",
            percent(stolen)
        ));
    }
    match waited {
        Some(waited) => {
            let share = waited.as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
            (share > TOO_MUCH_WAITING).then(|| {
                format!(
                    "programs had to wait for a processor {} of the time",
                    percent(share)
                )
            })
        }
        None => (busy > 1.0 - TOO_MUCH_WAITING)
            .then(|| format!("the processors were busy {} of the time", percent(busy))),
    }
}

/// The `total`, in microseconds, of the line `some` of Linux's pressure stall information.
fn waiting(pressure: &str) -> Option<Duration> {
    let line = pressure.lines().find(|line| line.starts_with("some "))?;
    let total = line.split("total=").nth(1)?;
    Some(Duration::from_micros(total.trim().parse().ok()?))
}

/// Waits until the machine has time, or some seconds.
pub(super) fn wait_for_quiet() {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let before = Moment::now();
        std::thread::sleep(GLANCE);
        if before.disturbed().is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_had_the_processors_is_named() {
        let second = Duration::from_secs(1);
        let of = |stolen, waited: Option<u64>, busy| {
            disturbance(stolen, waited.map(Duration::from_millis), busy, second)
        };
        assert_eq!(
            of(0.0, Some(100), 1.0),
            None,
            "waiting counts, not being busy"
        );
        assert!(
            of(0.02, Some(0), 0.0)
                .unwrap()
                .contains("hypervisor took 2 %")
        );
        assert!(
            of(0.0, Some(900), 0.0)
                .unwrap()
                .contains("wait for a processor 90 %")
        );
        assert_eq!(of(0.0, None, 0.5), None);
        assert!(of(0.0, None, 0.95).unwrap().contains("busy 95 %"));
    }

    #[test]
    fn pressure_is_the_total_of_its_first_line() {
        let text = "some avg10=1.53 avg60=1.1 avg300=0.9 total=1253\nfull avg10=0 avg60=0 avg300=0 total=7\n";
        assert_eq!(waiting(text), Some(Duration::from_micros(1253)));
        assert_eq!(waiting(""), None);
    }
}
