//! Values as they are written: each type reads itself from text and writes itself back.
//!
//! Every error says what was expected, with an example; the caller adds the option and the value.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::core::ClientMatch;
use crate::wire::{ClockIdentity, Mac, PortIdentity};

/// A duration with its unit: `200us`, `20ms`, `1.5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// Units, longest first, with their nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("min", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected a duration with its unit, as in 200us, 20ms or 1.5s";
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if text.starts_with('-') {
            return Err("a duration is not negative: write it as in 200us, 20ms or 1.5s".into());
        }
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if unit.is_empty() && number.bytes().any(|c| c.is_ascii_digit()) {
            return Err(format!(
                "the unit is missing: write {number}us, {number}ms or {number}s"
            ));
        }
        let unit = match unit {
            "µs" | "μs" => "us",
            "m" => "min",
            unit => unit,
        };
        let &(_, unit_ns) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(EXPECTED)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: u64 = whole.parse().map_err(|_| EXPECTED)?;
        let mut ns = whole.checked_mul(unit_ns).ok_or("it is too long")?;
        let mut place = unit_ns;
        if fraction.is_empty() && number.contains('.') {
            return Err(EXPECTED.into());
        }
        for digit in fraction.chars() {
            let digit = u64::from(digit.to_digit(10).ok_or(EXPECTED)?);
            if place % 10 != 0 {
                return Err("it is finer than a nanosecond".into());
            }
            place /= 10;
            ns = ns.checked_add(digit * place).ok_or("it is too long")?;
        }
        Ok(Self(Duration::from_nanos(ns)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0.as_nanos();
        if ns == 0 {
            return f.pad("0s");
        }
        // The largest unit that writes it without a fraction; seconds at most.
        let unit = UNITS
            .iter()
            .skip(2)
            .find(|(_, unit)| ns.is_multiple_of(u128::from(*unit)));
        let &(name, unit) = unit.unwrap_or(&UNITS[5]);
        f.pad(&format!("{}{name}", ns / u128::from(unit)))
    }
}

/// A value, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OrOff<T>(pub(super) Option<T>);

impl<T: FromStr<Err: fmt::Display>> FromStr for OrOff<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text, |text| {
            text.parse().map_err(|error: T::Err| error.to_string())
        })
    }
}

impl<T> OrOff<T> {
    /// `off`, or what `value` makes of the text.
    pub(super) fn read(
        text: &str,
        value: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        match value(text) {
            Ok(value) => Ok(Self(Some(value))),
            Err(error) => Err(format!("{error}; or `off`")),
        }
    }
}

impl<T: fmt::Display> fmt::Display for OrOff<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("off"),
        }
    }
}

/// An address to listen at, or `off`.
pub(super) fn listen_address(text: &str) -> Result<OrOff<SocketAddr>, String> {
    OrOff::read(text, |text| {
        text.parse().map_err(|_| {
            "expected an IP address and a port, as in 127.0.0.1:9820 or [::]:9820".to_owned()
        })
    })
}

/// Seconds: a bare number, or a duration with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = match text.parse::<u32>() {
            Ok(seconds) => Duration::from_secs(u64::from(seconds)),
            Err(_) => text
                .parse::<Span>()
                .map(|span| span.0)
                .map_err(|_| "expected a number of seconds, as in 60".to_owned())?,
        };
        if duration < Duration::from_secs(1) {
            return Err("expected 1 second or more".into());
        }
        Ok(Self(duration))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() == 0 {
            f.pad(&self.0.as_secs().to_string())
        } else {
            Span(self.0).fmt(f)
        }
    }
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

/// An interface name that the kernel could have given (dev_valid_name).
///
/// # Errors
/// Says what a name looks like.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let whole = !text.is_empty() && text.len() <= 15 && text != "." && text != "..";
    if whole && !text.contains(|c: char| c == '/' || c == ':' || c.is_whitespace()) {
        Ok(text.to_owned())
    } else {
        Err(
            "not an interface name (1 to 15 octets without `/`, `:` or spaces); \
             `ip -brief link` lists the interfaces"
                .into(),
        )
    }
}

/// One entry of the allow-list of clients: a port identity, a clock identity, a MAC or an IP address.
///
/// # Errors
/// Lists the forms.
pub(super) fn client(text: &str) -> Result<ClientMatch, String> {
    if let Ok(mac) = text.parse::<Mac>() {
        return Ok(ClientMatch::Mac(mac));
    }
    // Before IPv6: eight pairs of digits could be read as such, and are never meant so.
    if let Some(clock) = clock(text) {
        return Ok(ClientMatch::Clock(clock));
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(ClientMatch::Ip(ip));
    }
    text.rsplit_once('-')
        .and_then(|(identity, port)| {
            Some(ClientMatch::Port(PortIdentity {
                clock: clock(identity)?,
                port: port.parse().ok()?,
            }))
        })
        .ok_or_else(|| {
            "expected a clock identity (001122.fffe.334455), a port identity (001122.fffe.334455-1), \
             a MAC address (00:11:22:33:44:55) or an IP address"
                .into()
        })
}

/// A clock identity in one of the forms that people write; others may be addresses.
fn clock(text: &str) -> Option<ClockIdentity> {
    let groups = text.split(['.', ':', '-']).map(str::len);
    let written = groups.clone().eq([6, 4, 6]) || groups.clone().eq([2; 8]) || groups.eq([16]);
    text.parse().ok().filter(|_| written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, ns, written) in [
            ("20ms", 20_000_000, "20ms"),
            ("200us", 200_000, "200us"),
            ("200µs", 200_000, "200us"),
            ("1.5s", 1_500_000_000, "1500ms"),
            ("0.25ms", 250_000, "250us"),
            ("2min", 120_000_000_000, "120s"),
            ("1h", 3_600_000_000_000, "3600s"),
            ("7ns", 7, "7ns"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0, Duration::from_nanos(ns), "{text}");
            assert_eq!(span.to_string(), written);
            assert_eq!(written.parse(), Ok(span));
        }
        assert_eq!(
            "20".parse::<Span>(),
            Err("the unit is missing: write 20us, 20ms or 20s".into())
        );
        for text in [
            "",
            ".",
            "ms",
            ".5s",
            "1.s",
            "-1s",
            "1 s",
            "1x",
            "1.2.3s",
            "0.5ns",
            "1e3s",
            "99999999999999999999s",
            "9999999999999h",
            "½s",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn off_is_a_value() {
        assert_eq!("off".parse(), Ok(OrOff::<u32>(None)));
        assert_eq!("12".parse(), Ok(OrOff(Some(12_u32))));
        let error = "x".parse::<OrOff<Span>>().expect_err("no duration");
        assert!(error.ends_with("; or `off`"), "{error}");
        assert_eq!(OrOff::<u32>(None).to_string(), "off");
        assert_eq!("60".parse(), Ok(Seconds(Duration::from_secs(60))));
        assert_eq!("2min".parse(), Ok(Seconds(Duration::from_secs(120))));
        assert!("0".parse::<Seconds>().is_err());
    }

    #[test]
    fn clients_are_told_by_their_form() {
        let clock = ClockIdentity([0, 0x11, 0x22, 0xFF, 0xFE, 0x33, 0x44, 0x55]);
        let port = PortIdentity { clock, port: 1 };
        for (text, expected) in [
            ("001122.fffe.334455", ClientMatch::Clock(clock)),
            ("00:11:22:ff:fe:33:44:55", ClientMatch::Clock(clock)),
            ("001122fffe334455", ClientMatch::Clock(clock)),
            ("001122.fffe.334455-1", ClientMatch::Port(port)),
            ("00-11-22-ff-fe-33-44-55-1", ClientMatch::Port(port)),
            (
                "00:11:22:33:44:55",
                ClientMatch::Mac(Mac([0, 0x11, 0x22, 0x33, 0x44, 0x55])),
            ),
            ("192.0.2.7", ClientMatch::Ip([192, 0, 2, 7].into())),
            // Sixteen digits, but an address.
            (
                "fe80::0011:2233:4455",
                ClientMatch::Ip("fe80::11:2233:4455".parse().expect("an address")),
            ),
        ] {
            assert_eq!(client(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "eth0",
            "001122.fffe.334455-",
            "001122.fffe.334455-70000",
            "192.0.2",
        ] {
            assert!(client(text).is_err(), "{text}");
        }
    }

    #[test]
    fn interface_names() {
        for name in ["eth0", "enp3s0f1np1.100", "br-lan", "down"] {
            assert_eq!(interface(name), Ok(name.to_owned()));
        }
        for name in ["", ".", "..", "a/b", "a b", "eth0:1", "sixteen-octets-x"] {
            assert!(interface(name).is_err(), "{name}");
        }
    }
}
