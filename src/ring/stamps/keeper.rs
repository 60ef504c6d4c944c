//! The process that keeps hardware timestamps on: it alone keeps the right to switch them, and reads no frame.
//!
//! Made before the first ring is open, so that it holds neither rings nor keys' files. It knows its interfaces by their
//! numbers, and takes no name, number or setting from the other process: a byte asks it to look at once. It looks by itself
//! once a second as well, and says in a byte what it did. When the other process ends, however that ends, the interfaces get
//! their former settings back.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::ring::os::process;

/// Its name in lists of processes.
const NAME: &std::ffi::CStr = c"ptpproxy-stamps";
/// How often it looks by itself.
const EVERY: Duration = Duration::from_secs(1);
/// How long the interfaces may take for their former settings: a driver may reset its card for that.
const LONGEST_END: Duration = Duration::from_secs(3);

/// An interface whose timestamps are switched on.
pub(super) trait Kept {
    /// What it reaches its interface by.
    fn descriptor(&self) -> RawFd;

    /// Switches them on again, unless they are. Whether they were not.
    ///
    /// # Errors
    /// The system's.
    fn put_right(&mut self) -> io::Result<bool>;

    /// Gives the interface its former setting back.
    fn give_back(&mut self);
}

/// What that process reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperNews {
    /// Timestamps were off, and are switched on again.
    PutRight,
    /// It has ended: nobody switches them on again.
    Ended,
}

/// That process, as the other one sees it. Dropped, it ends, and is waited for.
#[derive(Debug)]
pub(super) struct Keeper {
    stream: UnixStream,
    ended: bool,
}

impl Keeper {
    /// Starts it; `confine` is called in it first. To be called while there is one thread only.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start<K: Kept>(kept: &mut [K], confine: impl FnOnce()) -> io::Result<Self> {
        let keep: Vec<RawFd> = kept.iter().map(Kept::descriptor).collect();
        let stream = process::fork(NAME, &keep, |stream| {
            confine();
            serve(stream, kept);
        })?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            ended: false,
        })
    }

    /// Has it look at once.
    pub(super) fn look(&self) {
        // A full buffer holds enough requests; that it has ended is read.
        let _ = (&self.stream).write(&[0]);
    }

    /// What it reports; `None` when that is all.
    pub(super) fn news(&mut self) -> Option<KeeperNews> {
        if self.ended {
            return None;
        }
        match self.stream.read(&mut [0]) {
            Ok(1..) => Some(KeeperNews::PutRight),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                None
            }
            Ok(0) | Err(_) => {
                self.ended = true;
                Some(KeeperNews::Ended)
            }
        }
    }
}

impl AsRawFd for Keeper {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // The former settings are back when it closes its end.
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_read_timeout(Some(LONGEST_END));
        while matches!(self.stream.read(&mut [0; 16]), Ok(1..)) {}
    }
}

/// Keeps them on until the other process ends.
fn serve<K: Kept>(mut stream: UnixStream, kept: &mut [K]) {
    let mut looked = Instant::now();
    loop {
        // Never zero, which means for ever.
        let left = EVERY
            .saturating_sub(looked.elapsed())
            .max(Duration::from_millis(1));
        let asked = stream
            .set_read_timeout(Some(left))
            .and_then(|()| stream.read(&mut [0; 16]));
        match asked {
            Ok(0) => break,
            Err(error)
                if !matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                break;
            }
            Ok(_) | Err(_) => {}
        }
        if asked.is_err() && looked.elapsed() < EVERY {
            continue;
        }
        looked = Instant::now();
        let mut any = false;
        for one in kept.iter_mut() {
            // One that is gone, or whose driver refuses for now, is looked at again.
            any |= one.put_right().unwrap_or(false);
        }
        // That the other one has ended is read.
        if any {
            let _ = stream.write(&[0]);
        }
    }
    for one in kept.iter_mut() {
        one.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// What was done to an interface that somebody else switches off.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<State>>);

    #[derive(Default)]
    struct State {
        off: bool,
        looks: u32,
        given_back: bool,
    }

    impl Kept for Fake {
        fn descriptor(&self) -> RawFd {
            -1
        }

        fn put_right(&mut self) -> io::Result<bool> {
            let mut state = self.0.lock().unwrap();
            state.looks += 1;
            Ok(std::mem::take(&mut state.off))
        }

        fn give_back(&mut self) {
            self.0.lock().unwrap().given_back = true;
        }
    }

    #[test]
    fn it_looks_when_asked_and_by_itself_and_ends_with_the_other() {
        let fakes = [Fake::default(), Fake::default()];
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut kept = fakes.clone();
        let server = std::thread::spawn(move || serve(theirs, &mut kept));
        let state = |n: usize| fakes[n].0.lock().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut keeper = Keeper {
            stream: ours,
            ended: false,
        };
        // By itself, without being asked.
        state(1).off = true;
        assert_eq!(keeper.news(), Some(KeeperNews::PutRight));
        assert!(!state(1).off);
        // When asked; nothing to report is nothing said.
        let looks = state(0).looks;
        keeper.look();
        state(0).off = true;
        assert_eq!(keeper.news(), Some(KeeperNews::PutRight));
        assert!(state(0).looks > looks);
        assert!(!state(0).given_back && !state(1).given_back);
        drop(keeper);
        server.join().unwrap();
        assert!(state(0).given_back && state(1).given_back);
    }

    #[test]
    fn its_end_is_noticed_once() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut keeper = Keeper {
            stream: ours,
            ended: false,
        };
        drop(theirs);
        keeper.look();
        assert_eq!(keeper.news(), Some(KeeperNews::Ended));
        assert_eq!(keeper.news(), None);
    }
}
