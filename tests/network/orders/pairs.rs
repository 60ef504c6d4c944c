//! Two gateways of which one is to forward, as keepalived has it, or has it wrong: they take each other's place, both
//! forward, neither does, the clients' network is cut in two, one stands still at any step or is killed, a clock is set
//! meanwhile. No time is wrong, and in the end one of them serves. `PTPPROXY_ORDERS=300` has that many orders of each kind.

use std::time::Duration;

use ptpproxy::core::Event;
use ptpproxy::telemetry::Role::{self, Active, Standby};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::gateway::Life;
use super::{Case, MS, RIGHT_NS, SYNC, US, run};

/// Orders of events of each kind, if nobody asks for more.
const EACH: u64 = 12;

const IN_TWO: &str = "the clients' network in two, and whole again";
/// For so long. Nobody expects the other one any more when it is whole again.
const APART: u64 = 88 * SYNC;
/// For so long after the last sign of another way nobody trusts a client's answers.
const DOUBT: u64 = 11_000 * MS;

type Make = fn(&mut SmallRng) -> [Life; 2];

const KINDS: [(&str, Make); 11] = [
    ("one after the other", handover),
    ("killed", killed),
    ("stands still", stands_still),
    ("both at once", both_at_once),
    ("both for a while", both),
    ("again and again", flapping),
    ("stands still again and again", gasps),
    ("beside one that knows no roles", stranger),
    ("a clock is set at a take-over", set_at_handover),
    ("a clock is set while both forward", set_while_both),
    (IN_TWO, partition),
];

/// A moment about this many milliseconds after the start.
fn ms(rng: &mut SmallRng, from: u64, to: u64) -> u64 {
    rng.random_range(from * MS..to * MS)
}

fn pair() -> [Life; 2] {
    let standby = Life {
        standby: true,
        ..Life::default()
    };
    let mut active = standby.clone();
    active.roles.push((10 * MS, Active));
    [active, standby]
}

fn handover(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    one.roles.push((ms(rng, 950, 1050), Standby));
    two.roles.push((ms(rng, 950, 1050), Active));
    [one, two]
}

fn killed(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    let at = ms(rng, 950, 1050);
    one.killed = Some(at);
    two.roles.push((at + ms(rng, 20, 400), Active));
    [one, two]
}

fn stands_still(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    let (from, until) = (ms(rng, 950, 1050), ms(rng, 1060, 1900));
    one.stops.push(from..until);
    one.roles.push((until + ms(rng, 0, 200), Standby));
    two.roles.push((from + ms(rng, 0, 400), Active));
    [one, two]
}

fn both_at_once(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    let at = ms(rng, 700, 800);
    one.roles = vec![(at, Active), (ms(rng, 1600, 1700), Standby)];
    two.roles = vec![(at + rng.random_range(0..3 * MS), Active)];
    [one, two]
}

fn both(rng: &mut SmallRng) -> [Life; 2] {
    let [one, mut two] = pair();
    two.roles = vec![(ms(rng, 800, 900), Active), (ms(rng, 1700, 1800), Standby)];
    [one, two]
}

fn flapping(rng: &mut SmallRng) -> [Life; 2] {
    let mut lives = pair();
    for life in &mut lives {
        let mut at = 700 * MS;
        let mut role = Active;
        while at < 1_800 * MS {
            life.roles.push((at, role));
            role = other(role);
            at += ms(rng, 1, 150);
        }
    }
    lives[0].roles.push((1_950 * MS, Standby));
    lives[1].roles.push((1_950 * MS + ms(rng, 0, 50), Active));
    lives
}

fn other(role: Role) -> Role {
    match role {
        Active => Standby,
        Standby => Active,
    }
}

fn gasps(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    let mut at = 700 * MS;
    while at < 1_800 * MS {
        let until = at + ms(rng, 20, 250);
        one.stops.push(at..until);
        two.roles.push((at + ms(rng, 0, 100), Active));
        two.roles.push((until + ms(rng, 0, 100), Standby));
        at = until + ms(rng, 60, 250);
    }
    two.roles.sort_by_key(|(at, _)| *at);
    two.roles.push((2_050 * MS, Standby));
    [one, two]
}

fn stranger(rng: &mut SmallRng) -> [Life; 2] {
    let [one, mut two] = pair();
    two.standby = false;
    two.start = ms(rng, 600, 800);
    two.killed = Some(ms(rng, 1700, 1900));
    [one, two]
}

/// A clock is set about then, forward or back, by 100 us to a second.
fn set(rng: &mut SmallRng, lives: &mut [Life; 2], from: u64, to: u64) {
    let by = 100_000 * 10_i64.pow(rng.random_range(0..5));
    let by = if rng.random() { by } else { -by };
    let which = usize::from(rng.random::<bool>());
    lives[which].set.push((ms(rng, from, to), by));
}

fn set_at_handover(rng: &mut SmallRng) -> [Life; 2] {
    let mut lives = handover(rng);
    set(rng, &mut lives, 940, 1080);
    lives
}

fn set_while_both(rng: &mut SmallRng) -> [Life; 2] {
    let mut lives = both(rng);
    set(rng, &mut lives, 790, 920);
    set(rng, &mut lives, 1690, 1820);
    lives
}

/// It is whole again between two Syncs: of a copy that left before, in the other part, nobody could know. Then each stands
/// still while it has a Sync.
fn partition(rng: &mut SmallRng) -> [Life; 2] {
    let [mut one, mut two] = pair();
    let sync = APART + SYNC * rng.random_range(8..10) + 5 * MS;
    let whole = sync - ms(rng, 1, 15);
    two.apart.push(100 * MS..whole);
    two.roles = vec![(ms(rng, 150, 250), Active)];
    for life in [&mut one, &mut two] {
        let at = sync + SYNC * rng.random_range(0..3) + rng.random_range(0..300 * US);
        life.stops.push(at..at + ms(rng, 1, 20));
    }
    two.roles.push((whole + ms(rng, 20, 400), Standby));
    [one, two]
}

/// How many Syncs and requests a client took in the end.
fn is_served((syncs, requests): (usize, usize)) -> bool {
    syncs >= 10 && requests >= 15
}

#[test]
fn no_order_of_events_of_a_pair_makes_a_wrong_time() {
    let (mut wrong, mut unserved) = (Vec::new(), Vec::new());
    let (mut taken, mut changes, mut found, mut set, mut doubted) = (0, 0, 0, 0, 0);
    let each = std::env::var("PTPPROXY_ORDERS").map_or(EACH, |text| text.parse().unwrap());
    for (kind, (name, make)) in KINDS.into_iter().enumerate() {
        for n in 0..each {
            let seed = 1_000_000 * (1 + kind as u64) + n;
            let case = Case {
                seed,
                jitter: Duration::from_millis([20, 0][(n % 2) as usize]),
                one_step: n % 3 == 0,
                thinks: [10 * US, 300 * US, 8 * MS][(n / 2 % 3) as usize],
                late: 0,
                longer: if name == IN_TWO { APART } else { 0 },
            };
            let lives = make(&mut SmallRng::seed_from_u64(seed));
            let (client, late, events) = run(&case, lives.clone());
            let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
            changes += count(|event| matches!(event, Event::Role(_)));
            found += count(|event| matches!(event, Event::SecondPath(_)));
            set += count(|event| matches!(event, Event::ClockStep));
            let times = [&client.sync_residuals, &client.request_residuals];
            taken += times.map(Vec::len).iter().sum::<usize>();
            let bad: Vec<i64> = times
                .into_iter()
                .flatten()
                .copied()
                .filter(|ns| !RIGHT_NS.contains(ns))
                .collect();
            if !bad.is_empty() {
                wrong.push((name, seed, bad, lives.clone()));
            }
            if !is_served(late) {
                // Clients whose requests took both ways are doubted for a while.
                let longer = case.longer + DOUBT;
                let (_, late, _) = run(&Case { longer, ..case }, lives.clone());
                doubted += 1;
                if !is_served(late) {
                    unserved.push((name, seed, late, lives));
                }
            }
        }
    }
    let orders = KINDS.len() as u64 * each;
    println!(
        "{orders} orders: {taken} times taken, {changes} roles changed, second path found {found} times, \
         clocks set {set} times, served only once a doubt was over {doubted} times"
    );
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
    assert!(
        unserved.is_empty(),
        "{} unserved: {unserved:#?}",
        unserved.len()
    );
    assert!(
        taken > 10_000
            && changes > 300
            && found > 50
            && set as u64 >= each
            && doubted * 100 <= orders,
        "{taken} {changes} {found} {set} {doubted}"
    );
}
