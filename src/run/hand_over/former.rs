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
use crate::core::StateReader;
use crate::engine::Clock as _;
use crate::options::RunOptions;
use crate::ring::{
    ClockSetWatch, HandedPort, Interface, PacketPort, Stamping, SystemClock, gateways, passed,
};
use crate::run::loop_engine::LoopEngine;
use crate::run::ports;
use crate::telemetry::{By, Role};
use crate::{PerSide, Side};

/// The other process lets its loop stand still, and answers at once; it may be busy with a reload before.
const PATIENCE: Duration = Duration::from_secs(5);
/// A line with the names of some descriptors.
const LONGEST_LINE: usize = 4096;

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
        interfaces: PerSide<&Interface>,
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
        let holders = gateways(interfaces).context("--take-over: the gateways of this machine")?;
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
        interfaces: PerSide<&Interface>,
        stamping: &Stamping,
        make: impl FnOnce(PerSide<PacketPort>) -> Engine,
    ) -> Result<Option<Engine>> {
        let outcome = match obstacle(options, stamping) {
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
        interfaces: PerSide<&Interface>,
        stamping: &Stamping,
        make: impl FnOnce(PerSide<PacketPort>) -> Engine,
    ) -> Result<Engine> {
        if let (From::Running(stream), Some(process)) = (&mut self.from, self.process) {
            let (asked, came) = ask(options, process)?;
            *stream = Some(asked);
            self.came = came;
        }
        let state = self.came.state()?;
        let mut from = StateReader::new(&state)?;
        let mut head: Head = from.take()?;
        self.process = Some(head.process);
        let mut port = |side: Side| {
            let handed = taken(&mut head.ports, side)?;
            let sockets = self.came.sockets(side)?;
            let options = ports::ring_options(options, stamping, side.into());
            PacketPort::take_over(interfaces[side], sockets, handed, (&options.0, &options.1))
        };
        let mut engine = make(PerSide {
            up: port(Side::Up)?,
            down: port(Side::Down)?,
        });
        engine.restore(&mut from)?;
        from.finish()?;
        if options.standby && !self.is_running() {
            // While no process was here, whoever chooses between two gateways has chosen the other one.
            let now = engine.clock_mut().now();
            engine.core_mut().set_role(Role::Standby, By::START, now);
        }
        let core = engine.core();
        info!(
            "taking over from process {} (ptpproxy {}): {} clients, {} messages wait",
            head.process,
            head.version,
            core.clients(),
            core.waiting(),
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

/// Where the rings of a side are.
fn taken(ports: &mut Vec<(Side, HandedPort)>, side: Side) -> Result<HandedPort> {
    let at = ports.iter().position(|(of, _)| *of == side);
    let at = at.with_context(|| format!("there is no port {}", side.label()))?;
    Ok(ports.swap_remove(at).1)
}

/// Asks a process that runs: its loop stands still from then on.
fn ask(options: &RunOptions, process: u32) -> Result<(UnixStream, Came)> {
    // Of several downstream nothing passes.
    let down = options.downs.first().map_or("", String::as_str);
    let gateway = Gateway::of_process(process, &options.control, (&options.up, down))?;
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
