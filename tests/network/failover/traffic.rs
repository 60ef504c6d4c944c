//! A grandmaster and clients at both switches of the pair's networks, and what the clients make of the time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ptpproxy_lab::lab::frames::Kind;
use testkit::pair::Pair;
use testkit::segments::{END, Switched};

use super::witness::Witness;
use crate::host::{ETHERNET, Host};
use crate::parallel::true_enough;
use crate::strict_client::{FarOff, StrictClient};

pub(super) const CLIENTS: u16 = 8;
/// Between two Syncs.
pub(super) const INTERVAL: Duration = Duration::from_micros(62_500);
/// Requests are answered by then.
const ANSWERED: Duration = Duration::from_millis(300);

/// See the module.
pub(super) struct Traffic {
    above: [Host; 2],
    below: [Host; 2],
    seen: [Seen; 2],
    /// The switch where the grandmaster is.
    pub(super) master: usize,
    /// When each Sync departed.
    origins: HashMap<u16, i64>,
    /// When each request came to the grandmaster, copies too.
    arrived: HashMap<(u32, u16), Vec<i64>>,
    syncs: u16,
    asked: u16,
    next_sync: Instant,
    next_request: Instant,
}

/// Times that were far off.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) wrong: usize,
    /// A switch of this test had the frame for so long, and no gateway.
    pub(super) late_on_a_cable: usize,
}

/// What the clients at one switch have seen.
#[derive(Default)]
struct Seen {
    client: StrictClient,
    /// When Syncs arrived.
    syncs: Vec<Instant>,
}

/// A moment.
pub(super) struct Mark {
    at: Instant,
    /// Syncs seen until then, at each switch.
    syncs: [usize; 2],
}

/// Sets it at its end, however that comes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Traffic {
    pub(super) fn open(network: &Switched) -> Self {
        let hosts = |homes: &[_; 2]| homes.each_ref().map(|home| Host::open(home, END, ETHERNET));
        let now = Instant::now();
        Self {
            above: hosts(&network.masters),
            below: hosts(&network.clients),
            seen: Default::default(),
            master: 0,
            origins: HashMap::new(),
            arrived: HashMap::new(),
            syncs: 0,
            asked: 0,
            next_sync: now,
            next_request: now,
        }
    }

    /// Goes on for this long.
    pub(super) fn run(&mut self, length: Duration) {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.send(Instant::now());
            self.receive();
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Goes on while something else is done: here, since a program does not outlive the thread that started it.
    pub(super) fn meanwhile<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    self.run(Duration::from_millis(2));
                }
            });
            let _over = Over(&over);
            work()
        })
    }

    /// Nothing new is sent until what is open is answered, or lost.
    pub(super) fn settle(&mut self) {
        let end = Instant::now() + ANSWERED;
        while Instant::now() < end {
            self.receive();
            thread::sleep(Duration::from_micros(100));
        }
        self.next_sync = Instant::now();
        self.next_request = self.next_sync;
    }

    fn send(&mut self, now: Instant) {
        if now >= self.next_sync {
            let above = &mut self.above[self.master];
            if self.syncs.is_multiple_of(4) {
                above.announce(self.syncs);
            }
            let origin = above.sync(self.syncs);
            self.origins.insert(self.syncs, origin);
            above.follow_up(self.syncs, origin);
            self.syncs = self.syncs.wrapping_add(1);
            self.next_sync += INTERVAL;
        }
        if now >= self.next_request {
            let (client, sequence) = (self.asked % CLIENTS, self.asked / CLIENTS);
            let at = usize::from(client % 2);
            let departed = self.below[at].request(client, sequence);
            self.seen[at].client.asked(client, sequence, departed);
            self.asked += 1;
            self.next_request += INTERVAL * 2 / u32::from(CLIENTS);
        }
    }

    fn receive(&mut self) {
        for (at, above) in self.above.iter_mut().enumerate() {
            while let Some(message) = above.receive() {
                if message.kind == Kind::DelayReq && at == self.master {
                    above.answer(&message);
                    let client = message.source.map_or(0, |source| source.number);
                    let key = (client, message.sequence);
                    self.arrived.entry(key).or_default().push(message.at);
                }
            }
        }
        for (below, seen) in self.below.iter_mut().zip(&mut self.seen) {
            while let Some(message) = below.receive() {
                if message.kind == Kind::Sync {
                    seen.syncs.push(Instant::now());
                }
                seen.client.hears(&message);
            }
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            at: Instant::now(),
            syncs: self.seen.each_ref().map(|seen| seen.syncs.len()),
        }
    }

    /// The longest time without a Sync since then, at either switch.
    pub(super) fn gap(&self, mark: &Mark) -> Duration {
        let at_one = |(seen, &from): (&Seen, &usize)| {
            let before = seen.syncs[..from].last().copied();
            // Both were gone before: from then on.
            let recent = before.filter(|&before| mark.at - before < 2 * INTERVAL);
            let since = seen.syncs[from..].iter().copied();
            let all = [recent.unwrap_or(mark.at)].into_iter().chain(since);
            let all: Vec<_> = all.chain([Instant::now()]).collect();
            all.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        let gaps = self.seen.iter().zip(&mark.syncs).map(at_one);
        gaps.max().unwrap()
    }

    /// From then until the first Sync, at the later of the two switches.
    pub(super) fn until_first(&self, mark: &Mark) -> Duration {
        let firsts = self.seen.iter().zip(&mark.syncs);
        let firsts = firsts.map(|(seen, &from)| seen.syncs[from] - mark.at);
        firsts.max().unwrap()
    }

    /// Syncs whose time was taken until now, at each switch.
    pub(super) fn served(&self) -> [usize; 2] {
        (self.seen.each_ref()).map(|seen| seen.client.sync_residuals.len())
    }

    /// Requests that found no answer until now.
    pub(super) fn lost(&self) -> usize {
        let answered = self.seen.iter();
        let answered = answered.map(|seen| seen.client.request_residuals.len());
        usize::from(self.asked) - answered.sum::<usize>()
    }

    /// What the clients made of the time; no more times are suspect than the cables explain. A time that is far off is wrong
    /// unless what passed the gateways' own interfaces shows that its correction is right: then a switch, which is the same
    /// kernel, kept a frame for so long.
    pub(super) fn judge(&self, witness: Witness) -> Judged {
        let sightings = witness.read();
        let mut judged = Judged::default();
        for far in self.seen.iter().flat_map(|seen| &seen.client.far_off) {
            let way = sightings.way(far);
            let told = way.map_or_else(str::to_owned, |way| way.to_string());
            let (sent, received) = (self.departed(far), self.received(far));
            println!("{far}: {told}; sent {sent:?}, received {received:?}");
            // What came through a gateway is what the ends themselves noted.
            let as_noted = sent == Some(far.departed) && received == Some(far.arrived);
            match way {
                Ok(way) if as_noted && way.is_late_on_a_cable() => judged.late_on_a_cable += 1,
                _ => judged.wrong += 1,
            }
        }
        let all = |of: fn(&StrictClient) -> &Vec<i64>| -> Vec<i64> {
            let clients = self.seen.iter().flat_map(|seen| of(&seen.client));
            clients.copied().collect()
        };
        if judged.wrong == 0 {
            true_enough("Sync", &all(|client| &client.sync_residuals));
            true_enough("Delay_Req", &all(|client| &client.request_residuals));
        }
        judged
    }

    /// When a message departed, as its sender noted.
    fn departed(&self, far: &FarOff) -> Option<i64> {
        match far.kind {
            Kind::Sync => self.origins.get(&far.sequence).copied(),
            _ => Some(far.departed),
        }
    }

    /// When it arrived, as its receiver noted; of several copies the one that the time is of.
    fn received(&self, far: &FarOff) -> Option<i64> {
        match far.kind {
            Kind::Sync => Some(far.arrived),
            _ => (self.arrived.get(&(u32::from(far.client), far.sequence)))
                .and_then(|all| all.iter().copied().find(|&at| at == far.arrived)),
        }
    }

    /// Until one of the two forwards and the other stands by; which one forwards.
    pub(super) fn until_decided(&mut self, pair: &Pair) -> usize {
        self.meanwhile(|| pair.wait_for_active())
    }
}
