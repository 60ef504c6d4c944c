//! Commands that ask a running gateway, and the option that says where it listens for them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::values::Span;
use crate::control::Place;
use crate::control::reply::Sort;

/// Where the gateway answers.
#[derive(Args, Debug)]
pub(super) struct ControlArgs {
    /// Answer `ptpproxy status` and its kin on this Unix socket; owner and group may connect.
    ///
    /// `auto` is UP-DOWN.sock in systemd's RuntimeDirectory, or in /run/ptpproxy.
    #[arg(
        long,
        help_heading = "Output",
        value_name = "PATH|auto|off",
        default_value = "auto"
    )]
    pub(super) control: Place,
}

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

/// Whom to ask, and in which form to show it.
#[derive(Args, Debug)]
pub(super) struct AskArgs {
    /// The gateway's control socket, if more than one runs here.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Print one JSON object for programs, in place of the text for people.
    ///
    /// Names end in their unit, as in uptime_s and interval_ms; what is not known is null. Versions to come may
    /// add names, so skip those that you do not know; `protocol` changes if one goes. A gateway that does not
    /// answer is told on standard error, with exit code 1. For example: ptpproxy status --json | jq .warnings
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct ClientsArgs {
    #[command(flatten)]
    ask: AskArgs,

    /// What comes first.
    #[arg(long, value_name = "KEY", value_enum, default_value_t = Sort::Identity)]
    sort: Sort,

    /// Show only the first N.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

#[derive(Args, Debug)]
pub(super) struct TopArgs {
    /// The gateway's control socket, if more than one runs here.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Look again this often: 100ms to 1min.
    #[arg(long, value_name = "DUR", default_value = "1s", value_parser = interval)]
    interval: Span,
}

fn interval(text: &str) -> Result<Span, String> {
    let span: Span = text.parse()?;
    if (Duration::from_millis(100)..=Duration::from_secs(60)).contains(&span.0) {
        Ok(span)
    } else {
        Err("expected 100ms to 1min, as in 1s".into())
    }
}

/// What to ask a running gateway.
#[derive(Clone, Debug)]
pub struct ShowOptions {
    /// Its control socket; `None` is the only one here.
    pub socket: Option<PathBuf>,
    /// What to show.
    pub what: Show,
}

/// What to show of a running gateway.
#[derive(Clone, Copy, Debug)]
pub enum Show {
    /// Its state.
    Status {
        /// As JSON.
        json: bool,
    },
    /// Its clients.
    Clients {
        /// As JSON.
        json: bool,
        /// Their order.
        sort: Sort,
        /// How many at most.
        limit: Option<usize>,
    },
    /// Both, live.
    Top {
        /// Time between two looks.
        interval: Duration,
    },
    /// What came of reading its configuration again.
    Reload {
        /// As JSON.
        json: bool,
    },
}

impl AskArgs {
    pub(super) fn status(self) -> ShowOptions {
        ShowOptions {
            socket: self.socket,
            what: Show::Status { json: self.json },
        }
    }

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
