//! The clients' book: which Delay_Req are open, and what each Delay_Resp says.

use crate::lab::figures::recorder::Recorder;

/// Requests that one client may have open at once: half a second at 128 a second.
const WINDOW: usize = 64;

/// One Delay_Req: enough to find it again when its stamp comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's number.
    pub client: u32,
    /// sequenceId.
    pub sequence: u16,
}

/// What a Delay_Resp to a client of ours was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The first answer to an open request, with the stamp of its departure if that is known.
    First(Option<i64>),
    /// A further answer to it.
    Again,
    /// To a request that is no longer open, or never was.
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Free,
    Sent,
    Answered,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    departed: Option<i64>,
    sequence: u16,
    state: State,
}

/// All clients' open requests, in one array made at the start.
#[derive(Debug)]
pub struct Book {
    entries: Vec<[Entry; WINDOW]>,
    sequences: Vec<u16>,
}

impl Book {
    /// The book of `clients` clients.
    #[must_use]
    pub fn new(clients: u32) -> Self {
        let clients = clients as usize;
        Self {
            entries: vec![[Entry::default(); WINDOW]; clients],
            // Not all alike: a gateway must not confuse two clients by their sequenceId.
            sequences: (0..clients)
                .map(|n| u16::try_from(n * 7 % 65_536).unwrap_or(0))
                .collect(),
        }
    }

    fn entry(&mut self, request: Request) -> Option<&mut Entry> {
        self.entries
            .get_mut(request.client as usize)?
            .get_mut(usize::from(request.sequence) % WINDOW)
    }

    /// Opens the next request of a client; `None` if there is no such client.
    pub fn open(&mut self, client: u32) -> Option<Request> {
        let next = self.sequences.get_mut(client as usize)?;
        let request = Request {
            client,
            sequence: *next,
        };
        *next = next.wrapping_add(1);
        *self.entry(request)? = Entry {
            departed: None,
            sequence: request.sequence,
            state: State::Sent,
        };
        Some(request)
    }

    /// Notes when a request departed.
    pub fn departed(&mut self, request: Request, stamp: i64) {
        if let Some(entry) = self.entry(request)
            && entry.sequence == request.sequence
        {
            entry.departed = Some(stamp);
        }
    }

    /// A Delay_Resp came that names this request.
    pub fn answer(&mut self, request: Request) -> Answer {
        let Some(entry) = self.entry(request) else {
            return Answer::Unknown;
        };
        if entry.sequence != request.sequence {
            return Answer::Unknown;
        }
        match entry.state {
            State::Free => Answer::Unknown,
            State::Sent => {
                entry.state = State::Answered;
                Answer::First(entry.departed)
            }
            State::Answered => Answer::Again,
        }
    }
}

/// What the clients learned from their exchanges after the warm-up.
#[derive(Debug, Default)]
pub struct Measures {
    /// Delay_Req from stamp to stamp: the hold, and what else the way took.
    pub transit: Recorder,
    /// The same less its correction: what is left is the cables, and the correction's error.
    pub residual: Recorder,
}

impl Measures {
    /// Adds an exchange: stamps t3 and t4 and the correction, all in nanoseconds of the shared clock.
    pub fn record(&mut self, t3: i64, t4: i64, correction: i64) {
        let transit = t4.saturating_sub(t3);
        self.transit.record(transit);
        self.residual.record(transit.saturating_sub(correction));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_answered_once() {
        let mut book = Book::new(3);
        let request = book.open(2).unwrap();
        assert_eq!(book.open(3), None);
        book.departed(request, 42);
        let other = Request {
            sequence: request.sequence.wrapping_add(1),
            ..request
        };
        assert_eq!(book.answer(other), Answer::Unknown);
        assert_eq!(book.answer(request), Answer::First(Some(42)));
        assert_eq!(book.answer(request), Answer::Again);
    }

    #[test]
    fn a_request_out_of_the_window_is_unknown() {
        let mut book = Book::new(1);
        let first = book.open(0).unwrap();
        for _ in 0..WINDOW {
            book.open(0);
        }
        book.departed(first, 1);
        assert_eq!(book.answer(first), Answer::Unknown);
    }

    #[test]
    fn sequences_wrap() {
        let mut book = Book::new(1);
        for _ in 0..70_000 {
            let request = book.open(0).unwrap();
            assert_eq!(book.answer(request), Answer::First(None));
        }
    }
}
