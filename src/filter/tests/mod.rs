//! The generated program against the rules, over frames that networks carry and frames that they should not.

mod frames;
mod neighbours;
mod reference;

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::select;

use self::frames::{any_frame, identity, octets};
use self::reference::{Outcome, judge};
use super::interpreter::{check, run};
use super::{
    Fit, Instruction, SampleClass, Sampling, Spec, WHOLE_FRAME, domain_key, fit, fold, map_key,
    program,
};
use crate::Side;
use crate::wire::{ClockIdentity, PortIdentity};

const KEY: [u32; 3] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D];

#[derive(Clone, Debug)]
struct Policy {
    side: Side,
    domains: Option<Vec<u8>>,
    clients: Option<Vec<PortIdentity>>,
    watch: bool,
    sample_one_in: u32,
    key: [u32; 3],
}

impl Policy {
    fn spec(&self) -> Spec<'_> {
        Spec {
            side: self.side,
            domains: self.domains.as_deref(),
            clients: self.clients.as_deref(),
            watch_second_path: self.watch,
            neighbours: None,
            sampling: Sampling::each(self.sample_one_in),
            key: self.key,
        }
    }
}

fn policy() -> BoxedStrategy<Policy> {
    let domains = prop_oneof![
        3 => prop::collection::vec(0_u8..5, 0..4),
        1 => any::<Vec<u8>>(),
        1 => Just((0..=255).collect()),
    ];
    (
        prop_oneof![1 => Just(Side::Down), 4 => Just(Side::Up)],
        prop::option::of(domains),
        prop::option::weighted(0.8, prop::collection::vec(identity(), 0..60)),
        any::<bool>(),
        prop_oneof![4 => select(vec![0_u32, 1, 2, 64, 100, 1 << 31]), 1 => any::<u32>()],
        any::<[u32; 3]>(),
    )
        .prop_map(
            |(side, domains, clients, watch, sample_one_in, key)| Policy {
                side,
                domains,
                clients,
                watch,
                sample_one_in,
                key,
            },
        )
        .boxed()
}

/// The whole frame or nothing.
fn passes(program: &[Instruction], frame: &[u8], random: u32) -> bool {
    let verdict = run(program, frame, random).unwrap().verdict;
    assert!(verdict == 0 || verdict == WHOLE_FRAME);
    verdict != 0
}

/// The numbers that a sample takes, and does not take.
const TAKEN: u32 = 0;
const NOT_TAKEN: u32 = u32::MAX;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    /// The exact filter does what the table says, to the frame; folds explain every exception.
    #[test]
    fn exact_is_the_table(policy in policy(), frames in prop::collection::vec(any_frame(), 1..8)) {
        let spec = policy.spec();
        let program = program(&spec, 4096).unwrap();
        prop_assert_eq!(check(&program), Ok(()));
        for frame in frames {
            let (outcome, who) = judge(&spec, &frame);
            let (taken, not_taken) = (passes(&program, &frame, TAKEN), passes(&program, &frame, NOT_TAKEN));
            let alike = who.is_some_and(|who| {
                let clients = policy.clients.as_deref().unwrap_or(&[]);
                let fold = |who: &PortIdentity| fold(who, &policy.key);
                clients.iter().any(|client| fold(client) == fold(&who))
            });
            match outcome {
                Outcome::Pass => prop_assert!(taken && not_taken, "dropped {:02x?}", frame),
                Outcome::Sample => {
                    prop_assert_eq!(not_taken, alike || policy.sample_one_in == 1, "{:02x?}", &frame);
                    prop_assert_eq!(taken, alike || policy.sample_one_in != 0, "{:02x?} {:?}", &frame, who);
                }
                Outcome::Drop => prop_assert!(!taken && !not_taken, "passed {:02x?}", frame),
            }
        }
    }

    /// Whatever the space, nothing is dropped that the table passes, and no more taken than without clients.
    #[test]
    fn any_fit_passes_what_the_table_passes(
        policy in policy(), limit in 100_usize..700, frame in any_frame(),
    ) {
        let spec = policy.spec();
        let Ok((program, fit)) = fit(&spec, limit) else {
            return Ok(());
        };
        prop_assert!(program.len() <= limit);
        prop_assert_eq!(check(&program), Ok(()));
        let known = if fit == Fit::Plain { None } else { spec.clients };
        let outcome = judge(&Spec { clients: known, ..spec }, &frame).0;
        let plain = judge(&Spec { clients: None, ..spec }, &frame).0;
        let watched = fit != Fit::Plain && policy.watch;
        let (taken, not_taken) = (passes(&program, &frame, TAKEN), passes(&program, &frame, NOT_TAKEN));
        prop_assert!(outcome != Outcome::Pass || (taken && not_taken), "{:?} dropped {:02x?}", fit, frame);
        if outcome == Outcome::Drop {
            prop_assert!(!taken && !not_taken, "{:?} passed {:02x?}", fit, frame);
        }
        if plain == Outcome::Sample && !watched && policy.sample_one_in != 1 {
            prop_assert!(!not_taken, "{:?} passed {:02x?}", fit, frame);
        }
    }
}

fn client(number: u32) -> PortIdentity {
    let [a, b, c, d] = number.to_be_bytes();
    PortIdentity {
        clock: ClockIdentity([0x00, 0x1B, 0x19, 0xFF, 0xFE, b, c, d]),
        port: 1 + u16::from(a),
    }
}

fn delay_resp(to: PortIdentity) -> Vec<u8> {
    let mut frame = vec![0; 14 + 54];
    frame[12..16].copy_from_slice(&[0x88, 0xF7, 0x09, 0x02]);
    frame[58..68].copy_from_slice(&octets(to));
    frame
}

fn up(clients: &[PortIdentity]) -> Spec<'_> {
    Spec {
        side: Side::Up,
        domains: None,
        clients: Some(clients),
        watch_second_path: true,
        neighbours: None,
        sampling: Sampling::each(1024),
        key: KEY,
    }
}

/// Not only all or nothing: of random numbers that share is taken.
#[test]
fn a_sample_is_one_in_so_many() {
    let frame = delay_resp(client(1));
    for (one_in, taken) in [(0, 0), (1, 4096), (2, 2048), (64, 64), (100, 32), (4096, 1)] {
        let spec = Spec {
            sampling: Sampling::each(one_in),
            ..up(&[])
        };
        let program = program(&spec, 4096).unwrap();
        let passed = (0..4096).filter(|&random| passes(&program, &frame, random));
        assert_eq!(passed.count(), taken, "one in {one_in}");
    }
}

#[test]
fn large_trees_are_exact() {
    for count in [0, 1, 7, 8, 9, 15, 16, 17, 100, 500, 1000, 2000, 3500] {
        let clients: Vec<_> = (0..count).map(|n| client(n * 7)).collect();
        let program = program(&up(&clients), 4096).unwrap();
        check(&program).unwrap();
        let folds: HashSet<_> = clients.iter().map(|who| fold(who, &KEY)).collect();
        for &who in &clients {
            assert!(
                passes(&program, &delay_resp(who), NOT_TAKEN),
                "{count}: {who}"
            );
        }
        for foreign in (0..20_000).filter(|n| n % 7 != 0).map(client) {
            let passed = passes(&program, &delay_resp(foreign), NOT_TAKEN);
            assert_eq!(
                passed,
                folds.contains(&fold(&foreign, &KEY)),
                "{count}: {foreign}"
            );
        }
    }
}

#[test]
fn coarse_trees_let_through_what_they_say() {
    for (count, limit) in [(5000, 4096), (20_000, 4096), (2000, 1200), (400, 400)] {
        let clients: Vec<_> = (0..count).map(client).collect();
        let (program, fit) = fit(&up(&clients), limit).unwrap();
        let Fit::Coarse { pass_per_mille } = fit else {
            panic!("{count} in {limit}: {fit:?}");
        };
        check(&program).unwrap();
        assert!(program.len() <= limit);
        for &who in &clients {
            assert!(
                passes(&program, &delay_resp(who), NOT_TAKEN),
                "{count}: {who}"
            );
        }
        let foreign = 1_000_000..1_010_000;
        let passed = foreign
            .filter(|&n| passes(&program, &delay_resp(client(n)), NOT_TAKEN))
            .count();
        let said = usize::try_from(pass_per_mille).unwrap() * 10;
        assert!(
            passed.abs_diff(said) < 200,
            "{count} in {limit}: said {said}, passed {passed}"
        );
    }
}

#[test]
fn what_cannot_fit_says_so() {
    let clients: Vec<_> = (0..100_000).map(client).collect();
    let (_, fit_of_all) = fit(&up(&clients), 4096).unwrap();
    assert_eq!(fit_of_all, Fit::Plain);
    assert_eq!(program(&up(&clients), 4096).unwrap_err().limit, 4096);
    assert!(fit(&up(&clients), 50).is_err());
    let needed = program(&up(&clients[..100]), 4096).unwrap().len();
    assert!(program(&up(&clients[..100]), needed).is_ok());
    let refused = program(&up(&clients[..100]), needed - 1).unwrap_err();
    assert_eq!((refused.needed, refused.limit), (needed, needed - 1));
    let one = program(&up(&[client(1)]), 4096).unwrap();
    let repeated = program(&up(&[client(1); 50]), 4096).unwrap();
    assert_eq!(one, repeated);
}

/// Space and time, so that a change that costs either is seen.
#[test]
fn programs_stay_small_and_shallow() {
    let spec = up(&[]);
    let plain = program(
        &Spec {
            clients: None,
            ..spec
        },
        4096,
    )
    .unwrap();
    assert!(plain.len() < 180, "plain {}", plain.len());
    for (count, most, deepest) in [
        (10_u32, 210, 55),
        (100, 300, 65),
        (1000, 1270, 70),
        (2000, 2350, 70),
    ] {
        let clients: Vec<_> = (0..count).map(client).collect();
        let program = program(&up(&clients), 4096).unwrap();
        let steps: Vec<u32> = (1_000_000..1_001_000)
            .map(|n| {
                run(&program, &delay_resp(client(n)), NOT_TAKEN)
                    .unwrap()
                    .steps
            })
            .collect();
        let deep = steps.iter().max().copied().unwrap();
        let mean = steps.iter().sum::<u32>() / 1000;
        println!(
            "{count} clients: {} instructions, a foreign Delay_Resp {mean} (at most {deep})",
            program.len()
        );
        assert!(program.len() <= most, "{count}: {}", program.len());
        assert!(deep <= deepest, "{count}: {deep}");
    }
}

/// Both kinds of key share a map: no portIdentity opens a domain.
#[test]
fn no_client_has_the_key_of_a_domain() {
    for port in 0..=u16::MAX {
        let [_, domain] = port.to_be_bytes();
        let clock = ClockIdentity([0, 0, 0, domain, 0, 0, 0, 0]);
        assert_ne!(map_key(&PortIdentity { clock, port }), domain_key(domain));
    }
}

/// What is sampled apart is apart: each class has its own share, on each side.
#[test]
fn each_class_is_sampled_by_itself() {
    let message = |kind: u8, version: u8, domain: u8| {
        let mut frame = vec![0; 14 + 54];
        frame[12..14].copy_from_slice(&[0x88, 0xF7]);
        (frame[14], frame[15], frame[18]) = (kind, version, domain);
        frame
    };
    let ours = [client(1)];
    for thin in SampleClass::ALL {
        let mut sampling = Sampling::each(1);
        sampling.0[thin as usize] = 1024;
        let spec = Spec {
            domains: Some(&[0]),
            sampling,
            ..up(&ours)
        };
        let up = program(&spec, 4096).unwrap();
        let down = Spec {
            side: Side::Down,
            ..spec
        };
        let down = program(&down, 4096).unwrap();
        for (class, frame) in [
            (SampleClass::Version, message(0x00, 1, 0)),
            (SampleClass::Gptp, message(0x10, 2, 0)),
            (SampleClass::Domain, message(0x00, 2, 9)),
            (SampleClass::PeerDelay, message(0x02, 2, 0)),
            (SampleClass::PeerDelay, message(0x0A, 2, 0)),
            (SampleClass::Reserved, message(0x04, 2, 0)),
            (SampleClass::Reserved, message(0x0F, 2, 0)),
            (SampleClass::Strangers, message(0x01, 2, 0)),
            (SampleClass::Strangers, message(0x09, 2, 0)),
        ] {
            let passes_all = passes(&up, &frame, NOT_TAKEN);
            assert_eq!(passes_all, class != thin, "{class:?} {thin:?}");
            assert!(passes(&up, &frame, TAKEN), "{class:?} {thin:?}");
            let domain = class == SampleClass::Domain && thin == class;
            assert_eq!(
                passes(&down, &frame, NOT_TAKEN),
                !domain,
                "{class:?} {thin:?}"
            );
        }
    }
}
