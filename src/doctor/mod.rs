//! `ptpproxy doctor`: looks at the machine and at both networks, and says what stands in the way.
//!
//! Facts are gathered by `machine`, `sharing` and `listen`; what they mean is decided by functions of those facts
//! alone, so that tables can test it.
//!
//! | file | one idea |
//! |---|---|
//! | `finding` | one line: ok, warning or error, with its remedy; as text and as JSON |
//! | `machine` | kernel, sysctls, memory, capabilities: read from /proc |
//! | `interfaces` | the two interfaces: link, pair, bridge, routing, what they can timestamp |
//! | `sharing` | other programs that hold packet sockets on them |
//! | `listen` | receives on both for some seconds |
//! | `heard` | what was received, summed up by side |
//! | `signed` | whether the gateway has the keys of signed messages |
//! | `network` | what that says of the set-up |
//! | `pair` | whether keepalived is set up for one of two gateways |

mod finding;
mod heard;
mod interfaces;
mod listen;
mod machine;
mod network;
mod pair;
mod sharing;
mod signed;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::options::DoctorOptions;
use crate::ring::Interface;
use crate::{PerSide, Side, ring};
use finding::{Finding, Report};

/// Looks, listens and prints. The exit code is 0 where nothing is an error.
///
/// # Errors
/// One line where printing fails.
pub fn run(options: &DoctorOptions) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    let progress = !options.json && io::stderr().is_terminal();
    report.extend(machine::look());
    let (keys, found) = options
        .sa_file
        .as_deref()
        .map(signed::read)
        .unwrap_or_default();
    report.extend(found);
    let links = interfaces::read(&options.interfaces);
    report.extend(interfaces::judge(&links));
    report.extend(sharing::look(&links, &gateways(&links)));
    report.extend(pair::look(&options.interfaces, options.standby));
    if let Some(pair) = present(&links) {
        if progress {
            let _ = writeln!(
                io::stderr(),
                "listening for {} s ...",
                options.listen.as_secs()
            );
        }
        match listen::both(pair.as_ref(), options.listen) {
            Ok(heard) => {
                let names = &options.interfaces;
                report.extend(network::judge(names, &options.domains, &heard));
                // A bad file was reported, and what it would hold is not known.
                if keys.is_some() || options.sa_file.is_none() {
                    let corrects = options.corrects_signed;
                    report.extend(signed::judge(names, keys.as_ref(), corrects, &heard));
                }
            }
            Err(error) => report.extend([Finding::error(
                "listen",
                format!("cannot listen: {error:#}"),
            )]),
        }
    }
    let text = if options.json {
        report.json()
    } else {
        report.text()
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Nobody reads any more: that is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        other => other.context("printing")?,
    }
    Ok(if report.has_errors() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The processes of gateways between the two networks.
fn gateways(links: &interfaces::Links) -> Vec<u32> {
    let PerSide {
        up: Some(up),
        down: Some(down),
    } = links.found.as_ref().map(Option::as_ref)
    else {
        return Vec::new();
    };
    ring::gateways(PerSide { up, down }).unwrap_or_default()
}

/// Both interfaces, if both are there and up: what is down hears nothing.
fn present(links: &interfaces::Links) -> Option<PerSide<Interface>> {
    let side = |side: Side| links.found[side].as_ref().filter(|link| link.up).cloned();
    Some(PerSide {
        up: side(Side::Up)?,
        down: side(Side::Down)?,
    })
}
