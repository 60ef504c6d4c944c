//! Who watches each message live: takes the loop's steps and writes them, as lines, to those who asked.
//!
//! The loop never waits for any of this, and neither do others on the control socket: a watcher that does not read
//! loses lines, which are counted and told.
//!
//! | file | one idea |
//! |---|---|
//! | `request` | what is asked, and who may ask |
//! | `lines` | a step as a line |
//! | `observer` | one who watches: what it wants, what it is still to get, what it lost |

mod lines;
mod observer;
mod request;

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ring::process;
use crate::telemetry::{Board, Trace, Wanted};
use lines::Line;
use observer::Observer;
use request::Request;

/// Who may watch at once.
const MOST: usize = 4;
/// Steps that are taken at once, so that others on the control socket are served meanwhile.
const AT_ONCE: usize = 20_000;
/// How often the loop's steps are taken while somebody watches.
const EVERY: Duration = Duration::from_millis(10);

/// Those who watch.
pub(super) struct Observers {
    trace: Arc<Trace>,
    all: Vec<Observer>,
    next: Instant,
    /// Steps that the loop had left out when we looked last.
    lost: u64,
    words: Vec<u64>,
}

impl Observers {
    pub(super) fn new(board: &Board) -> Self {
        Self {
            trace: Arc::clone(board.trace()),
            all: Vec::with_capacity(MOST),
            next: Instant::now(),
            lost: 0,
            words: Vec::new(),
        }
    }

    /// Whether this is a request to watch.
    pub(super) fn is_asked(line: &str) -> bool {
        line.split_whitespace().next() == Some("watch")
    }

    /// What is asked, if that may be.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn request(
        &self,
        line: &str,
        stream: &UnixStream,
        board: &Board,
    ) -> Result<Request, String> {
        let user = process::peer_user(stream.as_fd()).map_err(|error| error.to_string())?;
        request::allowed(user, process::user())?;
        let request = Request::read(line, board)?;
        if self.all.len() >= MOST {
            return Err(format!(
                "{MOST} watch already, and no more can: end one of them"
            ));
        }
        Ok(request)
    }

    /// One more watches.
    pub(super) fn add(&mut self, stream: UnixStream, request: Request, board: &Board) {
        if self.all.is_empty() {
            // What was not taken when the last one went.
            while self.trace.take(&mut self.words).is_some() {}
            self.lost = self.trace.lost();
        }
        self.all.push(Observer::new(stream, request, &board.info()));
        self.want();
    }

    /// When there is something to do; `None` while nobody watches.
    pub(super) fn due(&self) -> Option<Instant> {
        (!self.all.is_empty()).then_some(self.next)
    }

    /// Takes what the loop wrote, and gives each what it wants and takes.
    pub(super) fn pass_on(&mut self) {
        if self.all.is_empty() {
            return;
        }
        self.next = Instant::now() + EVERY;
        let clock = lines::Clock::read();
        for _ in 0..AT_ONCE {
            let Some((step, frame)) = self.trace.take(&mut self.words) else {
                break;
            };
            let mut line = Line::new(&step, &frame, clock);
            for observer in &mut self.all {
                observer.tell(&mut line);
            }
        }
        let lost = self.trace.lost();
        let new = lost - std::mem::replace(&mut self.lost, lost);
        let before = self.all.len();
        self.all.retain_mut(|observer| {
            observer.lost_in_queue(new);
            observer.write(clock)
        });
        if self.all.len() != before {
            self.want();
        }
    }

    /// Has the loop write what anybody wants.
    fn want(&self) {
        let wanted = self.all.iter().map(Observer::wanted);
        let wanted = wanted.reduce(|one, other| Wanted {
            exchanges: one.exchanges || other.exchanges,
            frames: one.frames || other.frames,
        });
        self.trace.want(wanted);
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        self.pass_on();
        self.trace.want(None);
    }
}

#[cfg(test)]
mod tests;
