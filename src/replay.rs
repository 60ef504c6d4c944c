//! A capture through the same engine and core, on a virtual clock: what would become of each frame.

mod capture;
mod port;
mod timeline;
mod waiting;

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use log::warn;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{Endianness, TsResolution};

use crate::Side;
use crate::engine::Engine;
use crate::options::ReplayOptions;
use crate::reason::Reason;
use crate::report;
use crate::telemetry::{Counters, Kind};
use crate::wire::Frame;

use capture::{Capture, LONGEST, Packet, describe};
use port::{ReplayPort, Sent, VirtualClock, World};
use timeline::Timeline;
use waiting::{Key, Waiter, WaitingFrames};

/// Time passes in steps of this, where nothing is due before: silent clients are looked for meanwhile.
const STEP_NS: u64 = 250_000_000;
/// A long silence is crossed in so many steps.
const STEPS: u64 = 64;
/// Time after the last packet: whatever waits has departed or is dropped by then, and requests without
/// an answer are known.
const AFTERMATH_NS: u64 = 8_000_000_000;

/// Replays a capture: one line for each frame, another when a frame that had to wait departs or is dropped,
/// then the totals. Ends quietly when nobody reads `out` any more.
///
/// # Errors
/// A file cannot be read or written; names the file and the packet. What could be read was replayed.
pub fn run(options: &ReplayOptions, out: &mut impl Write) -> anyhow::Result<()> {
    let mut capture = Capture::open(&options.capture)?;
    let written = match &options.write {
        Some(path) => Some(Written::create(path, &options.capture)?),
        None => None,
    };
    let result = Replay::new(options, written, out).run(&mut capture);
    match result {
        // Only writing to `out` fails with a bare error of this type.
        Err(error) => match error.downcast::<io::Error>() {
            Ok(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Ok(error) => Err(anyhow!("cannot write the verdicts: {error}")),
            Err(error) => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

/// A replay under way.
struct Replay<'a, W> {
    engine: Engine<ReplayPort, ReplayPort, VirtualClock>,
    world: Rc<World>,
    timeline: Timeline,
    from: Side,
    waiting: WaitingFrames,
    /// Counts before the turn.
    before: Counters,
    written: Option<Written>,
    out: &'a mut W,
}

impl<'a, W: Write> Replay<'a, W> {
    fn new(options: &ReplayOptions, written: Option<Written>, out: &'a mut W) -> Self {
        let world = Rc::new(World::default());
        world.set_now_ns(Timeline::start_ns());
        Self {
            engine: Engine::new(
                ReplayPort::new(Rc::clone(&world)),
                ReplayPort::new(Rc::clone(&world)),
                VirtualClock(Rc::clone(&world)),
                options.settings.clone().into(),
            ),
            world,
            timeline: Timeline::new(),
            from: options.from,
            waiting: WaitingFrames::default(),
            before: Counters::default(),
            written,
            out,
        }
    }

    fn run(mut self, capture: &mut Capture) -> anyhow::Result<()> {
        row(
            self.out, "# frame", "time", "message", "source", "seq", "verdict",
        )?;
        let mut last = 0;
        let broken = loop {
            match capture.next() {
                Ok(Some(packet)) => {
                    last = packet.number;
                    self.packet(packet)?;
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        self.pass_time(self.world.now_ns() + AFTERMATH_NS, last)?;
        writeln!(self.out)?;
        report::totals(self.out, self.engine.counters(), &[])?;
        self.out.flush()?;
        if let Some(written) = self.written {
            written.finish()?;
        }
        broken.map_or(Ok(()), Err)
    }

    /// Lets a packet arrive at its time.
    fn packet(&mut self, packet: &Packet) -> anyhow::Result<()> {
        let (at_ns, back) = self.timeline.arrival(packet.at_ns, self.world.now_ns());
        if let Some(back_ns) = back {
            warn!(
                "packet {}: time goes back by {:?}; it is taken to arrive with the packet before",
                packet.number,
                Duration::from_nanos(back_ns)
            );
        }
        self.pass_time(at_ns, packet.number - 1)?;
        self.world.set_now_ns(at_ns);
        match self.from {
            Side::Up => self.engine.up_mut().give(packet),
            Side::Down => self.engine.down_mut().give(packet),
        }
        self.turn(packet.number, Some(packet))
    }

    /// Lets time pass until shortly before `until_ns`.
    fn pass_time(&mut self, until_ns: u64, number: u64) -> anyhow::Result<()> {
        let now_ns = self.world.now_ns();
        let step_ns = STEP_NS.max(until_ns.saturating_sub(now_ns) / STEPS);
        let mut now_ns = now_ns;
        loop {
            let due_ns = match self.engine.next_wake().map(|wake| wake.as_nanos()) {
                Some(wake) if wake > now_ns => wake,
                // It should be done by now. Let it not stop the time.
                Some(_) => now_ns + 1_000_000,
                None => u64::MAX,
            };
            now_ns = due_ns.min(now_ns + step_ns);
            if now_ns >= until_ns {
                return Ok(());
            }
            self.world.set_now_ns(now_ns);
            self.turn(number, None)?;
        }
    }

    /// One turn of the engine, and what came of it. `number` is that of the last packet.
    fn turn(&mut self, number: u64, packet: Option<&Packet>) -> anyhow::Result<()> {
        self.engine.turn();
        while self.engine.core_mut().next_event().is_some() {}
        let mut sent = self.engine.down_mut().take_sent();
        sent.append(&mut self.engine.up_mut().take_sent());
        let mut drops = self.new_drops();
        if let Some(packet) = packet {
            let at_once = sent.iter().any(|sent| sent.at_once);
            self.verdict(packet, at_once, &mut drops)?;
        }
        for sent in sent {
            self.departed(&sent, number)?;
        }
        if !drops.is_empty() {
            self.dropped_later(drops)?;
        }
        self.before.clone_from(self.engine.counters());
        Ok(())
    }

    /// What became of the packet that arrived in this turn.
    fn verdict(
        &mut self,
        packet: &Packet,
        at_once: bool,
        drops: &mut Vec<(Side, Kind, Reason)>,
    ) -> anyhow::Result<()> {
        let key = Frame::parse(&packet.bytes)
            .ok()
            .map(|frame| Key::of(&frame));
        let kind = match key {
            Some(key) if !packet.truncated => key.kind(),
            _ => Kind::Malformed,
        };
        let waits =
            self.engine.counters().waited(self.from, kind) > self.before.waited(self.from, kind);
        let verdict = if at_once {
            "forward".to_owned()
        } else if let (true, Some(key)) = (waits, key) {
            let waiter = Waiter {
                number: packet.number,
                from: self.from,
                since_ns: self.world.now_ns(),
            };
            self.waiting.add(key, waiter);
            "wait".to_owned()
        } else {
            let own = drops
                .iter()
                .position(|&(side, dropped, _)| side == self.from && dropped == kind);
            // A frame that is neither sent nor kept was dropped, and every drop is counted.
            own.map_or_else(
                || "drop".to_owned(),
                |at| format!("drop {}", drops.remove(at).2),
            )
        };
        let time = self.timeline.since_first(packet.at_ns);
        self.line(&packet.number.to_string(), &time, key.as_ref(), &verdict)
    }

    /// A frame left: one that waited, or a Follow_Up that the core made.
    fn departed(&mut self, sent: &Sent, number: u64) -> anyhow::Result<()> {
        let capture_ns = self.timeline.capture_ns(sent.at_ns);
        if let Some(written) = &mut self.written {
            written.packet(capture_ns, &sent.bytes)?;
        }
        if sent.at_once {
            return Ok(());
        }
        let Ok(frame) = Frame::parse(&sent.bytes) else {
            return Ok(());
        };
        let key = Key::of(&frame);
        let (number, verdict) = match self.waiting.take(&key) {
            Some(waiter) => (
                waiter.number,
                format!("forward after {}", after(sent.at_ns, &waiter)),
            ),
            None => (number, "forward made for its sync".to_owned()),
        };
        let time = self.timeline.since_first(capture_ns);
        self.line(&number.to_string(), &time, Some(&key), &verdict)
    }

    /// Frames that had waited were dropped.
    fn dropped_later(&mut self, mut drops: Vec<(Side, Kind, Reason)>) -> anyhow::Result<()> {
        let now_ns = self.world.now_ns();
        let time = self.timeline.since_first(self.timeline.capture_ns(now_ns));
        for (key, waiter) in self
            .waiting
            .take_missing(self.engine.core().waiting_frames())
        {
            let why = drops
                .iter()
                .position(|&(side, kind, _)| side == waiter.from && kind == key.kind());
            let reason = why.map_or("", |at| drops.swap_remove(at).2.label());
            let verdict = format!("drop {reason} after {}", after(now_ns, &waiter));
            self.line(&waiter.number.to_string(), &time, Some(&key), &verdict)?;
        }
        // What is left was not captured: Follow_Ups that the core made.
        for (_, kind, reason) in drops {
            row(
                self.out,
                "-",
                &time,
                kind.label(),
                "-",
                "-",
                &format!("drop {reason}"),
            )?;
        }
        Ok(())
    }

    /// What was dropped in this turn, one entry a frame.
    fn new_drops(&self) -> Vec<(Side, Kind, Reason)> {
        let counters = self.engine.counters();
        let mut drops = Vec::new();
        for side in [Side::Up, Side::Down] {
            for kind in Kind::all() {
                for &reason in Reason::ALL {
                    let count = counters.dropped(side, kind, reason)
                        - self.before.dropped(side, kind, reason);
                    drops.extend((0..count).map(|_| (side, kind, reason)));
                }
            }
        }
        drops
    }

    fn line(
        &mut self,
        number: &str,
        time: &str,
        key: Option<&Key>,
        verdict: &str,
    ) -> anyhow::Result<()> {
        let (message, source, sequence) = match key {
            Some(key) => (
                key.message.label(),
                key.source.to_string(),
                key.sequence_id.to_string(),
            ),
            None => ("-", "-".to_owned(), "-".to_owned()),
        };
        row(self.out, number, time, message, &source, &sequence, verdict)?;
        Ok(())
    }
}

fn row(
    out: &mut impl Write,
    number: &str,
    time: &str,
    message: &str,
    source: &str,
    sequence: &str,
    verdict: &str,
) -> io::Result<()> {
    writeln!(
        out,
        "{number:>7} {time:>16}  {message:<21}  {source:<20} {sequence:>6}  {verdict}"
    )
}

fn after(now_ns: u64, waiter: &Waiter) -> String {
    let ns = now_ns.saturating_sub(waiter.since_ns);
    format!("{}.{:06}ms", ns / 1_000_000, ns % 1_000_000)
}

/// The capture of what was forwarded.
struct Written {
    name: String,
    writer: PcapWriter<BufWriter<File>>,
}

impl Written {
    fn create(path: &Path, capture: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        if let (Ok(out), Ok(capture)) = (fs::metadata(path), fs::metadata(capture))
            && (out.dev(), out.ino()) == (capture.dev(), capture.ino())
        {
            bail!("--write {name} is the capture itself: name another file");
        }
        let file = File::create(path).with_context(|| format!("cannot write {name}"))?;
        let header = PcapHeader {
            snaplen: 262_144,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(BufWriter::new(file), header)
            .map_err(|error| anyhow!("cannot write {name}: {}", describe(&error, "it")))?;
        Ok(Self { name, writer })
    }

    fn packet(&mut self, at_ns: u64, bytes: &[u8]) -> anyhow::Result<()> {
        debug_assert!(bytes.len() <= LONGEST, "slots are no longer");
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let packet = PcapPacket::new(Duration::from_nanos(at_ns), len, bytes);
        self.writer
            .write_packet(&packet)
            .map(drop)
            .map_err(|error| anyhow!("cannot write {}: {}", self.name, describe(&error, "it")))
    }

    fn finish(self) -> anyhow::Result<()> {
        self.writer
            .into_writer()
            .into_inner()
            .map(drop)
            .map_err(|error| anyhow!("cannot write {}: {}", self.name, error.error()))
    }
}
