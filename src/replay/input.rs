//! Where bytes come from: a file, or a pipe that somebody still writes to; and the wish to stop.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

const INPUT: Token = Token(0);
const STOP: Token = Token(1);
/// After a signal, what the writer of the pipe still has (it got the signal too) is waited for this long.
const GRACE: Duration = Duration::from_millis(300);

/// Whether SIGINT or SIGTERM asked for the end. A second one ends the process at once.
#[derive(Debug)]
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    /// Readable from the first signal on: it is never drained.
    wake: UnixStream,
}

impl Stop {
    /// From now on these signals end the replay instead of the process.
    pub(super) fn on_signals() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let (wake, write) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
            pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self { asked, wake })
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            asked: Arc::clone(&self.asked),
            wake: self.wake.try_clone()?,
        })
    }
}

/// An open input.
pub(super) struct Input {
    pub(super) bytes: Box<dyn Read>,
    /// Where somebody may still be writing to it: no regular file.
    pub(super) live: Option<Live>,
}

/// An input that somebody may still be writing to.
#[derive(Clone)]
pub(super) struct Live(Rc<RefCell<Pipe>>);

impl Live {
    /// Whether a read would return within this time.
    pub(super) fn comes_within(&self, time: Duration) -> io::Result<bool> {
        self.0.borrow_mut().comes_within(time)
    }
}

impl Read for Live {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(bytes)
    }
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(super) fn open(path: &Path, stop: &Stop) -> io::Result<Self> {
        let file = if path.as_os_str() == "-" {
            File::from(io::stdin().as_fd().try_clone_to_owned()?)
        } else {
            File::open(path)?
        };
        if file.metadata()?.is_file() {
            return Ok(Self {
                bytes: Box::new(file),
                live: None,
            });
        }
        let live = Live(Rc::new(RefCell::new(Pipe::new(file, stop)?)));
        Ok(Self {
            bytes: Box::new(live.clone()),
            live: Some(live),
        })
    }
}

/// A pipe that ends when its writer does, or soon after a signal.
struct Pipe {
    file: File,
    /// `None` for what cannot be waited for, as /dev/null.
    poll: Option<Poll>,
    events: Events,
    stop: Stop,
    /// When a signal has been seen: no reading beyond this.
    until: Option<Instant>,
}

impl Pipe {
    fn new(file: File, stop: &Stop) -> io::Result<Self> {
        let stop = stop.try_clone()?;
        let poll = Poll::new()?;
        let (input, wake) = (file.as_raw_fd(), stop.wake.as_raw_fd());
        let registry = poll.registry();
        registry.register(&mut SourceFd(&wake), STOP, Interest::READABLE)?;
        let poll = match registry.register(&mut SourceFd(&input), INPUT, Interest::READABLE) {
            Ok(()) => Some(poll),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            file,
            poll,
            events: Events::with_capacity(2),
            stop,
            until: None,
        })
    }

    /// Waits for bytes or the end; false once a signal's grace is over.
    fn wait(&mut self) -> io::Result<bool> {
        loop {
            if self.until.is_none() && self.stop.asked() {
                self.until = Some(Instant::now() + GRACE);
            }
            let left = match self.until {
                None => None,
                Some(until) => match until.checked_duration_since(Instant::now()) {
                    Some(left) => Some(left),
                    None => return Ok(false),
                },
            };
            if self.readable(left)? {
                return Ok(true);
            }
        }
    }

    fn comes_within(&mut self, time: Duration) -> io::Result<bool> {
        let until = Instant::now() + time;
        loop {
            // Asked to stop, a read returns soon.
            if self.stop.asked() {
                return Ok(true);
            }
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                return Ok(false);
            };
            if self.readable(Some(left))? {
                return Ok(true);
            }
        }
    }

    /// Whether there is something to read; sleeps for up to `time` for it, or until a signal.
    fn readable(&mut self, time: Option<Duration>) -> io::Result<bool> {
        let Some(poll) = &mut self.poll else {
            return Ok(true);
        };
        // Events come by edges: asked for anew, one comes for what is there already.
        let input = self.file.as_raw_fd();
        poll.registry()
            .reregister(&mut SourceFd(&input), INPUT, Interest::READABLE)?;
        match poll.poll(&mut self.events, time) {
            Ok(()) => Ok(self.events.iter().any(|event| event.token() == INPUT)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if !self.wait()? {
            return Ok(0);
        }
        self.file.read(bytes)
    }
}
