//! Two cards, each with a clock of its own, read beside the steady clock by windows of 350 ns: corrections are within the
//! bound that is stated, and whatever happens to the clocks, none is wrong. (`assert_sound` checks every one of them.)

use ptpproxy::Side;
use ptpproxy::core::Lack;
use ptpproxy::reason::Reason;
use ptpproxy_lab::sim::statistics::quantile;
use ptpproxy_lab::sim::{
    Action, Card, ClientModel, MachineModel, MasterModel, Plan, PortModel, Scenario, World,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::common::*;

/// The clock below is a second ahead of the one above; they run 50 ppm fast and 50 ppm slow.
fn two_clocks(script: Vec<(u64, Action)>) -> Scenario {
    let port = |clock| PortModel {
        card: Some(Card {
            clock,
            ..Card::default()
        }),
        ..PortModel::default()
    };
    Scenario {
        settings: holding(20),
        machine: MachineModel {
            realtime_ppm: -15.0,
            card_ppm: 50.0,
            second_ppm: -50.0,
            window_ns: 350,
            ..MachineModel::default()
        },
        up_port: port(0),
        down_port: port(1),
        masters: vec![MasterModel {
            ppm: 10.0,
            sync_interval_ns: 125 * MS,
            ..MasterModel::default()
        }],
        clients: ClientModel {
            count: 16,
            plan: Plan::Random(250 * MS),
            stop_ns: 19 * SECOND,
            ..ClientModel::default()
        },
        script,
        ..Scenario::default()
    }
}

/// Errors of the corrections of answers and of Syncs after the first seconds, in nanoseconds.
fn errors_of(world: &World) -> Vec<f64> {
    let audit = &world.audit;
    let mut all = errors(4 * SECOND, &audit.response_errors);
    let of_syncs = errors(4 * SECOND, &audit.sync_errors);
    assert!(all.len() > 200 && of_syncs.len() > 80);
    all.extend(of_syncs);
    all
}

/// What the gateway states.
fn stated(world: &World) -> f64 {
    let core = world.gateways[0].engine.core();
    f64::from(
        core.clocks_bound_ns()
            .expect("two clocks, and both are read"),
    )
}

fn dropped(world: &World) -> u64 {
    let counters = world.gateways[0].engine.counters();
    counters.dropped_for(Reason::ClockStep)
}

/// Where it is not checked that each correction is right, at least one was.
fn assert_within_what_is_stated(world: &World) {
    assert_sound(world);
    let errors = errors_of(world);
    let (most, all) = (quantile(&errors, 0.99), quantile(&errors, 1.0));
    let stated = stated(world);
    println!("p99 {most:.0} ns, all {all:.0} ns, stated {stated} ns");
    assert!(most <= stated && most < 200.0, "{most} {stated}");
    assert!(all <= stated + 5.0, "{all} {stated}");
    assert!(stated < 450.0, "{stated}");
    assert_eq!(world.gateways[0].engine.counters().estimated, 0);
}

#[test]
fn corrections_are_within_the_stated_bound() {
    let world = after(20, two_clocks(Vec::new()));
    assert_within_what_is_stated(&world);
    let share = taken(&world);
    assert!(share > 0.995, "{share}");
    // Follow_Ups wait for the next readings, which come each 4 ms. The master sends a Sync each 125 ms.
    let late = |&(at, _): &(u64, f64)| ((at - 10 * MS) % (125 * MS)) as f64;
    let late: Vec<f64> = world.audit.sync_errors.iter().map(late).collect();
    let (usual, most) = (quantile(&late, 0.5), quantile(&late, 1.0));
    println!("Follow_Ups leave after {usual} ns, {most} ns at most");
    let ms = MS as f64;
    assert!(usual > ms && usual < 8.0 * ms, "{usual}");
    assert!(most < 11.0 * ms, "{most}");
}

#[test]
fn both_clocks_may_change_their_rate() {
    let mut rng = SmallRng::seed_from_u64(3);
    let mut script = Vec::new();
    for (clock, mut ppm) in [(0, 50.0_f64), (1, -50.0)] {
        for n in 0..60_u64 {
            ppm = (ppm + rng.random_range(-10.0..10.0)).clamp(-50.0, 50.0);
            let at = 3 * SECOND + n * 261_000_000 + rng.random_range(0..100 * MS);
            script.push((at, Action::SlewCard(clock, ppm)));
        }
    }
    let world = after(20, two_clocks(script));
    assert_within_what_is_stated(&world);
    assert!(taken(&world) > 0.98, "{}", taken(&world));
}

#[test]
fn a_sudden_change_of_a_rate_makes_no_wrong_correction() {
    for change in [10.0, -10.0] {
        let script = (0..15)
            .map(|n| {
                let ppm = if n % 2 == 0 { 50.0 + change } else { 50.0 };
                (4 * SECOND + n * 953_456_789, Action::SlewCard(0, ppm))
            })
            .collect();
        let world = after(20, two_clocks(script));
        assert_within_what_is_stated(&world);
        assert!(taken(&world) > 0.98, "{change}: {}", taken(&world));
    }
    // What no servo does in one step: noticed within some readings.
    let script = (0..15)
        .map(|n| {
            let ppm = if n % 2 == 0 { -50.0 } else { 50.0 };
            (4 * SECOND + n * 953_456_789, Action::SlewCard(0, ppm))
        })
        .collect();
    let world = after(20, two_clocks(script));
    assert_sound(&world);
    assert!(dropped(&world) > 0);
    assert!(taken(&world) > 0.9, "{}", taken(&world));
}

#[test]
fn a_step_of_either_clock_makes_no_wrong_correction() {
    for clock in [0, 1] {
        for step in [5 * MS.cast_signed(), -5 * MS.cast_signed(), 2_000, -2_000] {
            let script = (0..20)
                .map(|n| (8 * SECOND + n * 453_456_789, Action::StepCard(clock, step)))
                .collect();
            let world = after(20, two_clocks(script));
            assert_sound(&world);
            assert!(dropped(&world) > 20, "{clock} {step}: {}", dropped(&world));
            assert!(taken(&world) > 0.8, "{clock} {step}: {}", taken(&world));
            let core = world.gateways[0].engine.core();
            assert_eq!(core.lacks_stamps(), None);
        }
    }
}

#[test]
fn clocks_that_nobody_reads_are_found_out() {
    let mut scenario = two_clocks(Vec::new());
    scenario.machine.window_ns = 0;
    let world = after(5, scenario);
    assert_sound(&world);
    assert_eq!(world.audit.response_errors.len(), 0, "none is guessed");
    let core = world.gateways[0].engine.core();
    assert!(matches!(core.lacks_stamps(), Some((_, Lack::Clocks))));
    assert_eq!(core.clocks_bound_ns(), None);
}

/// Windows too wide for `--phc-bound`: nothing passes that may be off by more.
#[test]
fn clocks_that_are_read_too_coarsely_are_found_out() {
    let mut scenario = two_clocks(Vec::new());
    scenario.machine.window_ns = 20_000;
    let world = after(5, scenario);
    assert_sound(&world);
    let core = world.gateways[0].engine.core();
    assert!(matches!(core.lacks_stamps(), Some((_, Lack::Clocks))));
}

#[test]
fn one_clock_is_exact_with_readings_as_without() {
    let run = |window_ns| {
        let mut scenario = two_clocks(Vec::new());
        scenario.down_port.card = Some(Card::default());
        scenario.machine.window_ns = window_ns;
        after(20, scenario)
    };
    let worlds = [run(0), run(350)];
    for world in &worlds {
        assert_sound(world);
        assert!(quantile(&errors_of(world), 1.0) < 10.0);
        assert_eq!(taken(world), 1.0);
        assert_eq!(world.gateways[0].engine.core().clocks_bound_ns(), None);
    }
}

/// A step that departures alone do not tell from a driver that was held up.
#[test]
fn readings_find_small_steps_of_one_clock() {
    let run = |window_ns| {
        let script = (0..20)
            .map(|n| (8 * SECOND + n * 453_456_789, Action::StepCard(0, 20_000)))
            .collect();
        let mut scenario = two_clocks(script);
        scenario.down_port.card = Some(Card::default());
        scenario.machine.window_ns = window_ns;
        let world = after(20, scenario);
        let errors = errors_of(&world);
        errors.iter().filter(|&&error| error > 1_000.0).count()
    };
    let (without, with) = (run(0), run(350));
    assert!(with * 4 < without, "{with} {without}");
}

/// Lost hardware timestamps are replaced by the kernel's also between two clocks.
#[test]
fn lost_stamps_between_two_clocks_cost_little() {
    let mut scenario = two_clocks(Vec::new());
    for port in [&mut scenario.up_port, &mut scenario.down_port] {
        if let Some(card) = &mut port.card {
            card.tx_lost = 0.1;
        }
    }
    let world = after(20, scenario);
    assert_sound(&world);
    assert!(world.gateways[0].engine.core().stamps_lost(Side::Up) > 50);
    let errors = errors_of(&world);
    let all = quantile(&errors, 1.0);
    println!("{all:.0} ns");
    assert!(all < 600.0, "{all}");
    assert!(taken(&world) > 0.99, "{}", taken(&world));
}

/// The card above timestamps nothing that it sends: what is lost below is told by readings of its clock alone.
#[test]
fn lost_stamps_beside_a_card_that_gives_none_cost_little() {
    let mut scenario = two_clocks(Vec::new());
    let lose = |port: &mut PortModel, places, tx_lost| {
        if let Some(card) = &mut port.card {
            (card.places, card.tx_lost) = (places, tx_lost);
        }
    };
    lose(&mut scenario.up_port, 0, 0.0);
    lose(&mut scenario.down_port, usize::MAX, 0.3);
    let world = after(20, scenario);
    assert_sound(&world);
    let core = world.gateways[0].engine.core();
    assert!(core.stamps_lost(Side::Down) > 30);
    assert_eq!(core.lacks_stamps(), Some((Side::Up, Lack::Transmit)));
    let errors = errors(4 * SECOND, &world.audit.sync_errors);
    let all = quantile(&errors, 1.0);
    println!("{all:.0} ns");
    assert!(
        errors.len() > 100 && all < 3_000.0,
        "{} {all}",
        errors.len()
    );
}
