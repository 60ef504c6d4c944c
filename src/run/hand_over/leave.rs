//! The process that goes.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use log::{debug, info};

use super::bundle::{self, Beside};
use super::store::Store;
use crate::control::hand_over::{GONE, Offer, TAKE};
use crate::control::reply::{Failure, PROTOCOL};
use crate::ring::{HandedPort, PacketPort, SystemClock, passed};
use crate::run::loop_engine::LoopEngine;

/// Nobody forwards meanwhile: whoever does not take over within this time does not do so at all.
const PATIENCE: Duration = Duration::from_secs(2);

type Engine = LoopEngine<PacketPort, SystemClock>;

/// Hands over to the process at the other end of a connection. It then does all that this one did, and this one ends without
/// another turn.
///
/// # Errors
/// That one does not take it: this one is to go on as if nothing had been.
pub(in crate::run) fn leave_to(
    stream: &UnixStream,
    engine: &mut Engine,
    beside: &Beside<'_>,
    obstacle: Option<&str>,
) -> Result<()> {
    let connected = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    connected.context("its connection")?;
    if let Some(setting) = obstacle {
        return refuse(stream, &format!("it cannot be handed over with {setting}"));
    }
    let (ports, memory) = bundle::written(engine);
    let handed = match memory {
        Ok(memory) => offer(stream, engine, &memory, beside),
        Err(error) => refuse(stream, &format!("{error:#}")),
    };
    if handed.is_err() {
        resume(engine, ports);
    }
    handed
}

fn offer(
    stream: &UnixStream,
    engine: &mut Engine,
    memory: &std::os::fd::OwnedFd,
    beside: &Beside<'_>,
) -> Result<()> {
    let mut all = vec![bundle::named(memory)];
    all.extend(bundle::descriptors(engine, beside));
    let (names, descriptors): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let offer = Offer {
        protocol: PROTOCOL,
        descriptors: names,
    };
    passed::send_with(stream, &line(&offer), &descriptors).context("passing the descriptors")?;
    let mut answer = [0; TAKE.len()];
    match (&*stream).read_exact(&mut answer) {
        Ok(()) if answer == *TAKE => {}
        Ok(()) => bail!("it answers what it should not"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            bail!("it does not take over")
        }
        Err(error) => return Err(error).context("waiting for it to take over"),
    }
    // From here on the rings are the other one's, whatever comes.
    if let Err(error) = (&*stream).write_all(GONE) {
        debug!("the process that has taken over does not listen: {error}");
    }
    Ok(())
}

/// Says why not.
fn refuse(mut stream: &UnixStream, why: &str) -> Result<()> {
    let failure = Failure {
        protocol: PROTOCOL,
        error: why.to_owned(),
    };
    // Whoever asked may have gone.
    let _ = stream.write_all(&line(&failure));
    bail!("{why}")
}

fn line(reply: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(reply).unwrap_or_default();
    text.push(b'\n');
    text
}

fn resume(engine: &mut Engine, handed: Vec<HandedPort>) {
    let (up, downs) = engine.ports_mut();
    for (port, handed) in [up].into_iter().chain(downs).zip(handed) {
        port.resume(handed);
    }
}

/// Leaves to the service manager, while this one still forwards, what does not change any more.
pub(in crate::run) fn keep_early(store: &mut Store, engine: &Engine, beside: &Beside<'_>) {
    store.keep_early(&bundle::descriptors(engine, beside));
}

/// Leaves all that to the service manager, in case it starts this service again: it throws it away if it does not. Whether
/// it has it all.
pub(in crate::run) fn keep_for_restart(
    store: Store,
    engine: &mut Engine,
    beside: &Beside<'_>,
    obstacle: Option<&str>,
) -> bool {
    if !store.is_there() {
        return false;
    }
    if let Some(setting) = obstacle {
        debug!("a restart begins anew: nothing is handed over with {setting}");
        return false;
    }
    let (_, memory) = bundle::written(engine);
    let kept = memory.and_then(|memory| {
        let descriptors = bundle::descriptors(engine, beside);
        store.keep(bundle::named(&memory), &descriptors)
    });
    match &kept {
        Ok(()) => debug!("sockets and state are with the service manager, for a restart"),
        Err(error) => info!("a restart begins anew: {error:#}"),
    }
    kept.is_ok()
}
