//! The state of one forwarder is what another goes on with: it decides as the first one would.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

use ptpproxy::Side::{Down, Up};
use ptpproxy::core::{Settings, StateError};
use ptpproxy::telemetry::{By, Role};
use ptpproxy::wire::MessageType;

use crate::frames::*;
use crate::gateway::{Gateway, MS, Outcome, SECOND, unheld};

/// Frames that both decide on afterwards.
const FRAMES: u32 = 10_000;
const CLIENTS: u8 = 24;
/// The first of them.
const FIRST: u8 = 10;

/// Numbers without a pattern (the finalizer of `SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) % most
    }
}

/// What happens next in a network, drawn once and done to each gateway.
enum Step {
    Frame(ptpproxy::Side, Message),
    Pass(Duration),
    Stamps(bool),
    StampAll,
}

/// Two masters, clients of each kind, strangers and mischief.
struct World {
    numbers: Numbers,
    sequence: u16,
    now: u64,
    left: Option<Message>,
    /// The last sequenceId of each client, and answers to come.
    asked: [u16; 256],
    open: VecDeque<Message>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            numbers: Numbers(seed),
            sequence: 0,
            now: 0,
            left: None,
            asked: [0; 256],
            open: VecDeque::new(),
        }
    }

    fn step(&mut self) -> Step {
        if let Some(message) = self.left.take() {
            return Step::Frame(Up, message);
        }
        let master = 1 + u8::from(self.numbers.below(8) == 0);
        let client = FIRST + u8::try_from(self.numbers.below(CLIENTS.into())).unwrap();
        let way = if client.is_multiple_of(3) {
            UDP4
        } else {
            ETHERNET
        };
        let number = u16::try_from(self.numbers.below(4)).unwrap();
        self.sequence = self.sequence.wrapping_add(1);
        match self.numbers.below(40) {
            0..8 => {
                let pause = MS / 10 * u32::try_from(1 + self.numbers.below(60)).unwrap();
                self.now += u64::try_from(pause.as_nanos()).unwrap();
                Step::Pass(pause)
            }
            8 => Step::Stamps(self.numbers.below(4) > 0),
            9 => Step::StampAll,
            10..20 => {
                let sequence = &mut self.asked[usize::from(client)];
                *sequence += u16::from(self.numbers.below(16) > 0);
                let request = delay_req(client, *sequence).on(way);
                self.open
                    .push_back(delay_resp(master, *sequence, port(client)).on(way));
                Step::Frame(Down, request)
            }
            // In their order, some twice, some never.
            20..29 => match self.open.pop_front() {
                Some(answer) if self.numbers.below(8) > 0 => {
                    if self.numbers.below(8) == 0 {
                        self.open.push_back(answer.clone());
                    }
                    Step::Frame(Up, answer)
                }
                _ => Step::Frame(Up, delay_resp(master, number, port(client)).on(way)),
            },
            29..33 => {
                let (sync, follow_up) = (
                    sync(master, self.sequence),
                    follow_up(master, self.sequence, self.now),
                );
                let (first, then) = match self.numbers.below(4) {
                    0 => (follow_up, sync),
                    _ => (sync, follow_up),
                };
                self.left = Some(then);
                Step::Frame(Up, first)
            }
            33 => Step::Frame(Up, one_step(master, self.sequence, self.now)),
            34 => Step::Frame(Up, announce(master, self.sequence, clock(master))),
            35 => Step::Frame(Up, grant(master, number, port(client), 30)),
            36 => Step::Frame(Down, management(client, number, every_port(master), GET)),
            // A stranger upstream; it may be ours later.
            37 => Step::Frame(Up, delay_req(client + CLIENTS / 2, number)),
            38 => Step::Frame(Down, simple_req(client, number, master)),
            _ => Step::Frame(Up, sync(66, number)),
        }
    }
}

/// What became of a frame, if it was one.
fn take(gateway: &mut Gateway, step: &Step) -> Option<Outcome> {
    match step {
        Step::Frame(side, message) => return Some(gateway.hears(*side, message)),
        Step::Pass(time) => gateway.pass(*time),
        Step::Stamps(come) => gateway.stamps = *come,
        Step::StampAll => gateway.stamp_all(),
    }
    None
}

/// Hands over amid all that, and gives both the same from then on.
fn alike(settings: Settings, seed: u64, change: impl Fn(&mut Gateway)) {
    let mut world = World::new(seed);
    let mut one = Gateway::new(settings.clone());
    change(&mut one);
    for _ in 0..3_000 {
        take(&mut one, &world.step());
    }
    while one.core.waiting() < 3 || one.in_flight.is_empty() {
        one.stamps = false;
        take(&mut one, &world.step());
    }
    one.left.clear();
    let other_seed = Settings {
        seed: settings.seed + 1,
        ..settings
    };
    let mut other = one.handed_over(other_seed).expect("its own state");
    assert_eq!(other.core.waiting(), one.core.waiting());
    let mut frames = 0;
    while frames < FRAMES {
        let step = world.step();
        let (expected, got) = (take(&mut one, &step), take(&mut other, &step));
        assert_eq!(got, expected, "frame {frames}");
        assert_eq!(other.left, one.left, "frame {frames}");
        assert_eq!(other.core.next_wake(), one.core.next_wake());
        one.left.clear();
        other.left.clear();
        frames += u32::from(expected.is_some());
    }
    other.assert_conserved();
    let answered = one.core.counters().answered;
    assert!(answered > 200, "only {answered} answered");
    let states = [&mut one, &mut other].map(|gateway| gateway.state().expect("a state"));
    let differ = states[0].iter().zip(&states[1]).position(|(a, b)| a != b);
    let lengths = states.each_ref().map(Vec::len);
    assert_eq!(
        (differ, lengths[0]),
        (None, lengths[1]),
        "they know the same"
    );
}

fn held(seed: u64) -> Settings {
    Settings {
        jitter: MS * 20,
        max_clients: 64,
        hold_frames: 64,
        seed,
        ..Settings::default()
    }
}

#[test]
fn the_other_one_decides_as_the_first_would() {
    for seed in 1..4 {
        alike(held(seed), seed, |_| {});
    }
}

#[test]
fn and_under_a_rate_limit() {
    let settings = Settings {
        max_rate: Some(300),
        ..held(4)
    };
    alike(settings, 4, |_| {});
}

#[test]
fn and_with_new_clients_behind_a_gate() {
    alike(held(5), 5, |gateway| {
        gateway.core.gate_new_clients();
        // Nobody is let in until some have come.
        gateway.core.admit(u64::from(CLIENTS) / 2);
    });
}

#[test]
fn and_as_one_of_two_gateways() {
    alike(held(6), 6, |gateway| {
        let now = gateway.instant();
        gateway.core.set_role(Role::Standby, By::START, now);
        gateway.core.set_role(Role::Active, By::START, now);
    });
}

/// A request that waits departs as planned, or not at all if that would be too late.
#[test]
fn what_waits_leaves_in_its_time_or_never() {
    for pause in [MS * 5, MS * 60, SECOND] {
        let settings = Settings {
            max_hold: MS * 40,
            ..held(7)
        };
        let mut one = Gateway::new(settings.clone());
        // Served once, so that it is held.
        one.hears(Down, &delay_req(10, 1));
        one.hears(Up, &announce(1, 1, clock(1)));
        one.hears(Up, &delay_resp(1, 1, port(10)));
        one.pass(SECOND / 8);
        one.left.clear();
        let came = one.now;
        assert_eq!(one.hears(Down, &delay_req(10, 2)), Outcome::Waits);
        let mut other = one.handed_over(settings).expect("its own state");
        other.skip(pause);
        other.pass(MS * 60);
        let requests: Vec<_> = other
            .left
            .iter()
            .filter(|left| left.frame().message_type() == MessageType::DelayReq)
            .collect();
        if pause < MS * 40 {
            assert_eq!(requests.len(), 1, "{pause:?}");
            assert!(requests[0].at - came <= 40_000_000);
        } else {
            assert_eq!(requests.len(), 0, "{pause:?}");
        }
        other.assert_conserved();
    }
}

#[test]
fn what_does_not_fit_is_refused_and_says_why() {
    let mut one = Gateway::new(unheld());
    one.hears(Down, &delay_req(10, 1));
    one.pass(MS);
    let state = one.state().expect("a state");
    let why = |settings: Settings, state: &[u8]| {
        let mut other = Gateway::new(settings);
        other.now += 1_000_000_000;
        other.restore(state).err()
    };
    assert_eq!(why(unheld(), &state), None);
    let more = Settings {
        max_clients: 65,
        ..unheld()
    };
    assert_eq!(why(more, &state), Some(StateError::Sized("--max-clients")));
    let more = Settings {
        hold_frames: 65,
        ..unheld()
    };
    assert_eq!(why(more, &state), Some(StateError::Sized("--hold-frames")));
    let mut early = Gateway::new(unheld());
    early.now -= 1;
    assert!(early.restore(&state).is_err(), "of another boot");
    assert_eq!(why(unheld(), b"no state"), Some(StateError::Foreign));
    for len in (8..state.len()).step_by(7) {
        assert_eq!(why(unheld(), &state[..len]), Some(StateError::Damaged));
    }
    for at in (16..state.len()).step_by(11) {
        let mut other = state.clone();
        other[at] ^= 1;
        assert_eq!(why(unheld(), &other), Some(StateError::Damaged), "{at}");
    }
}

/// A state that somebody made up, with the right sum: it is refused, or gone on with, whatever comes then.
#[test]
fn a_made_up_state_does_no_harm() {
    let mut one = Gateway::new(held(9));
    let mut world = World::new(9);
    for _ in 0..2_000 {
        take(&mut one, &world.step());
    }
    let state = one.state().expect("a state");
    assert_eq!(summed(state.clone()), state, "this is how it is summed");
    let mut numbers = Numbers(10);
    let mut taken = 0;
    // Counts come last, and mean nothing.
    let end = (state.len() - 8).min(24_000) as u64;
    for _ in 0..400 {
        let mut made_up = state.clone();
        for _ in 0..1 + numbers.below(3) {
            let at = usize::try_from(16 + numbers.below(end - 16)).unwrap();
            made_up[at] = match numbers.below(3) {
                0 => 0xFF,
                1 => made_up[at] ^ 1 << numbers.below(8),
                _ => u8::try_from(numbers.below(256)).unwrap(),
            };
        }
        let mut other = Gateway::new(held(9));
        other.now = one.now;
        if other.restore(&summed(made_up)).is_err() {
            continue;
        }
        taken += 1;
        let mut world = World::new(11);
        for _ in 0..300 {
            take(&mut other, &world.step());
        }
        other.pass(SECOND);
    }
    assert!((50..350).contains(&taken), "{taken} of 400 taken");
}

/// With the sum that belongs to it.
fn summed(mut state: Vec<u8>) -> Vec<u8> {
    let end = state.len() - 8;
    let mut hasher = DefaultHasher::new();
    hasher.write(&state[..end]);
    state[end..].copy_from_slice(&hasher.finish().to_le_bytes());
    state
}

/// Whoever changes what is written changes the number of the format as well (`core/state.rs`), and then this sum.
#[test]
fn what_is_written_changes_only_with_the_format() {
    let mut one = Gateway::new(held(8));
    let mut world = World::new(8);
    for _ in 0..2_000 {
        take(&mut one, &world.step());
    }
    let state = one.state().expect("a state");
    // Counts are left out, which come last: they may be more, and start anew then. So is the hash of the layout.
    let written = &state[16..state.len() - COUNTS];
    assert_eq!(fold(written), FORMAT_2, "{} bytes", written.len());
}

/// Bytes of the counts, at most.
const COUNTS: usize = 6_000;
const FORMAT_2: u64 = 10_649_146_152_176_129_556;

fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
