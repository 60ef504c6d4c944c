//! The words for what the core can be told to do.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::core::{Authenticated, ManagementPolicy, OneStep};

/// A `ValueEnum` for a type of the core: its variants, each with its word and one line of help.
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
