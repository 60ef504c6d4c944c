//! `ptpproxy replay`: which captures, and which options do anything there.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use super::policy::PolicyArgs;
use crate::options::{ReplayInput, ReplayOptions, SourceChoice, SweepIntervals};
use crate::{PerSide, Side};

const EXAMPLES: &str = "\
Examples:
  ptpproxy replay clients.pcap --from down
      What becomes of frames that were captured on the down interface.
  ptpproxy replay both.pcapng --up eth0 --down eth1
      Both sides, by the interfaces' names in the file. Answers find their requests.
  ptpproxy replay --up up.pcap --down down.pcap
      The same with a file for each side: without CAPTURE, --up and --down name files.
  ptpproxy replay any.pcap --up 3 --down 4
      A capture on `any` (LINUX_SLL2), by the interfaces' numbers (`ip link` shows them).
  tcpdump -U -Q in -i eth0 -w - 'ether proto 0x88f7 or udp portrange 319-320' |
    ptpproxy replay - --from up
      Live: each verdict when it is known; Ctrl-C ends it with the totals.
  dumpcap -q -f 'inbound and (ether proto 0x88f7 or udp portrange 319-320)' -i eth0 -i eth1 -w - |
    ptpproxy replay - --up eth0 --down eth1
      Live, both sides; a verdict comes up to 0.4 s later, since dumpcap writes out of order.

Capture incoming frames only (tcpdump -Q in; dumpcap -f inbound): frames that the gateway itself
sent would count as a second path. They are left out where the file marks them, as on `any`.

With --from down, clients count as answered and the grandmaster's rate as known, so holds show.
With --from up nobody asked, so Delay_Resp answer nobody. With both sides, an answer that was
captured before its request departs in the replay arrives right after that departure.

`any` holds neither VLAN tags that the kernel stripped nor destination MACs: a verdict that needs
them is `unknown`. A frame that cannot be judged is `skipped`. Both are counted, with the reason.";

/// Why an option of a running gateway is refused.
const OF_THIS_MACHINE: &str = "{} is not replayed: a capture holds neither the gateway's addresses nor its routes and \
                               neighbours. Without it a replay judges by the same policy, with the clients' own addresses; \
                               `ptpproxy watch` shows each message of a running gateway";

/// Options that do nothing in any replay: every departure has its timestamp.
const WITHOUT_EFFECT: [&str; 2] = ["estimate", "tx_timestamp_timeout"];
/// Options about requests: none comes from upstream.
const DOWN_ONLY: [&str; 9] = [
    "jitter",
    "jitter_share",
    "seed",
    "client",
    "management",
    "max_rate",
    "client_rate",
    "max_clients",
    "client_timeout",
];
/// Options about a grandmaster: none speaks downstream.
const UP_ONLY: [&str; 4] = ["grandmaster", "one_step", "syntonize", "max_rate_ppm"];

#[derive(Args, Debug)]
#[command(
    after_help = EXAMPLES,
    override_usage = "\
ptpproxy replay [OPTIONS] <CAPTURE> --from <SIDE>
       ptpproxy replay [OPTIONS] <CAPTURE> --up <IF> --down <IF>
       ptpproxy replay [OPTIONS] --up <FILE> --down <FILE>",
    mut_arg("estimate", |arg| arg.hide(true)),
    mut_arg("tx_timestamp_timeout", |arg| arg.hide(true)),
)]
pub(super) struct ReplayArgs {
    /// The capture, pcap or pcapng, of Ethernet interfaces or of `any`; `-` reads standard input.
    capture: Option<PathBuf>,

    /// The side that all frames came from: the capture is of one interface.
    #[arg(long, value_enum, value_name = "SIDE", conflicts_with_all = ["up", "down"])]
    from: Option<Side>,

    /// Frames from upstream: their interface in CAPTURE, by name (by number on `any`, or where there is no
    /// name); without CAPTURE their file.
    #[arg(long, value_name = "IF|FILE", requires = "down")]
    up: Option<OsString>,

    /// Frames from downstream, likewise.
    #[arg(long, value_name = "IF|FILE", requires = "up")]
    down: Option<OsString>,

    #[arg(long, value_enum, hide = true, value_name = "WHOSE")]
    source: Option<SourceChoice>,

    #[arg(long, hide = true, value_name = "ADDR", num_args = 1)]
    source_address: Option<String>,

    #[arg(long, hide = true, num_args = 0..=1)]
    routed: Option<Option<String>>,

    /// Write what is forwarded to OUT (pcap, nanoseconds), at the time of its departure.
    #[arg(long, value_name = "OUT")]
    write: Option<PathBuf>,

    #[command(flatten)]
    policy: PolicyArgs,
}

impl ReplayArgs {
    /// What the options ask for; `gave` says which of them were given.
    ///
    /// # Errors
    /// They do not fit each other, or one of them would change nothing.
    pub(super) fn options(self, gave: Option<&ArgMatches>) -> Result<ReplayOptions, String> {
        if self.source == Some(SourceChoice::Gateway) || self.source_address.is_some() {
            return Err(OF_THIS_MACHINE.replace("{}", "--source gateway"));
        }
        if self.routed.is_some() {
            return Err(OF_THIS_MACHINE.replace("{}", "--routed"));
        }
        let input = input(self.capture, self.from, self.up, self.down)?;
        if let Some(gave) = gave {
            refuse_without_effect(gave, &input)?;
        }
        if let Some(conflict) = self.policy.without_keys() {
            return Err(conflict.to_string());
        }
        let sa_file = self.policy.sa_file.clone();
        let mut settings = self.policy.settings(0, SweepIntervals::OFF);
        settings.assume_answered = matches!(
            input,
            ReplayInput::OneSide {
                from: Side::Down,
                ..
            }
        );
        let settings = settings.validated().map_err(|error| error.to_string())?;
        Ok(ReplayOptions {
            settings,
            sa_file,
            input,
            write: self.write,
        })
    }
}

fn input(
    capture: Option<PathBuf>,
    from: Option<Side>,
    up: Option<OsString>,
    down: Option<OsString>,
) -> Result<ReplayInput, String> {
    match (capture, from, up.zip(down)) {
        (Some(capture), Some(from), None) => Ok(ReplayInput::OneSide { capture, from }),
        (_, None, Some((up, down))) if up == down => Err(format!(
            "--up and --down are both {}: name one for each side",
            up.display()
        )),
        (Some(capture), None, Some((up, down))) => Ok(ReplayInput::Interfaces {
            capture,
            names: PerSide { up, down }.map(|name| name.to_string_lossy().into_owned()),
        }),
        (None, None, Some((up, down))) => Ok(ReplayInput::Files(
            PerSide { up, down }.map(PathBuf::from),
        )),
        (Some(_), ..) => Err(
            "which side did the frames come from? Add --from up or --from down; or, if they are of both, \
             --up IF --down IF"
                .into(),
        ),
        (None, ..) => Err(
            "no capture: give CAPTURE (`-` for standard input) and --from SIDE, or a file for each side with \
             --up FILE --down FILE"
                .into(),
        ),
    }
}

/// An option that changes nothing is a mistake: the result would be taken for an answer to it.
fn refuse_without_effect(gave: &ArgMatches, input: &ReplayInput) -> Result<(), String> {
    let (idle, why): (&[&str], _) = match input {
        ReplayInput::OneSide { from: Side::Up, .. } => (
            &DOWN_ONLY,
            "on frames from upstream alone: replay both sides (--up, --down), or --from down",
        ),
        ReplayInput::OneSide { .. } => (
            &UP_ONLY,
            "on frames from downstream alone: replay both sides (--up, --down), or --from up",
        ),
        ReplayInput::Interfaces { .. } | ReplayInput::Files(_) => (&[], ""),
    };
    let always = "in a replay, where every departure has its timestamp";
    let all = WITHOUT_EFFECT.iter().map(|id| (id, always));
    for (id, why) in all.chain(idle.iter().map(|id| (id, why))) {
        if gave.value_source(id) == Some(ValueSource::CommandLine) {
            let option = id.replace('_', "-");
            return Err(format!("--{option} has no effect {why}"));
        }
    }
    Ok(())
}
