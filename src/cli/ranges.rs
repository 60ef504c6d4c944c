//! The values of the options that are not taken whole: each with its range, its unit and an example.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::values::{OrOff, Span};
use crate::cli::SweepIntervals;
use crate::core::Settings;

/// A domainNumber.
pub(super) fn domain(text: &str) -> Result<u8, String> {
    number(text, 0..=255, "a domain number", "24")
}

/// Delay_Req a second toward the grandmaster.
pub(super) fn max_rate(text: &str) -> Result<OrOff<u32>, String> {
    OrOff::read(text, |text| {
        number(text, Settings::MAX_RATE, "a whole number a second", "2000")
    })
}

/// Messages a second of one client.
pub(super) fn client_rate(text: &str) -> Result<u32, String> {
    number(
        text,
        Settings::CLIENT_RATE,
        "a whole number a second",
        "256",
    )
}

/// Rows of the client table.
pub(super) fn max_clients(text: &str) -> Result<u32, String> {
    number(text, Settings::MAX_CLIENTS, "a whole number", "4096")
}

/// Small cells of the store.
pub(super) fn hold_frames(text: &str) -> Result<u32, String> {
    number(text, Settings::HOLD_FRAMES, "a whole number", "8192")
}

/// A seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    number(text, 0..=u64::MAX, "a whole number", "7")
}

/// Parts per million.
pub(super) fn max_rate_ppm(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ppm| *ppm > 0.0 && *ppm <= 1000.0)
        .ok_or_else(|| "expected a number of more than 0 and at most 1000, as in 200".into())
}

/// A share of the request interval.
pub(super) fn jitter_share(text: &str) -> Result<OrOff<f64>, String> {
    OrOff::read(text, |text| {
        text.parse()
            .ok()
            .filter(|share| *share > 0.0 && *share <= 1.0)
            .ok_or_else(|| "expected a number of more than 0 and at most 1, as in 0.125".into())
    })
}

/// A random hold.
pub(super) fn jitter(text: &str) -> Result<OrOff<Span>, String> {
    OrOff::read(text, |text| {
        span(text, Duration::ZERO..=Settings::MAX_HOLD_LIMIT, "20ms")
    })
}

/// The longest hold.
pub(super) fn max_hold(text: &str) -> Result<Span, String> {
    let range = SweepTime::LEAST_MAX_HOLD..=Settings::MAX_HOLD_LIMIT;
    span(text, range, "100ms")
}

/// The longest wait for a transmit stamp.
pub(super) fn tx_timestamp_timeout(text: &str) -> Result<Span, String> {
    positive(text, Duration::from_secs(1), "10ms")
}

/// How long a silent client is known.
pub(super) fn client_timeout(text: &str) -> Result<Span, String> {
    let given: Span = text.parse()?;
    if given.0 < Duration::from_secs(1) {
        return Err("expected at least 1s, as in 60s".into());
    }
    Ok(given)
}

/// The time between two looks at the rings: so long, or as long as suits the longest hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct SweepTime(Option<Duration>);

impl SweepTime {
    const LEAST: Duration = Duration::from_micros(20);
    const MOST: Duration = Duration::from_millis(10);
    /// By itself: a turn of the loop costs as much as the forwarding of ten frames, so it is to find some.
    const USUAL: Duration = Duration::from_millis(1);
    /// By itself with `--precise`: a request that is read late may be past its moment.
    const PRECISE: Duration = Duration::from_micros(200);
    /// While messages keep their wait as error, at most.
    const UNTOUCHED: Duration = Duration::from_micros(200);
    /// The shortest `--max-hold` that leaves a choice.
    const LEAST_MAX_HOLD: Duration = Self::LEAST.saturating_mul(Settings::GRIDS_IN_MAX_HOLD);

    /// The intervals beside this longest hold, and with `--precise` or without.
    pub(super) fn beside(self, max_hold: Duration, precise: bool) -> SweepIntervals {
        let usual = self.0.unwrap_or_else(|| {
            let most = max_hold / Settings::GRIDS_IN_MAX_HOLD;
            let wanted = if precise { Self::PRECISE } else { Self::USUAL };
            wanted.min(most)
        });
        SweepIntervals {
            usual,
            untouched: Self::UNTOUCHED.min(usual),
        }
    }
}

/// The time between two looks at the rings.
pub(super) fn sweep(text: &str) -> Result<SweepTime, String> {
    if text == "auto" {
        return Ok(SweepTime(None));
    }
    span(text, SweepTime::LEAST..=SweepTime::MOST, "500us")
        .map(|span| SweepTime(Some(span.0)))
        .map_err(|error| format!("{error}; or auto; to look without pause use --spin"))
}

/// Frames of a ring: so many, or as many as the client table asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingFrames(Option<u32>);

impl RingFrames {
    /// What a ring holds at most.
    const MOST: u32 = 65_536;
    /// What it holds at least, unless fewer are asked for.
    const USUAL: u32 = 4096;
    /// One frame for so many clients: at one request a second each, enough to stand still for an eighth of a
    /// second.
    const CLIENTS_EACH: u32 = 8;

    /// Frames of each ring beside a table for so many clients.
    pub(super) fn beside(self, max_clients: u32) -> u32 {
        self.0.unwrap_or_else(|| {
            (max_clients / Self::CLIENTS_EACH)
                .next_power_of_two()
                .clamp(Self::USUAL, Self::MOST)
        })
    }
}

/// Frames of a ring.
pub(super) fn ring_frames(text: &str) -> Result<RingFrames, String> {
    if text == "auto" {
        return Ok(RingFrames(None));
    }
    text.parse()
        .ok()
        .filter(|frames: &u32| frames.is_power_of_two() && (64..=RingFrames::MOST).contains(frames))
        .map(|frames| RingFrames(Some(frames)))
        .ok_or_else(|| "expected auto, or a power of two from 64 to 65536, as in 4096".into())
}

fn number<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
    what: &str,
    example: &str,
) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|value| range.contains(value))
        .ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            format!("expected {what} from {least} to {most}, as in {example}")
        })
}

fn span(text: &str, range: RangeInclusive<Duration>, example: &str) -> Result<Span, String> {
    let given: Span = text.parse()?;
    if range.contains(&given.0) {
        return Ok(given);
    }
    let (least, most) = (Span(*range.start()), Span(*range.end()));
    Err(format!("expected {least} to {most}, as in {example}"))
}

fn positive(text: &str, most: Duration, example: &str) -> Result<Span, String> {
    let given: Span = text.parse()?;
    if !given.0.is_zero() && given.0 <= most {
        return Ok(given);
    }
    let most = Span(most);
    Err(format!(
        "expected more than 0 and at most {most}, as in {example}"
    ))
}
