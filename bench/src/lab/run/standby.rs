//! `cargo lab --standby`: two gateways between the same two segments, and a fail-over in the middle of the run.
//!
//! Who forwards is ordered by the lab itself, as keepalived would, but at once.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::exchanges::assignment;
use super::forwarder::{Forwarder, ptpproxy};
use super::generator::{Generator, Heard};
use super::scene::{DOWN, MASTER_PORT, UP};
use crate::lab::io::clock::{self, MasterClock};
use crate::lab::options::{FailOver, Options};
use crate::lab::stations::assignment::{ClientsDone, MasterDone, Share, Start};
use crate::net::{Namespace, veth};
use crate::ptp4l::TempDir;

/// Time between the word to start and the start.
const LEAD: i64 = 100_000_000;
/// What a generator may take to get ready, and to report.
const PATIENCE: Duration = Duration::from_secs(10);
/// The clients' interface.
const CLIENTS_PORT: &str = "eth0";

/// All that such a run yields.
#[derive(Debug)]
pub struct FailOverSeen {
    /// What was done.
    pub how: FailOver,
    /// What the grandmaster saw.
    pub master: MasterDone,
    /// What the clients saw.
    pub clients: ClientsDone,
    /// When measuring began, by the shared clock.
    pub measured_from: i64,
    /// When the one that forwarded was killed, or told to stand by.
    pub failed: i64,
    /// When the other one had its order.
    pub ordered: i64,
    /// Nanoseconds between two Syncs.
    pub sync_interval: i64,
}

/// Two gateways, and how each is told what to do.
struct Pair {
    gateways: [Forwarder; 2],
    sockets: [PathBuf; 2],
    _folder: TempDir,
}

/// The namespaces of a run.
struct Network {
    grandmaster: Namespace,
    clients: Namespace,
    gateways: [Namespace; 2],
    /// Upstream, downstream.
    segments: [Namespace; 2],
}

/// Runs it once; `binary` as for [`Forwarder::start`].
pub fn run(options: &Options, how: FailOver, binary: Option<&Path>) -> Result<FailOverSeen> {
    let network = Network::build()?;
    let pair = Pair::start(&network.gateways, options, binary)?;
    order(binary, &pair.sockets[0], "activate")?;
    let share = |interface: &str, count| Share {
        interface: interface.to_owned(),
        first: 0,
        count,
    };
    let work = assignment(options, vec![share(CLIENTS_PORT, options.clients)]);
    let master_work = assignment(options, vec![share(MASTER_PORT, 0)]);
    let (news, heard) = channel();
    let mut generators = [
        Generator::grandmaster(&network.grandmaster, &master_work, news.clone())?,
        Generator::clients(&network.clients, &work, news)?,
    ];
    for _ in &generators {
        let Heard::Ready = next(&heard)? else {
            bail!("a generator did not get ready");
        };
    }
    let at = clock::now() + LEAD;
    let start = Start {
        at,
        clock: MasterClock::new(at, options.ppm),
    };
    for generator in &mut generators {
        generator.begin(start)?;
    }
    let measured_from = work.measured_from(at);
    clock::sleep_until(measured_from + work.length / 2);
    let [mut first, mut second] = pair.gateways;
    let failed = clock::now();
    first.check().and_then(|()| second.check())?;
    match how {
        FailOver::Kill => first.signal(libc::SIGKILL)?,
        FailOver::Move => order(binary, &pair.sockets[0], "standby")?,
    }
    order(binary, &pair.sockets[1], "activate")?;
    let ordered = clock::now();

    let (mut master, mut clients) = (None, None);
    while master.is_none() || clients.is_none() {
        match next(&heard)? {
            Heard::Master(done) => master = Some(*done),
            Heard::Clients(done) => clients = Some(*done),
            _ => {}
        }
    }
    second.stop()?;
    if how == FailOver::Move {
        first.stop()?;
    }
    Ok(FailOverSeen {
        how,
        master: master.context("the grandmaster did not report")?,
        clients: clients.context("the clients did not report")?,
        measured_from,
        failed,
        ordered,
        sync_interval: work.sync_interval,
    })
}

/// What a generator says next: at the latest some seconds after the run, while which it reports how far it is.
fn next(heard: &Receiver<Heard>) -> Result<Heard> {
    match heard.recv_timeout(PATIENCE) {
        Ok(Heard::Failed(error)) => Err(error),
        Ok(news) => Ok(news),
        Err(_) => bail!("a generator said nothing for {PATIENCE:?}"),
    }
}

/// Has a gateway forward or stand by, as keepalived's script does.
fn order(binary: Option<&Path>, socket: &Path, role: &str) -> Result<()> {
    let mut command = ptpproxy(binary)?;
    command.args([role, "--by", "lab", "--socket"]).arg(socket);
    let said = command
        .output()
        .with_context(|| format!("ptpproxy {role}"))?;
    ensure!(
        said.status.success(),
        "ptpproxy {role}: {}",
        String::from_utf8_lossy(&said.stderr).trim()
    );
    Ok(())
}

impl Pair {
    /// Starts both in standby.
    fn start(homes: &[Namespace; 2], options: &Options, binary: Option<&Path>) -> Result<Self> {
        let folder = TempDir::new()?;
        let sockets = [0, 1].map(|n| folder.path().join(format!("gateway{n}.sock")));
        let start = |which: usize| -> Result<Forwarder> {
            let (given, socket) = (&options.proxy_args, sockets[which].display());
            let options = Options {
                proxy_args: format!("{given} --standby --control {socket}"),
                ..options.clone()
            };
            let started = Forwarder::start(binary, &homes[which], &options)?;
            started.context("no program runs in the gateway")
        };
        Ok(Self {
            gateways: [start(0)?, start(1)?],
            sockets,
            _folder: folder,
        })
    }
}

impl Network {
    /// Both gateways on both segments, each of which is a learning bridge.
    fn build() -> Result<Self> {
        let network = Self {
            grandmaster: Namespace::new("grandmaster")?,
            clients: Namespace::new("clients")?,
            gateways: [Namespace::new("gateway0")?, Namespace::new("gateway1")?],
            segments: [Namespace::new("above")?, Namespace::new("below")?],
        };
        let [above, below] = &network.segments;
        for (segment, end, port, side) in [
            (above, &network.grandmaster, MASTER_PORT, UP),
            (below, &network.clients, CLIENTS_PORT, DOWN),
        ] {
            veth(end, port, segment, "end")?;
            for (gateway, name) in network.gateways.iter().zip(["gateway0", "gateway1"]) {
                veth(segment, name, gateway, side)?;
            }
            segment.bridge("segment0", &["end", "gateway0", "gateway1"])?;
        }
        Ok(network)
    }
}
