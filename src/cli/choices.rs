//! The words for values that are one of a few.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::Side;
use crate::core::{
    Authenticated, ManagementPolicy, OneStep, RelayNeighbours, RequireAuthentication,
};
use crate::options::{FilterChoice, LogFormat, RoutedChoice, SourceChoice};
use crate::ring::Timestamping;

/// A `ValueEnum` for a type of another room: its variants, each with its word and one line of help.
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

words! { RelayNeighbours:
    Off = "off", "not relayed: only multicast PTP, and unicast over Ethernet, need nothing else";
    Auto = "auto", "relayed for masters upstream and clients downstream, unless answers come another way";
}

words! { SourceChoice:
    Client = "client", "the clients' own";
    Gateway = "gateway", "this machine's, of --source-address";
}

words! { OneStep:
    Convert = "convert", "sent as two-step, with a Follow_Up made here: exact";
    Rewrite = "rewrite", "stays one-step, with an estimated departure time; with hardware timestamps as convert";
}

words! { Authenticated:
    Pass = "pass", "not held and not changed; their residence time stays in them as an error";
    Mutable = "mutable", "held and corrected, as all others: if their keys exclude mutable fields (allow_mutable 1)";
    Drop = "drop", "dropped";
}

words! { RequireAuthentication:
    Off = "off", "no side";
    Up = "up", "from upstream";
    Down = "down", "from downstream";
    Both = "both", "from both sides";
}

words! { Timestamping:
    Auto = "auto", "hardware if both interfaces share one PTP hardware clock and accept it, else software";
    Hardware = "hardware", "hardware, or an error at start";
    Software = "software", "the kernel's software timestamps";
}

words! { FilterChoice:
    Auto = "auto", "map if allowed (CAP_BPF), else tree";
    Map = "map", "a map in the kernel, or an error at start";
    Tree = "tree", "a search tree, for as many clients as net.core.optmem_max allows";
    Plain = "plain", "no client filter: every Delay_Resp is received";
}

words! { RoutedChoice:
    Off = "off", "not routed: unicast over UDP needs one subnet on both sides";
    On = "on", "routed; a table of the gateway's own keeps the kernel from it";
    Guarded = "guarded", "routed; the table of `ptpproxy guard` keeps the kernel from it";
}

words! { LogFormat:
    Auto = "auto", "under systemd for its journal: a priority for each line, no second timestamp; else text";
    Text = "text", "time, level and message";
    Json = "json", "one JSON object a line: time (UTC), level, target, message, and the fields of warnings";
}

impl ValueEnum for Side {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Up, Self::Down]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.label()))
    }
}
