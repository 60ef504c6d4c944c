//! How much memory a gateway takes, and whether it is there.
//!
//! Rings are memory of the kernel that is never paged out and that no limit of a service covers: a machine without room
//! for them would end other programs, or itself. So they are asked for only where they fit.

use std::fmt;

use anyhow::{Result, bail};

use super::ports;
use crate::core::{Settings, reserved_bytes};
use crate::options::RunOptions;
use crate::ring::{RxOptions, TxOptions};

/// Bytes that a gateway takes at most, but for the program itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Taken at once, in the kernel.
    pub(super) rings: u64,
    /// Taken as clients and held messages come.
    pub(super) tables: u64,
}

impl Memory {
    /// What these options take with so many interfaces downstream.
    pub(super) fn of(options: &RunOptions, downs: usize) -> Self {
        let rings = &options.rings;
        let receive = u64::from(rings.frames) * u64::from(RxOptions::default().frame_size);
        let transmit = ports::transmit_options(rings, TxOptions::default().stamps);
        let transmit = u64::from(transmit.frames) * u64::from(transmit.frame_size);
        let downs = u8::try_from(downs).unwrap_or(u8::MAX);
        let settings = Settings::from(options.settings.clone()).of_one_port(downs);
        let (of_one, downs) = (reserved_bytes(&settings), u64::from(downs));
        Self {
            rings: (1 + downs) * (receive + transmit),
            tables: downs * of_one,
        }
    }

    /// The line for the log, and whether it is a warning: `available` is what the system has, `None` if it does not say.
    ///
    /// # Errors
    /// The rings do not fit: one line with the remedy.
    pub(super) fn check(self, available: Option<u64>) -> Result<(bool, String)> {
        let Some(available) = available else {
            return Ok((false, self.to_string()));
        };
        let has = Mib(available);
        if self.rings > available {
            bail!(
                "the packet rings take {} and {has} of memory are available: lower --ring-frames or --max-clients",
                Mib(self.rings)
            );
        }
        if self.rings + self.tables > available {
            let text =
                format!("{self}; only {has} available: lower --max-clients or --hold-frames");
            return Ok((true, text));
        }
        Ok((false, format!("{self}; {has} available")))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rings, tables } = *self;
        write!(
            f,
            "memory: {} of packet rings, up to {} of tables as they fill",
            Mib(rings),
            Mib(tables)
        )
    }
}

/// Bytes in MiB, with one decimal.
struct Mib(u64);

impl fmt::Display for Mib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.saturating_mul(10).div_ceil(1 << 20);
        write!(f, "{}.{} MiB", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn with(arguments: &str) -> Memory {
        let line = format!("ptpproxy --up eth0 --down eth1 {arguments}");
        match cli::parse(line.split_whitespace().map(Into::into)) {
            Ok((cli::Action::Run(options), _)) => Memory::of(&options, options.downs.len()),
            other => panic!("{other:?}"),
        }
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_defaults_take_little_and_more_is_taken_only_when_asked_for() {
        let usual = with("");
        assert_eq!(usual.rings, 4 * MIB);
        assert!(usual.rings + usual.tables <= 12 * MIB, "{usual}");
        assert_eq!(with("--max-clients 1000").rings, usual.rings);
        assert!(with("--max-clients 100000").rings > usual.rings);
        assert!(with("--ring-frames 64").rings < MIB);
    }

    #[test]
    fn what_does_not_fit_is_refused_or_warned_of() {
        let memory = Memory {
            rings: 9 * MIB,
            tables: 3 * MIB,
        };
        let said = |available| memory.check(available).unwrap();
        assert_eq!(
            said(Some(40 * MIB)),
            (false, "memory: 9.0 MiB of packet rings, up to 3.0 MiB of tables as they fill; 40.0 MiB available".into())
        );
        assert!(!said(None).0 && !said(Some(12 * MIB)).0);
        let (warns, text) = said(Some(12 * MIB - 1));
        assert!(warns && text.contains("--max-clients"), "{text}");
        let refused = memory.check(Some(9 * MIB - 1)).unwrap_err().to_string();
        assert!(
            refused.contains("9.0 MiB") && refused.contains("--ring-frames"),
            "{refused}"
        );
    }
}
