//! The two ends of a flood: one sends as fast as it can, one counts what arrives.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::assignment::{Assignment, Cue, Flood, FloodDone};
use crate::lab::frames::Template;
use crate::lab::frames::station::Station;
use crate::lab::io::clock;
use crate::lab::io::port::{self, Seen};

/// Frames in one kick of the source.
const BATCH: u32 = 256;
/// How often the sink looks at its sample.
const SINK_SWEEP: Duration = Duration::from_millis(2);

/// Sends until the end, without a pause.
pub fn source(assignment: Assignment, cue: &mut Cue) -> Result<FloodDone> {
    let (flood, interface) = given(&assignment)?;
    let (mut inbox, mut outbox) = port::open::<()>(interface, 4096, assignment.shape)?;
    let announce = flood == Flood::Announce;
    let from = if announce {
        Station::MASTER
    } else {
        Station::client(0)
    };
    let template = Template::new(assignment.shape, flood.kind(), from).signed(assignment.signed);
    let start = cue.ready()?;
    let mut done = FloodDone::default();
    let (measured, end) = (assignment.measured_from(start.at), assignment.end(start.at));
    clock::sleep_until(start.at);
    let (mut client, mut sequence) = (0_u32, 0_u16);
    loop {
        let now = clock::now();
        if now >= end {
            return Ok(done);
        }
        let refused = outbox.refused();
        for _ in 0..BATCH {
            outbox.send(&template, None, |draft| {
                let draft = draft.sequence(sequence);
                if announce {
                    draft.finish()
                } else {
                    draft.source(Station::client(client)).finish()
                }
            });
            client += 1;
            if announce || client >= assignment.clients {
                client = 0;
                sequence = sequence.wrapping_add(1);
            }
        }
        outbox.flush();
        // Nobody here listens: what comes back must not fill the ring.
        while inbox.receive().is_some() {}
        if now >= measured {
            done.frames += u64::from(BATCH).saturating_sub(outbox.refused() - refused);
        }
    }
}

/// Counts what arrives, by the interface's own count, and looks at a sample of it: a sink that read every
/// frame would take the processor from the forwarder before it.
pub fn sink(assignment: Assignment, cue: &mut Cue) -> Result<FloodDone> {
    let (flood, interface) = given(&assignment)?;
    let (inbox, _outbox) = port::open::<()>(interface, 4096, assignment.shape)?;
    let mut inbox = inbox.signed(assignment.signed);
    inbox.sample()?;
    let start = cue.ready()?;
    let mut done = FloodDone::default();
    let (measured, end) = (assignment.measured_from(start.at), assignment.end(start.at));
    clock::sleep_until(measured);
    while inbox.receive().is_some() {}
    let before = received(interface)?;
    while clock::now() < end {
        std::thread::sleep(SINK_SWEEP);
        while let Some(seen) = inbox.receive() {
            done.sampled += 1;
            done.right += u64::from(
                matches!(seen, Seen::Message(view, _) if view.kind() == Some(flood.kind())),
            );
        }
    }
    done.frames = received(interface)?.saturating_sub(before);
    Ok(done)
}

/// Frames that an interface of this namespace has received (proc_net(5)).
fn received(interface: &str) -> Result<u64> {
    let table = fs::read_to_string("/proc/self/net/dev")?;
    table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == interface)
        .and_then(|(_, counts)| counts.split_whitespace().nth(1)?.parse().ok())
        .with_context(|| format!("no count of {interface} in /proc/self/net/dev"))
}

fn given(assignment: &Assignment) -> Result<(Flood, &str)> {
    let flood = assignment.flood.context("no flood given")?;
    let port = assignment.ports.first().context("no interface given")?;
    Ok((flood, &port.interface))
}
