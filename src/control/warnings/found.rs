//! One thing that is wrong, and what makes it an alarm of its own.

use super::kind::WarningKind;
use crate::control::reply::Warning;
use crate::side::PortId;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) struct Found {
    pub(in crate::control) kind: WarningKind,
    /// Tells causes of one kind apart that are alarms of their own; empty where there is one only.
    pub(in crate::control) cause: &'static str,
    /// The interface, where it is one's alone.
    pub(in crate::control) port: Option<PortId>,
    /// What, and what to do.
    pub(in crate::control) text: String,
}

impl Found {
    pub(super) fn new(kind: WarningKind, cause: &'static str, text: String) -> Self {
        Self {
            kind,
            cause,
            port: None,
            text,
        }
    }

    /// At an interface: each is an alarm of its own.
    pub(super) fn at(port: PortId, kind: WarningKind, text: String) -> Self {
        Self {
            port: Some(port),
            ..Self::new(kind, port.label(), text)
        }
    }

    /// Whether it is the same alarm.
    pub(in crate::control) fn is_same(&self, other: &Self) -> bool {
        let key = |found: &Self| (found.kind, found.cause, found.port);
        key(self) == key(other)
    }
}

impl From<Found> for Warning {
    fn from(found: Found) -> Self {
        Self {
            code: found.kind.code().to_owned(),
            text: found.text,
        }
    }
}
