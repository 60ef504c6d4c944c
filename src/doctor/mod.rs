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
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::options::DoctorOptions;
use crate::ring::Interface;
use crate::{PerPort, PerSide, Side, ring};
use finding::{Finding, Report};
use heard::Heard;

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
    let names = pairs(&options.interfaces);
    let links: Vec<_> = names.iter().map(interfaces::read).collect();
    for (names, links) in names.iter().zip(&links) {
        report.extend(interfaces::judge(links));
        report.extend(sharing::look(links, &gateways(links)));
        report.extend(pair::look(names, options.standby));
    }
    if progress && links.iter().any(|links| present(links).is_some()) {
        let _ = writeln!(
            io::stderr(),
            "listening for {} s ...",
            options.listen.as_secs()
        );
    }
    for (names, heard) in names.iter().zip(listen(&links, options.listen)) {
        match heard {
            Some(Ok(heard)) => {
                report.extend(network::judge(names, &options.domains, &heard));
                // A bad file was reported, and what it would hold is not known.
                if keys.is_some() || options.sa_file.is_none() {
                    let corrects = options.corrects_signed;
                    report.extend(signed::judge(names, keys.as_ref(), corrects, &heard));
                }
            }
            Some(Err(error)) => report.extend([Finding::error(
                "listen",
                format!("cannot listen: {error:#}"),
            )]),
            None => {}
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

/// The interface upstream with each one downstream that is meant.
fn pairs(names: &PerPort<String>) -> Vec<PerSide<String>> {
    // What means no interface is looked for by its name, and not found.
    let meant = ring::meant(&names.up, &names.downs);
    let downs = meant.unwrap_or_else(|_| names.downs.clone());
    let pair = |down| PerSide {
        up: names.up.clone(),
        down,
    };
    downs.into_iter().map(pair).collect()
}

/// Listens to all pairs at once; `None` of one whose interfaces are not both there and up.
fn listen(
    links: &[interfaces::Links],
    time: Duration,
) -> Vec<Option<anyhow::Result<PerSide<Heard>>>> {
    let here: Vec<_> = links.iter().map(present).collect();
    thread::scope(|scope| {
        let ears: Vec<_> = (here.iter())
            .map(|pair| {
                let pair = pair.as_ref()?;
                Some(scope.spawn(move || listen::both(pair.as_ref(), time)))
            })
            .collect();
        let heard = |ear: thread::ScopedJoinHandle<'_, _>| {
            ear.join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("it was cut short")))
        };
        ears.into_iter().map(|ear| ear.map(heard)).collect()
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
