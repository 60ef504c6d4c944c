//! The news that CLOCK_REALTIME was set, as a descriptor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use super::bindings::{self, TimerSpec, Timespec};
use super::sys;

/// Reports when CLOCK_REALTIME was set (stepped), though not when it is slewed
/// (TFD_TIMER_CANCEL_ON_SET, timerfd_create(2)). The descriptor is readable then.
#[derive(Debug)]
pub struct ClockSetWatch {
    fd: OwnedFd,
}

impl ClockSetWatch {
    /// Watches from now on.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let fd = create(libc::CLOCK_REALTIME)?;
        let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
        set(&fd, flags, timespec(Duration::from_secs(FAR_FUTURE_S)))?;
        Ok(Self { fd })
    }

    /// Goes on watching where another process did: a clock that was set between the two is noticed.
    #[must_use]
    pub const fn take_over(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Whether the clock was set since the last call.
    pub fn was_set(&mut self) -> bool {
        read(&self.fd).is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED))
    }
}

impl AsFd for ClockSetWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for ClockSetWatch {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The year 2200.
const FAR_FUTURE_S: u64 = 7_258_118_400;

fn create(clock: libc::clockid_t) -> io::Result<OwnedFd> {
    // SAFETY: timerfd_create takes integers only.
    sys::owned(unsafe { libc::timerfd_create(clock, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) })
}

fn set(fd: &OwnedFd, flags: libc::c_int, due: Timespec) -> io::Result<()> {
    let spec = TimerSpec {
        interval: Timespec::default(),
        value: due,
    };
    // SAFETY: `spec` outlives the call; the old setting is not asked for.
    sys::check(unsafe {
        bindings::timerfd_settime(fd.as_raw_fd(), flags, &raw const spec, std::ptr::null_mut())
    })
}

fn read(fd: &OwnedFd) -> io::Result<u64> {
    let mut count = 0_u64;
    // SAFETY: a timerfd writes eight bytes, the size of `count`.
    let length = unsafe { libc::read(fd.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count)
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanoseconds: i64::from(time.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_future_is_after_2038() {
        let clock = create(libc::CLOCK_REALTIME).unwrap();
        let due = timespec(Duration::from_secs(FAR_FUTURE_S));
        assert_eq!(due.seconds, 7_258_118_400);
        set(&clock, libc::TFD_TIMER_ABSTIME, due).unwrap();
        // proc_pid_fdinfo(5): seconds until it is due.
        let path = format!("/proc/self/fdinfo/{}", clock.as_raw_fd());
        let info = std::fs::read_to_string(path).unwrap();
        let (_, left) = info.split_once("it_value: (").expect(&info);
        let left: u64 = left.split(',').next().unwrap().parse().unwrap();
        assert!(left > u64::from(u32::MAX), "{info}");
    }

    #[test]
    fn unset_clock_is_not_reported() {
        assert!(!ClockSetWatch::new().unwrap().was_set());
    }

    #[test]
    #[ignore = "sets the system's clock (by one nanosecond), as root only"]
    fn set_clock_is_reported_once_each_time() {
        let mut watch = ClockSetWatch::new().unwrap();
        for _ in 0..2 {
            // SAFETY: timex holds integers only: all zeroes is a valid value.
            let mut change: libc::timex = unsafe { std::mem::zeroed() };
            change.modes = ADJ_SETOFFSET | libc::ADJ_NANO;
            change.time.tv_usec = 1;
            // SAFETY: `change` outlives the call.
            let state = unsafe { libc::adjtimex(&raw mut change) };
            assert!(state >= 0, "{}", io::Error::last_os_error());
            assert!(watch.was_set() && !watch.was_set());
        }
    }

    const ADJ_SETOFFSET: u32 = 0x0100;
}
