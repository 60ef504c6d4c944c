//! The gateways that are compared, and under what they are.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
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
    /// ptpproxy that holds each Delay_Req up to 20 ms; both ends as in the next two, but without keys
    Unsigned,
    /// The same with signed messages: verified, and signed again after each correction
    Signed,
    /// The same with `allow_mutable 1`: verified; the signature leaves correctionField out
    SignedMutable,
    /// Signed messages over one cable
    SignedDirect,
    /// Signed messages through ptp4l as an end-to-end transparent clock
    SignedPtp4lTc,
}

impl Case {
    /// Those of an ordinary run.
    pub const ALL: [Self; 5] = [
        Self::Direct,
        Self::Ours,
        Self::OursHolding,
        Self::Ptp4lTc,
        Self::Bridge,
    ];
    /// Those of a run with `--signed`.
    pub const SIGNED: [Self; 5] = [
        Self::Unsigned,
        Self::Signed,
        Self::SignedMutable,
        Self::SignedDirect,
        Self::SignedPtp4lTc,
    ];

    /// Every one, in the order of the tables.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Self::SIGNED)
    }

    /// The words of the tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Direct => "direct cable",
            Self::Ours => "ptpproxy",
            Self::OursHolding => "ptpproxy, 50 ms jitter",
            Self::Ptp4lTc => "ptp4l E2E_TC",
            Self::Bridge => "kernel bridge",
            Self::Unsigned => "ptpproxy, 20 ms jitter, unsigned",
            Self::Signed => "ptpproxy, 20 ms jitter, signed",
            Self::SignedMutable => "ptpproxy, 20 ms jitter, signed, allow_mutable 1",
            Self::SignedDirect => "direct cable, signed",
            Self::SignedPtp4lTc => "ptp4l E2E_TC, signed",
        }
    }

    /// What to start for it; `binary` is ptpproxy, and `keys` is what [`Self::write_keys`] has written.
    #[must_use]
    pub fn gateway(self, binary: &Path, keys: &Path) -> Gateway {
        let ours = |arguments: &[&str]| Gateway::Ptpproxy {
            binary: binary.to_owned(),
            arguments: arguments.iter().map(OsString::from).collect(),
        };
        let held = ["--jitter", "20ms", "--jitter-share", "off"];
        match self {
            Self::Direct | Self::SignedDirect => Gateway::Direct,
            Self::Ours => ours(&[]),
            Self::OursHolding => ours(&["--jitter", "50ms", "--jitter-share", "off"]),
            Self::Ptp4lTc | Self::SignedPtp4lTc => Gateway::Ptp4lTc,
            Self::Bridge => Gateway::Bridge,
            Self::Unsigned => ours(&held),
            Self::Signed | Self::SignedMutable => {
                let Gateway::Ptpproxy {
                    binary,
                    mut arguments,
                } = ours(&held)
                else {
                    return Gateway::Nothing;
                };
                let required = ["--require-authentication", "both", "--sa-file"];
                arguments.extend(required.map(OsString::from));
                arguments.push(keys.into());
                Gateway::Ptpproxy { binary, arguments }
            }
        }
    }

    /// Whether both ends are a ptp4l that can sign.
    #[must_use]
    pub const fn needs_signing(self) -> bool {
        matches!(self, Self::Unsigned) || self.is_signed()
    }

    const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::Signed | Self::SignedMutable | Self::SignedDirect | Self::SignedPtp4lTc
        )
    }

    /// Writes the keys of all to a file; what each ptp4l is told of them.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_keys(self, keys: &Path) -> io::Result<String> {
        if !self.is_signed() {
            return Ok(String::new());
        }
        let mutable = u8::from(self == Self::SignedMutable);
        let association = format!(
            "[security_association]\nspp 3\nallow_mutable {mutable}\n1 SHA256-128 ASCII:one-secret\n"
        );
        fs::write(keys, association)?;
        fs::set_permissions(keys, Permissions::from_mode(0o600))?;
        Ok(format!(
            "sa_file {}\nspp 3\nactive_key_id 1\n",
            keys.display()
        ))
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
