//! Two gateways between the same two segments: no loop, no storm, and no wrong time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::lab::frames::Kind;
use ptpproxy_lab::lab::shape::{Network, Shape};
use ptpproxy_lab::lab::station::Role;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::host::{ETHERNET, Host, Message};
use crate::proxy::{Ended, Proxy};
use crate::segments::{END, Parallel};
use crate::strict_client::StrictClient;

const CLIENTS: u16 = 8;
const LENGTH: Duration = Duration::from_secs(5);
/// One that is suspect among a few says nothing of one in [`SUSPECT`]: there it goes on until they are more.
const LONGEST: Duration = Duration::from_secs(120);
/// One in this many may be beyond the cable.
const SUSPECT: usize = 50;
/// Sync interval, and that of each client's requests.
const INTERVAL: Duration = Duration::from_millis(125);
/// A cable and two bridges on a busy machine: what is above is suspect, and some of it may be.
const CABLE_NS: i64 = 200_000;
/// Nothing but a wrong correction is as wrong as this.
pub(crate) const WRONG_NS: i64 = 3_000_000;

struct Case {
    options: &'static [&'static str],
    shape: Shape,
    one_step: bool,
    /// How long the grandmaster takes for a Follow_Up or an answer.
    thinks: Duration,
    /// Both gateways stop now and then, for up to this long.
    stumble: Duration,
}

const CASE: Case = Case {
    options: &["--jitter", "20ms", "--jitter-share", "off"],
    shape: ETHERNET,
    one_step: false,
    thinks: Duration::ZERO,
    stumble: Duration::ZERO,
};

#[test]
fn no_wrong_time_while_holding() {
    in_sandbox!({ judge(&CASE) });
}

#[test]
fn no_wrong_time_without_holding() {
    let options = &["--jitter", "off"];
    in_sandbox!({ judge(&Case { options, ..CASE }) });
}

#[test]
fn no_wrong_time_from_a_slow_grandmaster() {
    let thinks = Duration::from_millis(15);
    in_sandbox!({ judge(&Case { thinks, ..CASE }) });
}

#[test]
fn no_wrong_time_from_a_one_step_grandmaster() {
    let shape = Shape {
        network: Network::Udp4,
        vlan: None,
    };
    in_sandbox!({
        judge(&Case {
            one_step: true,
            shape,
            ..CASE
        });
    });
}

/// Whatever one gateway has missed, has half done or finds late: no order of events makes a wrong time.
#[test]
fn no_wrong_time_while_gateways_stumble() {
    let stumble = Duration::from_millis(40);
    let thinks = Duration::from_millis(1);
    in_sandbox!({
        judge(&Case {
            stumble,
            thinks,
            ..CASE
        });
    });
}

#[test]
fn no_wrong_one_step_time_while_gateways_stumble() {
    let stumble = Duration::from_millis(40);
    in_sandbox!({
        judge(&Case {
            stumble,
            one_step: true,
            ..CASE
        });
    });
}

/// What the hosts at the two ends did and heard.
#[derive(Default)]
struct Traffic {
    client: StrictClient,
    sent_above: u64,
    sent_below: u64,
    heard_above: u64,
    heard_below: u64,
}

fn judge(case: &Case) {
    let network = Parallel::new();
    let mut gateways = [0, 1].map(|i| Proxy::start(&network.gateways[i], case.options));
    let mut above = Host::open(&network.grandmaster, END, case.shape);
    let mut below = Host::open(&network.clients, END, case.shape);
    let traffic = play(case, &mut gateways, &mut above, &mut below);
    let ended = gateways.map(Proxy::stop);

    for Ended { log, totals, .. } in &ended {
        let told = log.iter().filter(|line| line.contains("second path found"));
        assert_eq!(told.count(), 1, "{log:#?}");
        assert!(totals.dropped_for("second-path") > 0, "{}", totals.0);
        assert_eq!(totals.dropped_for("client-rate"), 0, "{}", totals.0);
    }
    assert_eq!(above.damaged + below.damaged, 0);

    // Each gateway sends each frame on at most once, and one more for a one-step Sync.
    let copies = if case.one_step { 4 } else { 2 };
    let Traffic { client, .. } = &traffic;
    assert!(
        traffic.heard_below <= copies * traffic.sent_above
            && traffic.heard_above <= 2 * traffic.sent_below,
        "below: {} of {} sent above, above: {} of {} sent below",
        traffic.heard_below,
        traffic.sent_above,
        traffic.heard_above,
        traffic.sent_below,
    );
    println!(
        "{} Syncs heard, {} taken; {} requests, {} answers taken",
        client.syncs_heard,
        client.sync_residuals.len(),
        traffic.sent_below,
        client.request_residuals.len()
    );
    assert!(client.syncs_heard >= 20, "the Syncs themselves pass");
    for (what, residuals) in [
        ("Sync", &client.sync_residuals),
        ("Delay_Req", &client.request_residuals),
    ] {
        true_enough(what, residuals);
    }
    // One gateway is the first to send a request on, and the other then does not.
    if case.options[1] == "20ms" {
        let taken = client.request_residuals.len() as u64;
        assert!(
            taken * 2 > traffic.sent_below,
            "{taken} answers of {} requests",
            traffic.sent_below
        );
    }
}

fn beyond_the_cable(residuals: &[i64]) -> usize {
    residuals
        .iter()
        .filter(|ns| !(-CABLE_NS..CABLE_NS).contains(*ns))
        .count()
}

/// Too many are suspect, but one would be.
fn too_few(residuals: &[i64]) -> bool {
    let wrong = beyond_the_cable(residuals);
    wrong * SUSPECT > residuals.len() && residuals.len() < SUSPECT
}

pub(crate) fn true_enough(what: &str, residuals: &[i64]) {
    let mut sorted = residuals.to_vec();
    sorted.sort_unstable();
    let wrong = beyond_the_cable(&sorted);
    println!(
        "{what}: {wrong} of {} beyond the cable, from {:?} to {:?} ns",
        sorted.len(),
        sorted.first(),
        sorted.last()
    );
    assert!(wrong * SUSPECT <= sorted.len(), "{what}: {sorted:?}");
    assert!(
        sorted.iter().all(|ns| ns.abs() < WRONG_NS),
        "{what}: {sorted:?}"
    );
}

/// A grandmaster and some clients, for a while.
fn play(case: &Case, gateways: &mut [Proxy; 2], above: &mut Host, below: &mut Host) -> Traffic {
    let mut traffic = Traffic::default();
    let start = Instant::now();
    let (mut sequence, mut round, mut next) = (0_u16, 0_u16, 0_u16);
    let mut later: VecDeque<(Instant, Answer)> = VecDeque::new();
    let mut end = start + LENGTH;
    let mut stumbles = [Stumble::new(1), Stumble::new(2)];
    loop {
        let now = Instant::now();
        let client = &traffic.client;
        if now > end
            && now < start + LONGEST
            && (too_few(&client.sync_residuals) || too_few(&client.request_residuals))
        {
            end = now + INTERVAL;
        }
        if !case.stumble.is_zero() {
            for (gateway, stumble) in gateways.iter_mut().zip(&mut stumbles) {
                stumble.step(gateway, case.stumble, now, now < end);
            }
        }
        if now > end + Duration::from_millis(300) {
            break;
        }
        if now < end && now >= start + INTERVAL * u32::from(sequence) {
            if sequence % 8 == 0 {
                above.announce(sequence);
                traffic.sent_above += 1;
            }
            traffic.sent_above += 1;
            if case.one_step {
                let late = above.one_step(sequence);
                traffic.client.one_step_departed(sequence, late);
            } else {
                let origin = above.sync(sequence);
                later.push_back((now + case.thinks, Answer::FollowUp(sequence, origin)));
            }
            sequence += 1;
        }
        // The clients one after the other, a Sync later.
        let due = start
            + INTERVAL * u32::from(round + 1)
            + INTERVAL / u32::from(CLIENTS) * u32::from(next);
        if now < end && now >= due {
            let departed = below.request(next, round);
            traffic.client.asked(next, round, departed);
            traffic.sent_below += 1;
            next += 1;
            if next == CLIENTS {
                (next, round) = (0, round + 1);
            }
        }
        while let Some(message) = above.receive() {
            if message.kind == Kind::DelayReq {
                later.push_back((now + case.thinks, Answer::Response(message)));
            }
        }
        while later.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, answer)) = later.pop_front() else {
                break;
            };
            traffic.sent_above += 1;
            match answer {
                Answer::FollowUp(sequence, origin) => above.follow_up(sequence, origin),
                Answer::Response(request) => above.answer(&request),
            }
        }
        while let Some(message) = below.receive() {
            assert_ne!(message.source.map(|from| from.role), Some(Role::Client));
            traffic.client.hears(&message);
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    traffic.heard_above = above.heard;
    traffic.heard_below = below.heard;
    traffic
}

/// When a gateway stops and goes on.
struct Stumble {
    rng: SmallRng,
    stopped: bool,
    next: Option<Instant>,
}

impl Stumble {
    fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            stopped: false,
            next: None,
        }
    }

    fn step(&mut self, gateway: &mut Proxy, longest: Duration, now: Instant, on: bool) {
        if (on || !self.stopped) && self.next.is_some_and(|next| now < next) {
            return;
        }
        if self.next.is_some() && (on || self.stopped) {
            self.stopped = !self.stopped;
            gateway.signal(if self.stopped {
                libc::SIGSTOP
            } else {
                libc::SIGCONT
            });
        }
        self.next = Some(now + longest.mul_f64(self.rng.random()));
    }
}

enum Answer {
    FollowUp(u16, i64),
    Response(Message),
}
