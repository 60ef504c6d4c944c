//! A clock that stands still, ports without a network, and a machine that does what a test says.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use crate::core::RouteTable;
use crate::engine::{Clock, Completion, KickReport, Port, Received, Token};
use crate::reason::Reason;
use crate::ring::{Interface, KeeperNews, LinkChange, MapFilter, StampSource};
use crate::run::outside::Outside;
use crate::run::pacer::Wait;
use crate::run::port::{FilterSocket, LinkPort};
use crate::run::reload::Order;
use crate::run::wake::{Wake, Wakes};
use crate::time::{ClockId, ClockSample, Instant, Stamp};
use crate::{PortId, Side};

/// A clock that a test moves. CLOCK_REALTIME is a fixed time ahead of it.
#[derive(Clone, Debug)]
pub(super) struct Time(Rc<Cell<Instant>>);

const REALTIME_AHEAD_NS: i64 = 1_700_000_000_000_000_000;

impl Time {
    pub(super) fn new() -> Self {
        Self(Rc::new(Cell::new(Instant::from_nanos(1_000_000_000))))
    }

    pub(super) fn get(&self) -> Instant {
        self.0.get()
    }

    pub(super) fn pass(&self, time: Duration) {
        self.0.set(self.get() + time);
    }

    fn move_to(&self, then: Instant) {
        self.0.set(then.max(self.get()));
    }

    fn realtime_ns(&self) -> i64 {
        REALTIME_AHEAD_NS + self.get().as_nanos().cast_signed()
    }
}

impl Clock for Time {
    fn now(&self) -> Instant {
        self.get()
    }

    fn sample(&self) -> ClockSample {
        ClockSample {
            realtime_ns: self.realtime_ns(),
            steady: self.get(),
            uncertainty_ns: 0,
        }
    }
}

/// A port: what is put into `arrivals` is received, what is kicked is in `sent`.
pub(super) struct FakePort {
    time: Time,
    pub(super) arrivals: VecDeque<Vec<u8>>,
    lent: Vec<u8>,
    slot: [u8; 256],
    batch: Vec<(Vec<u8>, Option<Token>)>,
    departed: Vec<Completion<'static>>,
    pub(super) sent: Vec<Vec<u8>>,
    pub(super) sent_at: Vec<Instant>,
    /// Batches that were sent, and when the last was.
    pub(super) kicks: usize,
    pub(super) kicked: Rc<Cell<Option<Instant>>>,
    /// Programs that were attached.
    pub(super) filters: usize,
    /// The index of the interface that it was bound to again, and the MTUs that it was to follow.
    pub(super) bound: Option<u32>,
    pub(super) mtus: Vec<u32>,
    /// Who was to take timestamps, one after the other.
    pub(super) sources: Vec<StampSource>,
}

impl FakePort {
    pub(super) fn new(time: &Time) -> Self {
        Self {
            time: time.clone(),
            arrivals: VecDeque::new(),
            lent: Vec::new(),
            slot: [0; 256],
            batch: Vec::new(),
            departed: Vec::new(),
            sent: Vec::new(),
            sent_at: Vec::new(),
            kicks: 0,
            kicked: Rc::default(),
            filters: 0,
            bound: None,
            mtus: Vec::new(),
            sources: Vec::new(),
        }
    }
}

impl Port for FakePort {
    fn receive(&mut self) -> Option<Received<'_>> {
        self.lent = self.arrivals.pop_front()?;
        Some(Received {
            bytes: &self.lent,
            stamp: Some(Stamp::new(ClockId::Realtime, self.time.realtime_ns())),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        Some(&mut self.slot)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch.push((self.slot[..len].to_vec(), token));
    }

    fn queued(&self) -> usize {
        self.batch.len()
    }

    fn take_back(&mut self) -> usize {
        let count = self.batch.len();
        for (_, token) in self.batch.drain(..) {
            let back = token.map(|token| Completion::Unsent(token, Reason::Stale));
            self.departed.extend(back);
        }
        count
    }

    fn kick(&mut self) -> KickReport {
        let sent = self.batch.len();
        self.kicks += 1;
        self.kicked.set(Some(self.time.get()));
        let stamp = Stamp::new(ClockId::Realtime, self.time.realtime_ns());
        for (bytes, token) in self.batch.drain(..) {
            self.sent.push(bytes);
            self.sent_at.push(self.time.get());
            let stamped = token.map(|token| Completion::Stamped(token, stamp));
            self.departed.extend(stamped);
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        self.departed.drain(..).for_each(sink);
    }
}

impl FilterSocket for FakePort {
    fn attach(&mut self, _: &[libc::sock_filter]) -> io::Result<()> {
        self.filters += 1;
        Ok(())
    }

    fn attach_map(&mut self, _: &MapFilter) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn detach(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LinkPort for FakePort {
    fn frames_and_drops(&mut self) -> (u64, u64) {
        (0, 0)
    }

    fn set_stamps(&mut self, source: StampSource) -> io::Result<()> {
        self.sources.push(source);
        Ok(())
    }

    fn follow(&mut self, interface: &Interface) {
        self.mtus.push(interface.mtu);
    }

    fn rebind(&mut self, interface: &Interface) -> io::Result<()> {
        self.bound = Some(interface.index);
        Ok(())
    }
}

/// What happens to the machine, as a test says; and what the loop asked of it.
#[derive(Default)]
pub(super) struct Script {
    /// What the next wait, and the next look, is to note.
    pub(super) during_wait: Vec<Wake>,
    pub(super) at_look: Vec<Wake>,
    /// A frame comes this long after the beginning of a wait for one.
    pub(super) frame_after: Option<Duration>,
    /// Another comes this long after each batch of a port.
    pub(super) answers: Option<(Rc<Cell<Option<Instant>>>, Duration)>,
    pub(super) clock_was_set: bool,
    pub(super) links: Vec<(Side, LinkChange)>,
    pub(super) orders: VecDeque<Order>,
    /// That there are some shows without a system call.
    pub(super) ordered: bool,
    /// How the loop waited, each time.
    pub(super) waits: Vec<Wait>,
    pub(super) looks: usize,
    /// Another hardware clock takes the timestamps of an interface that was made anew, in words.
    pub(super) other_clock: Option<String>,
    /// How often it was to switch hardware timestamps on again.
    pub(super) put_right: usize,
    pub(super) keeper: VecDeque<KeeperNews>,
}

/// A machine that follows a script.
pub(super) struct FakeMachine {
    pub(super) time: Time,
    pub(super) script: Rc<RefCell<Script>>,
}

impl Outside for FakeMachine {
    fn wait(&mut self, wait: Wait, _: Instant, now: Instant, wakes: &mut Wakes) -> io::Result<()> {
        let mut script = self.script.borrow_mut();
        script.waits.push(wait);
        let frame = script.frame_after.map(|after| now + after);
        let answer = script.answers.as_ref();
        let answer = answer.and_then(|(kicked, after)| Some(kicked.take()? + *after));
        let woken = !script.during_wait.is_empty();
        match wait {
            Wait::No => {}
            Wait::Sweep(interval) => self.time.move_to(now + interval),
            Wait::Until(due) | Wait::Exactly(due, _) => self.time.move_to(due),
            Wait::Frame(due) if !woken => {
                let until = [due, frame, answer].into_iter().flatten().min();
                self.time
                    .move_to(until.expect("the loop would sleep for ever"));
            }
            Wait::Frame(_) => {}
        }
        if wait.watches() && script.ordered {
            wakes.note(Wake::Orders);
        }
        script
            .during_wait
            .drain(..)
            .for_each(|wake| wakes.note(wake));
        Ok(())
    }

    fn look(&mut self, wakes: &mut Wakes) -> io::Result<()> {
        let mut script = self.script.borrow_mut();
        script.looks += 1;
        script.at_look.drain(..).for_each(|wake| wakes.note(wake));
        Ok(())
    }

    fn clock_was_set(&mut self) -> bool {
        std::mem::take(&mut self.script.borrow_mut().clock_was_set)
    }

    fn link_changes(&mut self, sink: &mut dyn FnMut(PortId, &LinkChange)) -> io::Result<()> {
        let links = std::mem::take(&mut self.script.borrow_mut().links);
        links
            .iter()
            .for_each(|(side, change)| sink((*side).into(), change));
        Ok(())
    }

    fn put_stamping_right(&mut self) {
        self.script.borrow_mut().put_right += 1;
    }

    fn keeper_news(&mut self) -> Option<KeeperNews> {
        self.script.borrow_mut().keeper.pop_front()
    }

    fn follow_stamping(&mut self, _: Side, _: &Interface) -> Result<(), String> {
        self.script.borrow().other_clock.clone().map_or(Ok(()), Err)
    }

    fn own_addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }

    fn seek(&mut self, _: PortId, _: &[Ipv6Addr]) -> io::Result<bool> {
        Ok(true)
    }

    fn routes(&mut self) -> Option<RouteTable> {
        None
    }

    fn has_orders(&self) -> bool {
        self.script.borrow().ordered
    }

    fn next_order(&mut self) -> Option<Order> {
        let mut script = self.script.borrow_mut();
        script.ordered = false;
        script.orders.pop_front()
    }
}
