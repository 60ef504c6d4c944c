//! A child process that does not outlive its guard.

use std::io;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use super::sys;

/// Lets a program believe that it steers a clock: each call that would is answered with success, and does nothing.
///
/// A servo then goes through its states as it would with the right to steer; the clock stays as it is.
pub fn ignore_steering(command: &mut Command) {
    sys::ignore_steering_on_exec(command);
}

/// A running program in a [`Namespace`](super::Namespace); killed and reaped on drop.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    pub(super) fn new(child: Child) -> Self {
        Self { child }
    }

    /// Sends a signal (`libc::SIGSTOP`, for instance).
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&mut self, signal: i32) -> io::Result<()> {
        // A process that was waited for is gone, and its number may be another's.
        if self.child.try_wait()?.is_some() {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        sys::kill(self.child.id(), signal)
    }

    /// Sends SIGTERM, waits up to `patience`, then kills. Returns how it ended.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn stop(&mut self, patience: Duration) -> io::Result<ExitStatus> {
        let _ = self.signal(libc::SIGTERM);
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.child.kill()?;
        self.child.wait()
    }
}

impl Deref for Process {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Process {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
