//! A step as a line of text: time, side, message, and what became of it. Columns are apart by two spaces or more.

use std::fmt::Write as _;

use super::tally::where_lost;
use crate::control::seen::Seen;

/// The names of the columns.
pub(super) fn head() -> String {
    row("# time (UTC)", "from", "message", "what")
}

/// A step, or what was lost.
pub(super) fn line(seen: &Seen) -> String {
    if let (Some(count), Some(why)) = (seen.count, &seen.why) {
        return format!("# {count} lines lost {}\n", where_lost(why));
    }
    let name = seen.name.as_deref().unwrap_or("-");
    row(&time(seen.time_ns), &seen.from, name, &what(seen))
}

fn row(time: &str, from: &str, message: &str, what: &str) -> String {
    format!("{time:<15}  {from:<4}  {message:<50}  {what}\n")
}

/// What became of a message, in the words of `replay`.
fn what(seen: &Seen) -> String {
    let mut text = match (seen.event.as_str(), &seen.reason) {
        ("depart", Some(reason)) => format!("departed, residence unknown: {reason}"),
        ("depart", None) => "departed".to_owned(),
        (event, Some(reason)) => format!("{event} {reason}"),
        (event, None) => event.to_owned(),
    };
    // Writing to a String cannot fail.
    if let Some(ns) = seen.hold_ns {
        let _ = write!(text, ", departs after {}", ms(ns));
    }
    if let Some(ns) = seen.residence_ns {
        let _ = write!(text, ", residence {}", ms(ns));
    }
    if let Some(ns) = seen.late_ns {
        let _ = write!(text, ", {} late", ms(ns));
    }
    if let Some(ns) = seen.correction_ns {
        let _ = write!(text, ", correction {:+.6} ms", ns / 1e6);
    }
    text
}

/// Milliseconds, to the nanosecond.
fn ms(ns: u64) -> String {
    format!("{}.{:06} ms", ns / 1_000_000, ns % 1_000_000)
}

/// The time of the day, to the microsecond.
fn time(ns: u64) -> String {
    let (seconds, us) = (ns / 1_000_000_000, ns / 1_000 % 1_000_000);
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{us:06}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(event: &str) -> Seen {
        Seen {
            event: event.into(),
            time_ns: 1_764_432_304_000_000_000 + 1_234_999,
            from: "down".into(),
            name: Some("Delay_Req 001122.fffe.334455-1 #7 udp4".into()),
            ..Seen::default()
        }
    }

    #[test]
    fn each_step_is_a_line() {
        let waits = Seen {
            hold_ns: Some(12_000_007),
            ..seen("wait")
        };
        assert_eq!(
            line(&waits),
            "16:05:04.001234  down  Delay_Req 001122.fffe.334455-1 #7 udp4              \
             wait, departs after 12.000007 ms\n"
        );
        let what = |seen: Seen| what(&seen);
        let departed = Seen {
            residence_ns: Some(12_003_456),
            late_ns: Some(3_449),
            ..seen("depart")
        };
        assert_eq!(
            what(departed),
            "departed, residence 12.003456 ms, 0.003449 ms late"
        );
        let unknown = Seen {
            reason: Some("no-tx-stamp".into()),
            ..seen("depart")
        };
        assert_eq!(what(unknown), "departed, residence unknown: no-tx-stamp");
        let corrected = Seen {
            correction_ns: Some(12_003_456.5),
            ..seen("forward")
        };
        assert_eq!(what(corrected), "forward, correction +12.003457 ms");
        let dropped = Seen {
            reason: Some("foreign".into()),
            ..seen("drop")
        };
        assert_eq!(what(dropped), "drop foreign");
        assert_eq!(what(seen("forward")), "forward");
        let lost = Seen {
            count: Some(3),
            why: Some("rate".into()),
            ..seen("lost")
        };
        assert_eq!(line(&lost), "# 3 lines lost beyond the rate\n");
    }
}
