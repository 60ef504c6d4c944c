//! Commands that ask a running gateway, and how the place where it answers is written.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::flag::parser;
use super::ranges::Within;
use crate::control::reply::Sort;
use crate::control::{Orderer, Place, Role};
use crate::options::{Show, ShowOptions};
use crate::range::Range;
use crate::span::Span;

/// How often `top` may update.
pub(super) const INTERVAL: Within<Span> = Within::new(
    "a duration",
    Range::new(Duration::from_millis(100), Duration::from_secs(60)),
    "1s",
);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Default),
            "" => Err("expected a path, as in /run/ptpproxy/lab.sock, or auto or off".into()),
            path => Ok(Self::At(PathBuf::from(path))),
        }
    }
}

/// Which gateway to ask, and the form of its answer.
#[derive(Args, Debug)]
pub(super) struct AskArgs {
    /// Control socket of the gateway, if more than one runs on this machine.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Print one JSON object for programs.
    ///
    /// Names end in their unit, as in uptime_s and interval_ms; an unknown value is null. Later versions may add
    /// names: skip those that you do not know. `protocol` changes if a name goes. If the gateway does not answer,
    /// the exit code is 1. For example: ptpproxy status --json | jq .warnings
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    ask: AskArgs,

    /// Show every gateway of this machine, one a line, and what is wrong with it.
    ///
    /// They are found by their control sockets in /run/ptpproxy and $XDG_RUNTIME_DIR/ptpproxy, and by the kernel's list of
    /// who holds interfaces. With --json: a list with an object for each, whose `status` is what `status --json` prints of
    /// it.
    #[arg(long, conflicts_with = "socket")]
    all: bool,
}

#[derive(Args, Debug)]
pub(super) struct RoleArgs {
    #[command(flatten)]
    ask: AskArgs,

    /// Who says so, for status and log: up to 15 letters, digits, dots, dashes and underscores.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = orderer)]
    by: Orderer,
}

fn orderer(text: &str) -> Result<Orderer, String> {
    Orderer::new(text).ok_or_else(|| {
        "expected up to 15 letters, digits, dots, dashes and underscores, as in keepalived".into()
    })
}

impl RoleArgs {
    pub(super) fn options(self, role: Role) -> ShowOptions {
        let AskArgs { socket, json } = self.ask;
        let by = self.by;
        ShowOptions {
            socket,
            what: Show::Role { role, by, json },
        }
    }
}

#[derive(Args, Debug)]
pub(super) struct ClientsArgs {
    #[command(flatten)]
    ask: AskArgs,

    /// Order of the list.
    #[arg(long, value_name = "KEY", value_enum, default_value_t = Sort::Identity)]
    sort: Sort,

    /// Show only the first N.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Args, Debug)]
pub(super) struct TopArgs {
    /// Control socket of the gateway, if more than one runs on this machine.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Interval between updates.
    #[arg(long, value_name = "DUR", default_value = "1s", value_parser = parser(INTERVAL))]
    interval: Span,
}

impl StatusArgs {
    pub(super) fn options(self) -> ShowOptions {
        let AskArgs { socket, json } = self.ask;
        let what = match self.all {
            true => Show::All { json },
            false => Show::Status { json },
        };
        ShowOptions { socket, what }
    }
}

impl AskArgs {
    pub(super) fn reload(self) -> ShowOptions {
        ShowOptions {
            socket: self.socket,
            what: Show::Reload { json: self.json },
        }
    }
}

impl ClientsArgs {
    pub(super) fn options(self) -> ShowOptions {
        ShowOptions {
            socket: self.ask.socket,
            what: Show::Clients {
                json: self.ask.json,
                sort: self.sort,
                limit: self.limit,
            },
        }
    }
}

impl TopArgs {
    pub(super) fn options(self) -> ShowOptions {
        ShowOptions {
            socket: self.socket,
            what: Show::Top {
                interval: self.interval.0,
            },
        }
    }
}
