//! A step as a line of JSON.

use std::time::SystemTime;

use crate::control::figures;
use crate::control::seen::Seen;
use crate::ring::SystemClock;
use crate::telemetry::{Step, What};
use crate::time::Instant;

/// The steady clock beside that of the day.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    steady: Instant,
    since_1970_ns: u64,
}

impl Clock {
    pub(super) fn read() -> Self {
        let steady = SystemClock.now();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            steady,
            since_1970_ns: since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0)),
        }
    }

    /// A moment, in nanoseconds since 1970.
    fn ns(self, at: Instant) -> u64 {
        let later = self.since_1970_ns.saturating_add(ns(at.since(self.steady)));
        later.saturating_sub(ns(self.steady.since(at)))
    }
}

/// A step, and its lines once somebody wants them.
pub(super) struct Line<'a> {
    pub(super) step: &'a Step,
    frame: &'a [u8],
    clock: Clock,
    plain: Option<Vec<u8>>,
    with_frame: Option<Vec<u8>>,
}

impl<'a> Line<'a> {
    pub(super) const fn new(step: &'a Step, frame: &'a [u8], clock: Clock) -> Self {
        Self {
            step,
            frame,
            clock,
            plain: None,
            with_frame: None,
        }
    }

    /// The line, with the frame or without.
    pub(super) fn text(&mut self, frame: bool) -> &[u8] {
        let (step, clock, bytes) = (self.step, self.clock, self.frame);
        let place = if frame {
            &mut self.with_frame
        } else {
            &mut self.plain
        };
        place.get_or_insert_with(|| {
            let mut seen = seen(step, clock);
            if frame && !bytes.is_empty() {
                seen.frame = Some(hexadecimal(bytes));
            }
            json(&seen)
        })
    }
}

/// The line on lines that were left out.
pub(super) fn lost(count: u64, why: &str, clock: Clock) -> Vec<u8> {
    json(&Seen {
        event: "lost".into(),
        time_ns: clock.since_1970_ns,
        count: Some(count),
        why: Some(why.into()),
        ..Seen::default()
    })
}

fn seen(step: &Step, clock: Clock) -> Seen {
    let name = step.name;
    let client = name.map(|name| name.requester.unwrap_or(name.sender));
    let is_client =
        name.is_some_and(|name| name.requester.is_some()) || step.from == crate::Side::Down;
    let mut seen = Seen {
        time_ns: clock.ns(step.at),
        from: step.from.label().into(),
        name: name.map(|name| name.to_string()),
        message: name.map(|name| name.message.label().into()),
        sender: name.map(|name| name.sender.to_string()),
        sequence_id: name.map(|name| name.sequence_id),
        client: client
            .filter(|_| is_client)
            .map(|client| client.to_string()),
        length: (step.length > 0).then_some(step.length),
        ..Seen::default()
    };
    let event = match step.what {
        What::Passes { correction } => {
            seen.correction_ns = (correction != 0).then(|| scaled(correction));
            "forward"
        }
        What::Leaves { correction } => {
            seen.correction_ns = Some(scaled(correction));
            "forward"
        }
        What::Waits { due } => {
            seen.hold_ns = due.map(|due| ns(due.since(step.at)));
            "wait"
        }
        What::Departed {
            residence_ns,
            late_ns,
        } => {
            (seen.residence_ns, seen.late_ns) = (Some(residence_ns), late_ns);
            "depart"
        }
        What::Unmeasured { reason } => {
            seen.reason = Some(reason.label().into());
            "depart"
        }
        What::Dropped { reason } => {
            seen.reason = Some(reason.label().into());
            "drop"
        }
    };
    seen.event = event.into();
    seen
}

/// Scaled nanoseconds (2^-16) in nanoseconds, to the thousandth.
fn scaled(correction: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let ns = correction as f64 / 65_536.0;
    figures::thousandths(ns)
}

fn ns(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes
        .iter()
        .flat_map(|&byte| [digit(byte >> 4), digit(byte)])
        .collect()
}

fn json(seen: &Seen) -> Vec<u8> {
    // It holds texts and numbers: nothing of it can fail.
    let mut text = serde_json::to_vec(seen).unwrap_or_default();
    text.push(b'\n');
    text
}
