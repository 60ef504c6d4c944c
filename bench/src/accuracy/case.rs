//! The gateways that are compared, and under what they are.

use std::ffi::OsString;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::ptp4l::Gateway;

/// A gateway to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// No gateway: one cable, the floor
    Direct,
    /// ptpproxy as it comes
    Ours,
    /// ptpproxy that holds each Delay_Req up to 50 ms
    OursHolding,
    /// ptp4l as an end-to-end transparent clock, which holds nothing
    Ptp4lTc,
    /// The kernel's bridge, which corrects nothing
    Bridge,
}

impl Case {
    /// Every one, in the order of the tables.
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Ours,
        Self::OursHolding,
        Self::Ptp4lTc,
        Self::Bridge,
    ];

    /// The words of the tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct cable",
            Self::Ours => "ptpproxy",
            Self::OursHolding => "ptpproxy, 50 ms jitter",
            Self::Ptp4lTc => "ptp4l E2E_TC",
            Self::Bridge => "kernel bridge",
        }
    }

    /// What to start for it; `binary` is ptpproxy.
    #[must_use]
    pub fn gateway(self, binary: &Path) -> Gateway {
        let ours = |arguments: &[&str]| Gateway::Ptpproxy {
            binary: binary.to_owned(),
            arguments: arguments.iter().map(OsString::from).collect(),
        };
        match self {
            Self::Direct => Gateway::Direct,
            Self::Ours => ours(&[]),
            Self::OursHolding => ours(&["--jitter", "50ms", "--jitter-share", "off"]),
            Self::Ptp4lTc => Gateway::Ptp4lTc,
            Self::Bridge => Gateway::Bridge,
        }
    }
}

/// What else the machine does meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Nothing.
    Rest,
    /// One busy loop per core.
    Busy,
}

impl Condition {
    /// The words of the tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rest => "at rest",
            Self::Busy => "one busy loop per core",
        }
    }
}
