//! A PTP hardware clock, read beside the steady clock.
//!
//! By the best call that kernel and driver have: PTP_SYS_OFFSET_PRECISE reads both in hardware; PTP_SYS_OFFSET_EXTENDED
//! reads the hardware clock between two readings of a system clock, CLOCK_MONOTONIC_RAW where the kernel lets us choose it
//! (6.13), else CLOCK_REALTIME; PTP_SYS_OFFSET does so from outside of the driver, with wider windows.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};

use anyhow::{Result, anyhow};

use crate::engine::ClockWatch;
use crate::ring::os::clock::SystemClock;
use crate::ring::os::sys::check;
use crate::time::{ClockId, Crossing, Stamp, Window};

/// Readings in a row, of which what they have in common counts.
const READINGS: u32 = 5;
/// Readings from which it is told how good they are.
const TRIES: usize = 8;
/// No clock is off by a larger part: one in this many.
const ANY_RATE: i64 = 1_000;
/// What PTP_SYS_OFFSET_PRECISE is taken to be off by at most, in nanoseconds: it does not say.
const PRECISE_NS: i64 = 25;

/// How a clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Precise,
    /// Between two readings of this system clock.
    Extended(ClockId),
    Plain,
}

/// Each way to read a clock, the best first.
const WAYS: [Way; 4] = [
    Way::Precise,
    Way::Extended(ClockId::Steady),
    Way::Extended(ClockId::Realtime),
    Way::Plain,
];

/// A PTP hardware clock that is open for reading.
pub struct HardwareClock {
    file: File,
    phc: u32,
    way: Way,
    /// CLOCK_REALTIME beside the steady clock, where readings are by that.
    watch: ClockWatch,
}

impl HardwareClock {
    /// Opens /dev/ptpN, and finds out how it can be read.
    ///
    /// # Errors
    /// One line with the reason and the remedy.
    pub fn open(phc: u32) -> Result<Self> {
        let path = format!("/dev/ptp{phc}");
        let file = File::open(&path).map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "; the service needs to read it: see deploy/README.md, \"Hardware timestamping\""
                }
                _ => "",
            };
            anyhow!("{path} cannot be opened: {error}{remedy}")
        })?;
        let mut clock = Self {
            file,
            phc,
            way: Way::Plain,
            watch: ClockWatch::default(),
        };
        let mut failed = None;
        for way in WAYS {
            clock.way = way;
            match clock.runs() {
                Ok(Some(true)) => return Ok(clock),
                Ok(Some(false)) => failed = Some(io::Error::other("it does not run as that does")),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        let why = failed.map_or_else(
            || "its readings make no sense".to_owned(),
            |e| e.to_string(),
        );
        Err(anyhow!(
            "{path} cannot be read beside the system's clock: {why}"
        ))
    }

    /// Whether it runs as the steady clock does. `None` if that could not be found out now.
    fn runs(&mut self) -> io::Result<Option<bool>> {
        let Some(first) = self.read()? else {
            return Ok(None);
        };
        let mut last = None;
        for _ in 0..TRIES {
            last = self.read()?.or(last);
        }
        Ok(last.map(|last| agree(first, last)))
    }

    /// Its index.
    #[must_use]
    pub const fn phc(&self) -> u32 {
        self.phc
    }

    /// Reads it. `None` if the system's clock was set meanwhile.
    ///
    /// # Errors
    /// The system's.
    pub fn read(&mut self) -> io::Result<Option<Crossing>> {
        let by_realtime = matches!(self.way, Way::Extended(ClockId::Realtime) | Way::Plain);
        let set = by_realtime && self.watch.observe(SystemClock.sample());
        let (windows, count) = match self.way {
            Way::Precise => self.precise()?,
            Way::Extended(clock) => self.extended(clock)?,
            Way::Plain => self.plain()?,
        };
        let mut windows = windows;
        let windows = windows.get_mut(..count).unwrap_or_default();
        if by_realtime {
            let after = SystemClock.sample();
            if self.watch.observe(after) || set {
                return Ok(None);
            }
            let uncertainty_ns = i64::from(after.uncertainty_ns);
            for window in windows.iter_mut() {
                let Some(steady) = on_steady(&self.watch, *window, uncertainty_ns) else {
                    return Ok(None);
                };
                *window = steady;
            }
        }
        Ok(Crossing::of(self.phc, windows))
    }

    fn precise(&self) -> io::Result<(Windows, usize)> {
        // SAFETY: integers only: all zeroes is a valid value.
        let mut answer: libc::ptp_sys_offset_precise = unsafe { std::mem::zeroed() };
        // SAFETY: the structure that this request writes, at its full size, outlives the call.
        check(unsafe {
            libc::ioctl(
                self.file.as_fd().as_raw_fd(),
                libc::PTP_SYS_OFFSET_PRECISE as _,
                &raw mut answer,
            )
        })?;
        let steady_ns = nanos(answer.sys_monoraw);
        let mut windows = NOTHING;
        windows[0] = Window {
            before_ns: steady_ns - PRECISE_NS,
            hardware_ns: nanos(answer.device),
            after_ns: steady_ns + PRECISE_NS,
        };
        Ok((windows, 1))
    }

    fn extended(&self, clock: ClockId) -> io::Result<(Windows, usize)> {
        // SAFETY: integers only: all zeroes is a valid value.
        let mut answer: libc::ptp_sys_offset_extended = unsafe { std::mem::zeroed() };
        answer.n_samples = READINGS;
        answer.clockid = match clock {
            ClockId::Steady => libc::CLOCK_MONOTONIC_RAW,
            _ => libc::CLOCK_REALTIME,
        };
        // SAFETY: the structure that this request reads and writes, at its full size, outlives the call.
        check(unsafe {
            libc::ioctl(
                self.file.as_fd().as_raw_fd(),
                libc::PTP_SYS_OFFSET_EXTENDED as _,
                &raw mut answer,
            )
        })?;
        let mut windows = NOTHING;
        for (window, [before, hardware, after]) in windows.iter_mut().zip(answer.ts) {
            *window = Window {
                before_ns: nanos(before),
                hardware_ns: nanos(hardware),
                after_ns: nanos(after),
            };
        }
        Ok((windows, windows.len()))
    }

    fn plain(&self) -> io::Result<(Windows, usize)> {
        // SAFETY: integers only: all zeroes is a valid value.
        let mut answer: libc::ptp_sys_offset = unsafe { std::mem::zeroed() };
        answer.n_samples = READINGS;
        // SAFETY: the structure that this request reads and writes, at its full size, outlives the call.
        check(unsafe {
            libc::ioctl(
                self.file.as_fd().as_raw_fd(),
                libc::PTP_SYS_OFFSET as _,
                &raw mut answer,
            )
        })?;
        let mut windows = NOTHING;
        // System, hardware, system, hardware, system: each hardware time lies between two others.
        for (n, window) in windows.iter_mut().enumerate() {
            if let Some(&[before, hardware, after]) = answer.ts.get(2 * n..2 * n + 3) {
                *window = Window {
                    before_ns: nanos(before),
                    hardware_ns: nanos(hardware),
                    after_ns: nanos(after),
                };
            }
        }
        Ok((windows, windows.len()))
    }
}

/// Whether as much time passed by the hardware clock as by the steady one, as far as two readings tell.
fn agree(first: Crossing, last: Crossing) -> bool {
    let steady_ns = last.steady.since(first.steady).as_nanos();
    let steady_ns = i64::try_from(steady_ns).unwrap_or(i64::MAX);
    let hardware_ns = last.hardware_ns.saturating_sub(first.hardware_ns);
    let allowed_ns = steady_ns / ANY_RATE + i64::from(first.half_ns) + i64::from(last.half_ns);
    hardware_ns.saturating_sub(steady_ns).saturating_abs() <= allowed_ns
}

type Windows = [Window; READINGS as usize];

const NOTHING: Windows = [Window {
    before_ns: 0,
    hardware_ns: 0,
    after_ns: 0,
}; READINGS as usize];

/// A window by CLOCK_REALTIME on the steady clock.
fn on_steady(watch: &ClockWatch, window: Window, uncertainty_ns: i64) -> Option<Window> {
    let on_steady = |ns| {
        let steady = watch.translate(Stamp::new(ClockId::Realtime, ns))?;
        Some(steady.as_nanos())
    };
    Some(Window {
        before_ns: on_steady(window.before_ns)?.checked_sub(uncertainty_ns)?,
        hardware_ns: window.hardware_ns,
        after_ns: on_steady(window.after_ns)?.checked_add(uncertainty_ns)?,
    })
}

fn nanos(time: libc::ptp_clock_time) -> i64 {
    time.sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.nsec.into())
}

/// What the difference of timestamps of these clocks may be off by, in nanoseconds: the sum of their best readings of some.
///
/// # Errors
/// The system's, of one that cannot be read.
pub(super) fn bound_ns(clocks: &mut [HardwareClock]) -> io::Result<u32> {
    let mut sum = 0_u32;
    for clock in clocks {
        let mut best = u32::MAX;
        for _ in 0..TRIES {
            if let Some(crossing) = clock.read()? {
                best = best.min(crossing.half_ns);
            }
        }
        sum = sum.saturating_add(best);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    #[test]
    fn a_window_by_realtime_is_put_on_the_steady_clock() {
        let mut watch = ClockWatch::default();
        for ms in 0..3_u64 {
            let steady = Instant::from_nanos(1_000_000_000 + ms * 1_000_000);
            let realtime_ns = 1_700_000_000_000_000_000 + i64::try_from(ms).unwrap() * 1_000_000;
            watch.observe(crate::time::ClockSample {
                realtime_ns,
                steady,
                uncertainty_ns: 20,
            });
        }
        let window = Window {
            before_ns: 1_700_000_000_000_500_000,
            hardware_ns: 77,
            after_ns: 1_700_000_000_000_500_400,
        };
        let steady = on_steady(&watch, window, 20).unwrap();
        assert_eq!(steady.before_ns, 1_000_499_980);
        assert_eq!((steady.hardware_ns, steady.after_ns), (77, 1_000_500_420));
    }

    #[test]
    fn a_clock_that_stands_still_or_jumps_is_told() {
        let reading = |us: u64, hardware_ns: i64| Crossing {
            phc: 0,
            steady: Instant::from_nanos(us * 1_000),
            hardware_ns,
            half_ns: 200,
        };
        let first = reading(100, 7_000_000);
        for (off_ns, runs) in [(0, true), (390, true), (-390, true), (900, false)] {
            let last = reading(150, 7_050_000 + off_ns);
            assert_eq!(agree(first, last), runs, "{off_ns}");
        }
        assert!(!agree(first, reading(150, 7_000_000)), "it stands still");
        assert!(agree(first, reading(10_100, 17_000_000 + 9_000)), "900 ppm");
        assert!(!agree(first, reading(10_100, i64::MAX)));
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let error = HardwareClock::open(4_000_000_000)
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("/dev/ptp4000000000 cannot be opened: "),
            "{error}"
        );
    }
}
