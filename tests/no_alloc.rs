//! The forwarding path allocates nothing: ten thousand exchanges through the engine, counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ptpproxy::Side;
use ptpproxy::core::{Arrival, Forwarder, Settings, ValidSettings, Verdict};
use ptpproxy::engine::{Clock as _, Completion, Engine, KickReport, Port, Received, Token};
use ptpproxy::reason::Reason;
use ptpproxy::telemetry::{Board, Info, SHOWN_MASTERS, State, Trace, Wanted};
use ptpproxy::time::{ClockId, Instant, Stamp};
use ptpproxy::wire::{Frame, MessageType};
use ptpproxy_lab::sim::{Now, Station, Template, Way, stamp};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread allocates.
struct Counting;

fn count() {
    // While a thread ends, its counter may be gone.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: each call is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is System's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `memory` came from System by `alloc` or `realloc`, with this layout.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; the caller keeps the contract for `size`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MS: u64 = 1_000_000;
const ROOM: usize = 256;

#[derive(Clone, Copy)]
struct Slot {
    bytes: [u8; ROOM],
    len: usize,
    at: u64,
}

/// A port with all its memory reserved.
struct FixedPort {
    now: Now,
    inbox: Box<[Slot]>,
    read: usize,
    written: usize,
    batch: Box<[Slot]>,
    tokens: Vec<Option<Token>>,
    stamps: Vec<(Token, Stamp)>,
    /// What departed, for the network to look at.
    departed: Vec<Slot>,
}

impl FixedPort {
    fn new(now: &Now) -> Self {
        let empty = Slot {
            bytes: [0; ROOM],
            len: 0,
            at: 0,
        };
        Self {
            now: now.clone(),
            inbox: vec![empty; 512].into_boxed_slice(),
            read: 0,
            written: 0,
            batch: vec![empty; 64].into_boxed_slice(),
            tokens: Vec::with_capacity(64),
            stamps: Vec::with_capacity(512),
            departed: Vec::with_capacity(512),
        }
    }

    fn arrive(&mut self, template: &Template, fill: impl FnOnce(&mut [u8])) {
        let len = template.bytes.len();
        let places = self.inbox.len();
        let slot = &mut self.inbox[self.written % places];
        slot.bytes[..len].copy_from_slice(&template.bytes);
        fill(&mut slot.bytes[..len]);
        slot.len = len;
        slot.at = self.now.get();
        self.written += 1;
    }
}

impl Port for FixedPort {
    fn receive(&mut self) -> Option<Received<'_>> {
        if self.read == self.written {
            return None;
        }
        let slot = &self.inbox[self.read % self.inbox.len()];
        self.read += 1;
        Some(Received {
            bytes: &slot.bytes[..slot.len],
            stamp: Some(stamp(slot.at)),
            checksum_unfinished: false,
            to_host: false,
            truncated: false,
        })
    }

    fn peek(&mut self, ahead: u32) -> Option<&[u8]> {
        let at = self.read + usize::try_from(ahead).ok()?;
        let slot = &self.inbox[at % self.inbox.len()];
        (at < self.written).then(|| &slot.bytes[..slot.len])
    }

    fn slot(&mut self) -> Option<&mut [u8]> {
        let slot = self.batch.get_mut(self.tokens.len())?;
        Some(&mut slot.bytes)
    }

    fn commit(&mut self, len: usize, token: Option<Token>) {
        self.batch[self.tokens.len()].len = len;
        self.tokens.push(token);
    }

    fn queued(&self) -> usize {
        self.tokens.len()
    }

    fn take_back(&mut self) -> usize {
        unreachable!("nothing is late here")
    }

    fn kick(&mut self) -> KickReport {
        let sent = self.tokens.len();
        for (slot, token) in self.batch.iter().zip(self.tokens.drain(..)) {
            let at = self.now.pass(1_000);
            self.stamps.extend(token.map(|token| (token, stamp(at))));
            self.departed.push(*slot);
        }
        KickReport { sent, unsent: 0 }
    }

    fn completions(&mut self, sink: &mut dyn FnMut(Completion<'_>)) {
        for (token, stamp) in self.stamps.drain(..) {
            sink(Completion::Stamped(token, stamp));
        }
    }
}

const CLIENTS: u32 = 96;

struct Network {
    now: Now,
    engine: Engine<FixedPort, FixedPort, Now>,
    requests: Vec<Template>,
    syncs: Vec<Template>,
    follow_ups: Vec<Template>,
    answers: Vec<Template>,
    answered: u64,
    told: u64,
}

impl Network {
    fn new() -> Self {
        let now = Now::new(1_000_000 * MS);
        let (up, down) = (FixedPort::new(&now), FixedPort::new(&now));
        let master = Station::master(0);
        let of_master = |message| -> Vec<Template> {
            Way::ALL
                .map(|way| Template::new(message, way, 0, master, None))
                .into()
        };
        let way = |client: u32| Way::ALL[client as usize % 3];
        Self {
            engine: Engine::new(up, down, now.clone(), ValidSettings::default()),
            now,
            requests: (0..CLIENTS)
                .map(|client| {
                    let from = Station::client(client);
                    Template::new(MessageType::DelayReq, way(client), 0, from, None)
                })
                .collect(),
            // One way of three has a one-step Sync.
            syncs: of_master(MessageType::Sync)
                .into_iter()
                .enumerate()
                .map(|(way, sync)| if way == 0 { sync } else { sync.two_step() })
                .collect(),
            follow_ups: of_master(MessageType::FollowUp),
            answers: of_master(MessageType::DelayResp),
            answered: 0,
            told: 0,
        }
    }

    /// One millisecond: each client asks, and each way's master tells, eight times a second.
    fn step(&mut self, ms: u64) {
        let sequence_id = u16::try_from(ms / 125).expect("a minute");
        let master_ns = (1_800_000_000_000 * MS + ms * MS).cast_signed();
        for (client, request) in self.requests.iter().enumerate() {
            if ms % 125 == client as u64 {
                let port = self.engine.down_mut();
                port.arrive(request, |bytes| request.fill(bytes, sequence_id, 0));
            }
        }
        for way in 0..3 {
            if ms % 125 == 40 * way as u64 {
                let (sync, follow_up) = (&self.syncs[way], &self.follow_ups[way]);
                let port = self.engine.up_mut();
                port.arrive(sync, |bytes| sync.fill(bytes, sequence_id, master_ns));
                if way > 0 {
                    port.arrive(follow_up, |bytes| {
                        follow_up.fill(bytes, sequence_id, master_ns);
                    });
                }
            }
        }
        self.engine.turn();
        self.answer();
        self.engine.turn();
        while self.engine.core_mut().next_event().is_some() {}
        for slot in self.engine.down_mut().departed.drain(..) {
            let Ok(frame) = Frame::parse(&slot.bytes[..slot.len]) else {
                panic!("a whole frame");
            };
            match frame.message_type() {
                MessageType::DelayResp => self.answered += 1,
                MessageType::FollowUp => self.told += 1,
                _ => {}
            }
        }
        let next = 1_000_000 * MS + (ms + 1) * MS;
        self.now.set(self.now.get().max(next));
    }

    fn answer(&mut self) {
        while let Some(slot) = self.engine.up_mut().departed.pop() {
            let Ok(request) = Frame::parse(&slot.bytes[..slot.len]) else {
                panic!("a whole frame");
            };
            let answer = &self.answers[request.lane().transport() as usize];
            let port = self.engine.up_mut();
            port.arrive(answer, |bytes| answer.answer(bytes, &request, 7));
        }
    }
}

/// The loop's side of the board, as the program does it.
struct Publisher {
    board: Arc<Board>,
    state: State,
}

impl Publisher {
    fn new(network: &Network) -> Self {
        let info = Info {
            up: "up".into(),
            downs: vec!["down".into()],
            stamps: "simulated".into(),
            started: std::time::SystemTime::now(),
        };
        Self {
            board: Arc::new(Board::new(info, vec![network.engine.core().client_slots()])),
            state: State {
                masters: Vec::with_capacity(SHOWN_MASTERS),
                ..State::default()
            },
        }
    }

    fn publish(&mut self, network: &Network) {
        let core = network.engine.core();
        self.state.at = network.now.now();
        self.state.clients = u32::try_from(core.clients()).expect("few");
        self.state.masters.clear();
        let (_, masters) = core.master_states(self.state.at);
        self.state.masters.extend(masters.take(SHOWN_MASTERS));
        self.board
            .publish(core.counters(), core.measures(), &self.state);
    }
}

/// Reads all that is published, again and again; how often, and that it never made nonsense of it.
fn read(board: &Board, stop: &AtomicBool) -> u64 {
    let (mut reads, mut last) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let snapshot = board.snapshot().expect("the loop goes on");
        assert!(snapshot.number >= last, "never back");
        last = snapshot.number;
        let measures = &snapshot.measures;
        assert_eq!(measures.residence.count(), snapshot.counters.measured);
        assert_eq!(measures.residence.sum_ns(), snapshot.counters.residence_ns);
        assert_eq!(measures.response.count(), snapshot.counters.answered);
        let clients = board.clients().count();
        assert!(clients <= CLIENTS as usize);
        reads += 1;
    }
    reads
}

#[test]
fn publishing_to_readers_allocates_nothing() {
    let mut network = Network::new();
    let mut publisher = Publisher::new(&network);
    for ms in 0..5_000 {
        network.step(ms);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (board, stop) = (Arc::clone(&publisher.board), Arc::clone(&stop));
        move || read(&board, &stop)
    });
    let before = ALLOCATIONS.with(Cell::get);
    for ms in 5_000..10_000 {
        network.step(ms);
        publisher.publish(&network);
    }
    let after = ALLOCATIONS.with(Cell::get);
    stop.store(true, Ordering::Relaxed);
    let reads = reader.join().expect("the reader");
    assert_eq!(
        after - before,
        0,
        "allocations of the loop while {reads} reads"
    );
    assert!(reads > 10, "{reads}");
    let snapshot = publisher.board.snapshot().expect("published");
    assert_eq!(&snapshot.counters, network.engine.counters());
    assert_eq!(publisher.board.clients().count(), CLIENTS as usize);
    for (_, client) in publisher.board.clients() {
        assert!(client.requests > 70 && client.unanswered == 0, "{client:?}");
        assert!(client.answered + 1 >= client.requests, "{client:?}");
        let ms = client.interval.expect("known").as_millis();
        assert!((124..=126).contains(&ms), "{client:?}");
        assert!(client.mean_hold <= client.mean_residence, "{client:?}");
    }
}

/// Nor does the loop while somebody watches each message, whether that reader keeps up or not.
#[test]
fn being_watched_allocates_nothing() {
    let mut network = Network::new();
    for ms in 0..5_000 {
        network.step(ms);
    }
    let trace = Arc::new(Trace::default());
    trace.want(Some(Wanted {
        exchanges: true,
        frames: true,
    }));
    let before = ALLOCATIONS.with(Cell::get);
    network.engine.core_mut().watch(Some(Arc::clone(&trace)));
    for ms in 5_000..10_000 {
        network.step(ms);
    }
    let after = ALLOCATIONS.with(Cell::get);
    assert_eq!(after - before, 0, "allocations");
    let mut words = Vec::new();
    let taken = std::iter::from_fn(|| trace.take(&mut words)).count() as u64;
    // Of each exchange: request, departure, answer.
    let exchanges = 5 * 8 * u64::from(CLIENTS);
    assert!(
        taken > 1000 && taken + trace.lost() > 3 * exchanges - 300,
        "{taken}"
    );
    assert!(trace.lost() > 0, "nobody read");
    network.engine.core_mut().watch(None);
    network.step(10_000);
    assert!(trace.take(&mut words).is_none());
}

#[test]
fn ten_thousand_exchanges_allocate_nothing() {
    let mut network = Network::new();
    let warm = 5_000;
    for ms in 0..warm {
        network.step(ms);
    }
    let held = network.engine.counters().held;
    let before = ALLOCATIONS.with(Cell::get);
    let (answered, told) = (network.answered, network.told);
    let mut ms = warm;
    while network.answered < answered + 10_000 {
        network.step(ms);
        ms += 1;
        assert!(ms < 60_000, "{} answered", network.answered);
    }
    let after = ALLOCATIONS.with(Cell::get);
    assert_eq!(after - before, 0, "allocations");
    assert!(
        network.told > told + 300,
        "Follow_Ups, made ones among them"
    );
    assert!(network.engine.counters().held > held + 9_000);
    assert!(before > 100, "the counter counts");
}

/// Tables are as large at the start as they ever get: no client's coming stalls the loop.
#[test]
fn clients_that_come_and_go_allocate_nothing() {
    const MANY: u32 = 50_000;
    let settings = Settings {
        max_clients: MANY,
        ..Settings::default()
    };
    let mut core = Forwarder::new(settings.validated().expect("they fit"));
    core.follow_changes(true);
    let mut template = Template::new(
        MessageType::DelayReq,
        Way::ETHERNET,
        0,
        Station::client(0),
        None,
    );
    let mut now = 1_000_000 * MS;
    let before = ALLOCATIONS.with(Cell::get);
    let mut refused = 0;
    for client in 0..MANY + 10 {
        now += 10_000;
        template.bytes[38..42].copy_from_slice(&client.to_be_bytes());
        let Ok(frame) = Frame::parse(&template.bytes) else {
            panic!("a whole frame");
        };
        let at = Instant::from_nanos(now);
        let stamp = Stamp::new(ClockId::Steady, now.cast_signed());
        let arrival = Arrival {
            side: Side::Down,
            stamp: Ok(stamp),
            at,
            now: at,
            to_host: false,
            checksum_unfinished: false,
        };
        match core.frame(&frame, &arrival) {
            Verdict::Forward(_, Some(token)) => core.stamped(token, Ok(stamp)),
            Verdict::Drop(reason) => {
                assert_eq!(reason, Reason::TableFull);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
        while core.next_change().is_some() {}
    }
    assert_eq!((core.clients(), refused), (MANY as usize, 10));
    // All fall silent at once: they are forgotten a few at a time.
    let mut turns = 0;
    let mut most = 0;
    now += 61_000 * MS;
    while core.clients() > 0 {
        now += MS;
        let clients = core.clients();
        core.advance(Instant::from_nanos(now));
        most = most.max(clients - core.clients());
        while core.next_change().is_some() {}
        turns += 1;
        assert!(turns < 10_000, "{} left", core.clients());
    }
    assert!(most <= 256, "{most} in one turn");
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "allocations");
}

/// Signed messages through the core: verified, corrected and signed again, or refused.
#[test]
fn signed_messages_allocate_nothing() {
    use ptpproxy::auth::SecurityAssociations;
    use ptpproxy::core::RequireAuthentication;
    use testkit::frames::{announce, clock, follow_up, one_step, sync};
    use testkit::signatures::Key;
    const KEY: Key = Key::of(3, "one-secret");
    let settings = Settings {
        require_authentication: RequireAuthentication::Both,
        ..Settings::default()
    };
    let mut core = Forwarder::new(settings.validated().unwrap());
    let set = SecurityAssociations::parse("sa.cfg".as_ref(), KEY.file().as_bytes()).unwrap();
    core.set_keys(set, Instant::default());
    let mut frames = vec![KEY.signs(announce(1, 0, clock(1))).bytes()];
    for id in 1..50 {
        frames.push(KEY.signs(sync(1, 2 * id)).bytes());
        frames.push(KEY.signs(follow_up(1, 2 * id, 9)).bytes());
        frames.push(KEY.signs(one_step(1, 2 * id + 1, 9)).bytes());
        frames.push(Key { id: 2, ..KEY }.signs(sync(1, 2 * id)).bytes());
        frames.push(sync(1, 2 * id).bytes());
    }
    let (mut now, mut out) = (1_000_000 * MS, [0; 2048]);
    let before = ALLOCATIONS.get();
    for bytes in &frames {
        now += MS;
        let at = Instant::from_nanos(now);
        let frame = Frame::parse(bytes).unwrap();
        let stamp = Stamp::new(ClockId::Steady, now.cast_signed());
        let arrival = Arrival {
            side: Side::Up,
            stamp: Ok(stamp),
            at,
            now: at,
            to_host: false,
            checksum_unfinished: false,
        };
        if let Verdict::Forward(edit, token) = core.frame(&frame, &arrival) {
            let room = &mut out[..bytes.len()];
            room.copy_from_slice(bytes);
            core.edit(Side::Down, &edit, room, frame.layout()).unwrap();
            if let Some(token) = token {
                core.stamped(
                    token,
                    Ok(Stamp::new(ClockId::Steady, (now + 1_000).cast_signed())),
                );
            }
        }
        while core.next_egress().is_some() {
            let _ = core.depart(&mut out, at);
        }
        while core.next_event().is_some() {}
    }
    assert_eq!(ALLOCATIONS.get(), before);
    let counters = core.counters();
    assert_eq!((counters.verified, counters.follow_ups_made), (148, 49));
    assert_eq!(counters.dropped_for(Reason::UnknownKey), 49);
    assert_eq!(counters.dropped_for(Reason::Unsigned), 49);
    // Each Follow_Up, and those that were made: when they were made, and corrected.
    assert!(counters.signed > 49 * 3, "{}", counters.signed);
}

/// A Sync that linuxptp signed, verified and signed again, with each kind of key.
#[test]
fn verifying_and_signing_allocate_nothing() {
    use ptpproxy::auth::{SecurityAssociations, Verifier};
    const FILE: &[u8] = include_bytes!("../src/auth/tests/captured/sa.cfg");
    const CAPTURES: [&[u8]; 4] = [
        include_bytes!("../src/auth/tests/captured/sha256-128.pcap"),
        include_bytes!("../src/auth/tests/captured/sha256.pcap"),
        include_bytes!("../src/auth/tests/captured/aes128.pcap"),
        include_bytes!("../src/auth/tests/captured/aes256-mutable.pcap"),
    ];
    let set = SecurityAssociations::parse("sa.cfg".as_ref(), FILE).unwrap();
    let mut verifier = Verifier::new(set, 64, (1, 2));
    for capture in CAPTURES {
        // The first frame: its length stands before it.
        let len =
            usize::try_from(u32::from_le_bytes(*capture[32..].first_chunk().unwrap())).unwrap();
        let mut bytes = capture[40..40 + len].to_vec();
        let original = bytes.clone();
        let frame = Frame::parse(&original).unwrap();
        let before = ALLOCATIONS.get();
        let verified = verifier
            .verify(&frame, Side::Up, Instant::default())
            .unwrap();
        assert!(
            verifier
                .verify(&frame, Side::Up, Instant::default())
                .is_err()
                || !frame.message_type().is_event()
        );
        let layout = frame.layout();
        ptpproxy::wire::edit::add_correction(&mut bytes, layout, 1 << 16);
        verifier.sign(&mut bytes, layout, verified).unwrap();
        assert_eq!(ALLOCATIONS.get(), before);
        assert_ne!(bytes, original);
    }
}
