//! The process that comes, and goes on where another one was.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use log::{info, warn};

use super::bundle::{Came, Head};
use super::obstacle::obstacle;
use super::store::Store;
use crate::control::client::Gateway;
use crate::control::hand_over::{GONE, Offer, REQUEST, TAKE};
use crate::core::{Forwarder, StateReader};
use crate::engine::Clock as _;
use crate::options::RunOptions;
use crate::ring::{ClockSetWatch, Interface, PacketPort, Stamping, SystemClock, gateways, passed};
use crate::run::cores::clients;
use crate::run::loop_engine::LoopEngine;
use crate::run::ports;
use crate::side::numbers;
use crate::telemetry::{By, Role};
use crate::{PerPort, PerSide, PortId};

/// The other process lets its loop stand still, and answers at once; it may be busy with a reload before.
const PATIENCE: Duration = Duration::from_secs(5);
/// A line with the names of all descriptors.
const LONGEST_LINE: usize = 8192;

type Engine = LoopEngine<PacketPort, SystemClock>;

/// Where another process was.
pub(in crate::run) struct Former {
    from: From,
    came: Came,
    /// The process that was there, once that is known.
    process: Option<u32>,
}

enum From {
    /// A process that runs, and goes on unless this one does.
    Running(Option<UnixStream>),
    /// What the service manager has kept.
    Manager,
}

impl Former {
    /// The process to be taken over from, by the options; or what was kept of one. `None` for a start like any other.
    ///
    /// # Errors
    /// That process is no gateway between these interfaces, or cannot be asked.
    pub(in crate::run) fn find(
        options: &RunOptions,
        interfaces: &PerPort<&Interface>,
        store: &Store,
    ) -> Result<Option<Self>> {
        let kept = store.take();
        let Some(process) = options.take_over else {
            return Ok(kept.map(|came| Self {
                from: From::Manager,
                came,
                process: None,
            }));
        };
        let between = || format!("between {} and {}", options.up, options.downs.join(", "));
        let first = PerSide {
            up: interfaces.up,
            down: interfaces.downs[0],
        };
        let holders = gateways(first).context("--take-over: the gateways of this machine")?;
        ensure!(
            holders.contains(&process),
            "--take-over {process}: that process is no gateway {}{}",
            between(),
            match holders.first() {
                Some(other) => format!("; process {other} is"),
                None => "; none is, so start without it".to_owned(),
            }
        );
        Ok(Some(Self {
            from: From::Running(None),
            came: Came(Vec::new()),
            process: Some(process),
        }))
    }

    /// The process that may have the same interfaces for a moment.
    pub(in crate::run) fn running(&self) -> Option<u32> {
        self.process.filter(|_| self.is_running())
    }

    const fn is_running(&self) -> bool {
        matches!(self.from, From::Running(_))
    }

    /// The engine of that process, with its rings and all that it knew: from now on nobody forwards until this one does.
    /// `None` for a cold start, of which the reason is logged.
    ///
    /// # Errors
    /// A process that runs is not taken over from: it goes on.
    pub(in crate::run) fn engine(
        &mut self,
        options: &RunOptions,
        interfaces: &PerPort<&Interface>,
        stamping: &Stamping,
        make: impl FnOnce(PerPort<PacketPort>) -> Engine,
    ) -> Result<Option<Engine>> {
        let outcome = match obstacle(options, stamping, interfaces.downs.len()) {
            Some(setting) => Err(anyhow!("not with {setting}")),
            None => self.restored(options, interfaces, stamping, make),
        };
        match (outcome, self.is_running()) {
            (Ok(engine), _) => Ok(Some(engine)),
            (Err(error), true) => {
                let process = self.process.unwrap_or_default();
                Err(error.context(format!("--take-over {process}: that process goes on")))
            }
            (Err(error), false) => {
                warn!("cold start: not going on where the former process was: {error:#}");
                self.came.0.clear();
                Ok(None)
            }
        }
    }

    fn restored(
        &mut self,
        options: &RunOptions,
        interfaces: &PerPort<&Interface>,
        stamping: &Stamping,
        make: impl FnOnce(PerPort<PacketPort>) -> Engine,
    ) -> Result<Engine> {
        if let (From::Running(stream), Some(process)) = (&mut self.from, self.process) {
            let (asked, came) = ask(options, interfaces, process)?;
            *stream = Some(asked);
            self.came = came;
        }
        let state = self.came.state()?;
        let mut from = StateReader::new(&state)?;
        let head: Head = from.take()?;
        self.process = Some(head.process);
        let downs = interfaces.downs.len();
        ensure!(
            head.ports.len() == 1 + downs,
            "it had {} interfaces downstream, not {downs}",
            head.ports.len().saturating_sub(1)
        );
        let mut handed = head.ports.into_iter();
        let mut port = |id: PortId| {
            let handed = handed.next().context("a port is missing")?;
            let sockets = self.came.sockets(id)?;
            let options = ports::ring_options(options, stamping, id);
            PacketPort::take_over(interfaces[id], sockets, handed, (&options.0, &options.1))
        };
        let mut engine = make(PerPort {
            up: port(PortId::Up)?,
            downs: numbers()
                .take(downs)
                .map(|number| port(PortId::Down(number)))
                .collect::<Result<_>>()?,
        });
        engine.restore(&mut from)?;
        from.finish()?;
        if options.standby && !self.is_running() {
            // While no process was here, whoever chooses between two gateways has chosen the other one.
            let now = engine.clock_mut().now();
            for core in engine.cores_mut() {
                core.set_role(Role::Standby, By::START, now);
            }
        }
        let waiting: usize = engine.cores().iter().map(Forwarder::waiting).sum();
        info!(
            "taking over from process {} (ptpproxy {}): {} clients, {waiting} messages wait",
            head.process,
            head.version,
            clients(engine.cores()),
        );
        Ok(engine)
    }

    /// What has watched whether the clock is set.
    pub(in crate::run) fn clock_set(&mut self) -> Option<ClockSetWatch> {
        self.came.clock_set()
    }

    /// Where metrics are asked for, if it is at this address.
    pub(in crate::run) fn metrics(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let metrics = self.came.metrics()?;
        (metrics.local_addr().ok()? == address).then_some(metrics)
    }

    /// Everything is ready: the other process ends, and its rings are this one's.
    ///
    /// # Errors
    /// It has gone on after all.
    pub(in crate::run) fn take(self) -> Result<()> {
        let From::Running(Some(mut stream)) = self.from else {
            return Ok(());
        };
        let mut answer = [0; GONE.len()];
        let gone = stream
            .write_all(TAKE)
            .and_then(|()| stream.read_exact(&mut answer));
        match gone {
            Ok(()) if answer == *GONE => Ok(()),
            _ => bail!(
                "--take-over {}: that process goes on: it was not taken over from in time",
                self.process.unwrap_or_default()
            ),
        }
    }
}

/// Asks a process that runs: its loop stands still from then on.
fn ask(
    options: &RunOptions,
    interfaces: &PerPort<&Interface>,
    process: u32,
) -> Result<(UnixStream, Came)> {
    let names = (
        interfaces.up.name.as_str(),
        interfaces.downs[0].name.as_str(),
    );
    let gateway = Gateway::of_process(process, &options.control, names)?;
    let stream = gateway.open(REQUEST)?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .context("its control socket")?;
    let mut bytes = [0; LONGEST_LINE];
    let (mut read, descriptors) =
        passed::receive_with(&stream, &mut bytes).context("waiting for its answer")?;
    // The descriptors come with the first byte, the rest of the line may come later.
    while !bytes.get(..read).unwrap_or_default().ends_with(b"\n") {
        let room = bytes.get_mut(read..).filter(|room| !room.is_empty());
        match (&stream).read(room.context("an answer of another version")?) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("waiting for its answer"),
        }
    }
    let line = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default());
    gateway.accepted(&line)?;
    let offer: Offer = serde_json::from_str(&line).context("an answer of another version")?;
    ensure!(
        offer.descriptors.len() == descriptors.len(),
        "{} of {} descriptors came",
        descriptors.len(),
        offer.descriptors.len()
    );
    let came = offer.descriptors.into_iter().zip(descriptors).collect();
    Ok((stream, Came(came)))
}
