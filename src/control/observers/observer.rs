//! One who watches: what it wants, what it is still to get, what it lost.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::control::reply::PROTOCOL;
use crate::control::seen::Watching;
use crate::telemetry::{Info, Wanted, What};

use super::lines::{self, Clock, Line};
use super::request::Request;

/// Lines in a second, and at once after a silence.
const LINES_PER_S: u32 = 2000;
/// Bytes that wait for the other end.
const WAITING: usize = 1 << 20;

/// One who watches.
pub(super) struct Observer {
    stream: UnixStream,
    request: Request,
    /// What the other end is still to take, and how much of it was taken.
    waiting: Vec<u8>,
    taken: usize,
    allowance: Allowance,
    lost: Lost,
}

/// Lines that were left out, and not told yet.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    queue: u64,
    rate: u64,
    reader: u64,
}

impl Observer {
    /// Of a stream that does not block.
    pub(super) fn new(stream: UnixStream, request: Request, info: &Info) -> Self {
        let first = Watching {
            protocol: PROTOCOL,
            up: info.up.clone(),
            down: info.downs.join(","),
            lines_per_s: LINES_PER_S,
        };
        // It holds texts and numbers: nothing of it can fail.
        let mut waiting = serde_json::to_vec(&first).unwrap_or_default();
        waiting.push(b'\n');
        Self {
            stream,
            request,
            waiting,
            taken: 0,
            allowance: Allowance::new(Instant::now()),
            lost: Lost::default(),
        }
    }

    pub(super) const fn wanted(&self) -> Wanted {
        self.request.wanted
    }

    /// A step: a line for it, if it is wanted.
    pub(super) fn tell(&mut self, line: &mut Line<'_>) {
        let step = line.step;
        let dropped = matches!(step.what, What::Dropped { .. });
        let Request { who, wanted } = &self.request;
        if !dropped && !wanted.exchanges || !who.sent_or_asked_for(step.name.as_ref()) {
            return;
        }
        if !self.allowance.take() {
            self.lost.rate += 1;
            return;
        }
        let text = line.text(wanted.frames);
        if self.waiting.len() + text.len() > WAITING {
            self.lost.reader += 1;
            return;
        }
        self.waiting.extend_from_slice(text);
    }

    /// The loop left out so many steps, whosever they were.
    pub(super) const fn lost_in_queue(&mut self, count: u64) {
        self.lost.queue += count;
    }

    /// Writes what the other end takes. False when it has gone.
    pub(super) fn write(&mut self, clock: Clock) -> bool {
        self.allowance.advance(Instant::now());
        self.tell_lost(clock);
        while let Some(rest) = self.waiting.get(self.taken..)
            && !rest.is_empty()
        {
            match self.stream.write(rest) {
                Ok(0) => return false,
                Ok(taken) => self.taken += taken,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return false,
            }
        }
        // What was taken makes room once it is worth a move.
        if self.taken > WAITING / 4 || self.taken == self.waiting.len() {
            self.waiting.drain(..std::mem::take(&mut self.taken));
        }
        // Last: who closes its half at once has asked all the same.
        !self.has_gone()
    }

    /// A line for what was left out, once there is room for it.
    fn tell_lost(&mut self, clock: Clock) {
        if self.waiting.len() - self.taken > WAITING / 2 {
            return;
        }
        let Lost {
            queue,
            rate,
            reader,
        } = std::mem::take(&mut self.lost);
        for (why, count) in [("queue", queue), ("rate", rate), ("reader", reader)] {
            if count > 0 {
                self.waiting
                    .extend_from_slice(&lines::lost(count, why, clock));
            }
        }
    }

    /// Whether the other end has closed. What it writes is not read for more than that.
    fn has_gone(&mut self) -> bool {
        match self.stream.read(&mut [0; 256]) {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }
}

/// How many lines may still go.
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    const fn new(now: Instant) -> Self {
        Self {
            left: LINES_PER_S,
            since: now,
        }
    }

    fn take(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Lets time pass.
    fn advance(&mut self, now: Instant) {
        const LINE: Duration = Duration::from_nanos(1_000_000_000 / LINES_PER_S as u64);
        let elapsed = now.saturating_duration_since(self.since);
        let more = u32::try_from(elapsed.as_nanos() / LINE.as_nanos()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(more).min(LINES_PER_S);
        self.since += LINE * more.min(60 * LINES_PER_S);
        if more > 60 * LINES_PER_S {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_a_burst_after_silence() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let at = |ms: u64, allowance: &mut Allowance| {
            allowance.advance(start + Duration::from_millis(ms));
            (0..10_000).filter(|_| allowance.take()).count()
        };
        assert_eq!(at(0, &mut allowance), 2000);
        assert_eq!(at(10, &mut allowance), 20);
        assert_eq!(at(510, &mut allowance), 1000);
        assert_eq!(at(9_000_000, &mut allowance), 2000);
        assert_eq!(at(9_000_001, &mut allowance), 2);
    }
}
