//! The words for what the core and the rings can be told to do.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::core::{Authenticated, ManagementPolicy, OneStep};
use crate::ring::Timestamping;

/// A `ValueEnum` for a type that knows nothing of command lines: its variants, each with its word and one line of help.
macro_rules! words {
    ($type:ident: $($variant:ident = $word:literal, $help:literal;)+) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant => PossibleValue::new($word).help($help),)+
                })
            }
        }
    };
}

words! { ManagementPolicy:
    Off = "off", "none";
    Get = "get", "GET only";
    All = "all", "GET, SET and COMMAND";
}

words! { Timestamping:
    Auto = "auto", "hardware where both interfaces share one PTP hardware clock and accept it, else software";
    Hardware = "hardware", "fail where it cannot be had";
    Software = "software", "the kernel's own stamps";
}

words! { OneStep:
    Convert = "convert", "sent on as two-step, with a Follow_Up made here: exact";
    Rewrite = "rewrite", "stays one-step, corrected by an estimate of its departure; with hardware stamps there is none: as convert";
}

words! { Authenticated:
    Pass = "pass", "not held and not changed: its time keeps the error of the way through";
    Drop = "drop", "dropped";
}

/// The word of a value.
pub(super) fn word(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
