//! clockIdentity and portIdentity (IEEE 1588-2019, 5.3.4 and 5.3.5).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A clockIdentity: eight octets, written `001122.fffe.334455` as PTP tools do.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClockIdentity(pub [u8; 8]);

impl ClockIdentity {
    /// All ones: every clock.
    pub const ALL: Self = Self([0xFF; 8]);
}

impl fmt::Display for ClockIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, h, i] = self.0;
        write!(
            f,
            "{a:02x}{b:02x}{c:02x}.{d:02x}{e:02x}.{g:02x}{h:02x}{i:02x}"
        )
    }
}

impl fmt::Debug for ClockIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A clockIdentity was expected: 16 hexadecimal digits, separated by `.`, `:` or `-` or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadIdentity;

impl fmt::Display for BadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 16 hexadecimal digits, as in 001122.fffe.334455")
    }
}

impl std::error::Error for BadIdentity {}

impl FromStr for ClockIdentity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut octets = [0_u8; 8];
        let mut digits = 0_usize;
        for c in text.chars().filter(|c| !matches!(c, '.' | ':' | '-')) {
            let value = c.to_digit(16).ok_or(BadIdentity)?;
            let octet = octets.get_mut(digits / 2).ok_or(BadIdentity)?;
            *octet = *octet << 4 | u8::try_from(value).map_err(|_| BadIdentity)?;
            digits += 1;
        }
        if digits == 16 {
            Ok(Self(octets))
        } else {
            Err(BadIdentity)
        }
    }
}

/// A portIdentity: a clock and one of its ports, written `001122.fffe.334455-1`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortIdentity {
    /// The clock.
    pub clock: ClockIdentity,
    /// Its port number; 0xFFFF means every port.
    pub port: u16,
}

impl PortIdentity {
    /// portNumber of "every port of this clock".
    pub const EVERY_PORT: u16 = 0xFFFF;
    /// All ones: every port of every clock.
    pub const ALL: Self = Self {
        clock: ClockIdentity::ALL,
        port: Self::EVERY_PORT,
    };
}

impl fmt::Display for PortIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.clock, self.port)
    }
}

impl fmt::Debug for PortIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_read_what_they_write() {
        let clock = ClockIdentity([0, 0x11, 0x22, 0xFF, 0xFE, 0x33, 0x44, 0x55]);
        assert_eq!(clock.to_string(), "001122.fffe.334455");
        assert_eq!("001122.fffe.334455".parse(), Ok(clock));
        assert_eq!("00:11:22:ff:fe:33:44:55".parse(), Ok(clock));
        assert_eq!("001122fffe3344".parse::<ClockIdentity>(), Err(BadIdentity));
        assert_eq!(
            "001122fffe33445566".parse::<ClockIdentity>(),
            Err(BadIdentity)
        );
        assert_eq!(
            "001122.fffe.33445x".parse::<ClockIdentity>(),
            Err(BadIdentity)
        );
        let port = PortIdentity { clock, port: 1 };
        assert_eq!(port.to_string(), "001122.fffe.334455-1");
    }
}
