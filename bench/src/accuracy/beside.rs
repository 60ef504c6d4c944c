//! Simulated clients on the real client's cable: each sends one Delay_Req a second, one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::Serialize;

use crate::lab::clock;
use crate::lab::frames::shape::Shape;
use crate::lab::frames::station::{Role, Station};
use crate::lab::frames::{Kind, Template};
use crate::lab::io::pacing::Pace;
use crate::lab::port::{self, Inbox, Outbox};
use crate::net::Namespace;
use crate::ptp4l::Transport;

/// Time between two looks at what is due.
const SWEEP: Duration = Duration::from_millis(1);
/// Where requestingPortIdentity is in a Delay_Resp (IEEE 1588-2019, table 48).
const REQUESTING: usize = 44;
/// How long answers are awaited after the last request.
const PATIENCE: Duration = Duration::from_millis(300);

/// What came of the clients beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Delay_Req that were sent.
    pub sent: u64,
    /// Delay_Resp that came for them.
    pub answered: u64,
}

/// The clients beside, until [`Beside::finish`] or the drop.
#[derive(Debug)]
pub struct Beside {
    stop: Arc<AtomicBool>,
    clients: Option<JoinHandle<Served>>,
}

impl Beside {
    /// Starts `clients` of them on an interface.
    ///
    /// # Errors
    /// When the interface cannot be opened.
    pub fn start(
        namespace: &Namespace,
        interface: &str,
        transport: Transport,
        clients: u32,
    ) -> Result<Self> {
        let shape = Shape {
            network: transport,
            vlan: None,
        };
        let (inbox, outbox) = namespace.run(|| port::open::<()>(interface, 4096, shape))??;
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let work = thread::Builder::new().name("clients-beside".to_owned());
        let clients = work.spawn(move || run(inbox, outbox, shape, clients, &until))?;
        Ok(Self {
            stop,
            clients: Some(clients),
        })
    }

    /// Ends them, and waits for what is still to come.
    ///
    /// # Errors
    /// When their thread has ended otherwise.
    pub fn finish(mut self) -> Result<Served> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.clients.take().map(JoinHandle::join);
        ended
            .and_then(Result::ok)
            .ok_or_else(|| anyhow!("the clients beside have ended too soon"))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.clients.take().map(JoinHandle::join);
    }
}

fn run(
    mut inbox: Inbox,
    mut outbox: Outbox<()>,
    shape: Shape,
    clients: u32,
    stop: &AtomicBool,
) -> Served {
    let template = Template::new(shape, Kind::DelayReq, Station::client(0));
    let mut pace = Pace::per_second(clock::now(), f64::from(clients));
    let mut served = Served {
        sent: 0,
        answered: 0,
    };
    while !stop.load(Ordering::Relaxed) {
        while let Some(event) = pace.take(clock::now()) {
            let client = u32::try_from(event % u64::from(clients)).unwrap_or(0);
            let [.., high, low] = (event / u64::from(clients)).to_be_bytes();
            let sent = outbox.send(&template, None, |draft| {
                let draft = draft.source(Station::client(client));
                draft.sequence(u16::from_be_bytes([high, low])).finish()
            });
            served.sent += u64::from(sent);
        }
        outbox.flush();
        served.answered += answers(&mut inbox, shape);
        thread::sleep(SWEEP);
    }
    thread::sleep(PATIENCE);
    served.answered += answers(&mut inbox, shape);
    served
}

/// Answers to simulated clients among what has arrived.
fn answers(inbox: &mut Inbox, shape: Shape) -> u64 {
    let mut count = 0;
    while let Some(frame) = inbox.receive_any() {
        count += u64::from(is_answer(frame, shape));
    }
    count
}

/// Whether it is a Delay_Resp of any PTP version to one of them.
fn is_answer(frame: &[u8], shape: Shape) -> bool {
    let message = frame.get(shape.ptp()..).unwrap_or_default();
    let kind = message
        .first()
        .and_then(|first| Kind::from_type(first & 0x0F));
    let requesting = message.get(REQUESTING..).and_then(<[u8]>::first_chunk);
    let station = requesting.and_then(Station::from_identity);
    kind == Some(Kind::DelayResp) && station.is_some_and(|station| station.role == Role::Client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_any_version_to_simulated_clients_count() {
        for network in Transport::ALL {
            let shape = Shape {
                network,
                vlan: None,
            };
            let frame = |kind, to: [u8; 10], version| {
                let template = Template::new(shape, kind, Station::MASTER);
                let mut slot = [0; 256];
                let length = template
                    .draft(&mut slot)
                    .map(|draft| draft.requesting(to).finish());
                slot[shape.ptp() + 1] = version;
                slot[..length.unwrap_or(0)].to_vec()
            };
            let client = Station::client(7).identity();
            assert!(is_answer(&frame(Kind::DelayResp, client, 0x12), shape));
            assert!(is_answer(&frame(Kind::DelayResp, client, 0x02), shape));
            assert!(!is_answer(&frame(Kind::DelayResp, [7; 10], 0x02), shape));
            assert!(!is_answer(&frame(Kind::Sync, client, 0x02), shape));
            assert!(!is_answer(&[], shape));
        }
    }
}
