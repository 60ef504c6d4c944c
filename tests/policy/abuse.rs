//! What somebody may try who wants to harm: each has its limit and its reason, our clients are served
//! meanwhile, and no more goes out than came in.

use std::time::Duration;

use ptpproxy::Side::{self, Down, Up};
use ptpproxy::core::{Event, Settings};
use ptpproxy::reason::Reason;
use ptpproxy::wire::{MessageType, PortIdentity};

use crate::frames::*;
use crate::gateway::Outcome::Dropped;
use crate::gateway::{Gateway, MS, unheld};

const CLIENTS: u8 = 4;

/// A gateway with a master and some clients, and what went in and out.
struct Victim {
    gateway: Gateway,
    came: usize,
    went: usize,
    number: u16,
}

impl Victim {
    fn new(settings: Settings) -> Self {
        let mut victim = Self {
            gateway: Gateway::new(settings),
            came: 0,
            went: 0,
            number: 0,
        };
        victim.hears(Up, &announce(1, 1, clock(1)));
        victim.assert_unharmed();
        victim
    }

    /// Why a message goes no further; `None` if it went on.
    fn hears(&mut self, side: Side, message: &Message) -> Option<Reason> {
        self.came += 1;
        let outcome = self.gateway.hears(side, message);
        self.went += usize::from(outcome.is_sent());
        match outcome {
            Dropped(reason) => Some(reason),
            _ => None,
        }
    }

    /// Time passes; what waited leaves.
    fn skip(&mut self, time: Duration) {
        self.gateway.skip(time);
        self.went += self.gateway.left.drain(..).count();
        assert!(self.went <= self.came, "{} of {}", self.went, self.came);
    }

    /// Each of our clients has its Sync and its answer.
    fn assert_unharmed(&mut self) {
        self.number += 1;
        let number = self.number;
        assert_eq!(self.hears(Up, &sync(1, number)), None);
        assert_eq!(self.hears(Up, &follow_up(1, number, 9)), None);
        for client in 10..10 + CLIENTS {
            assert_eq!(self.hears(Down, &delay_req(client, number)), None);
            let answer = delay_resp(1, number, port(client));
            assert_eq!(self.hears(Up, &answer), None, "client {client}");
        }
        self.skip(MS * 20);
        self.gateway.assert_conserved();
    }
}

/// Somebody who does not exist.
fn nobody(number: u16) -> PortIdentity {
    let [high, low] = number.to_be_bytes();
    let mut identity = port(99);
    identity.clock.0[3..5].copy_from_slice(&[high, low]);
    identity
}

#[test]
fn a_flood_of_made_up_identities() {
    let mut victim = Victim::new(unheld());
    let mut passed = 0;
    for number in 0..20_000 {
        let mut request = delay_req(99, 1);
        request.sender = nobody(number);
        match victim.hears(Down, &request) {
            None => passed += 1,
            reason => assert_eq!(reason, Some(Reason::TableFull)),
        }
        if number % 1_000 == 0 {
            victim.assert_unharmed();
        }
    }
    assert_eq!(passed, 64 - usize::from(CLIENTS), "the table's size");
    assert_eq!(victim.gateway.core.clients(), 64);
    // They are forgotten a minute later, and new clients are served again.
    for _ in 0..70 * 2 {
        victim.skip(MS * 500);
        victim.assert_unharmed();
    }
    assert_eq!(victim.hears(Down, &delay_req(77, 1)), None);
}

#[test]
fn a_flood_of_time_from_below() {
    let mut victim = Victim::new(unheld());
    let messages: [fn(u16) -> Message; 5] = [
        |number| sync(66, number),
        |number| one_step(66, number, 5),
        |number| follow_up(66, number, 5),
        |number| announce(66, number, clock(66)),
        |number| delay_resp(66, number, port(10)),
    ];
    for message in messages {
        for number in 0..5_000 {
            let reason = victim.hears(Down, &message(number));
            assert_eq!(reason, Some(Reason::MasterBelow));
        }
        victim.assert_unharmed();
    }
    // Nor in the name of one of our clients.
    assert_eq!(victim.hears(Down, &sync(10, 1)), Some(Reason::MasterBelow));
    assert_eq!(victim.gateway.core.clients(), usize::from(CLIENTS));
}

/// In our master's name it is taken for a second path: what it names is dropped, nothing wrong passes.
#[test]
fn our_masters_name_from_below_spoils_only_what_it_names() {
    let mut victim = Victim::new(unheld());
    for number in 30_000..33_500 {
        let reason = victim.hears(Down, &sync(1, number));
        assert_eq!(reason, Some(Reason::SecondPath));
        assert_eq!(
            victim.hears(Down, &delay_resp(1, number, port(10))),
            Some(Reason::SecondPath)
        );
    }
    assert_eq!(victim.hears(Up, &sync(1, 30_001)), Some(Reason::SecondPath));
    // The others wait a moment longer, and pass.
    let before = victim.went;
    for number in 40_000..40_010 {
        assert_eq!(victim.hears(Up, &sync(1, number)), None);
        assert_eq!(victim.hears(Up, &follow_up(1, number, 9)), None);
        victim.gateway.pass(MS * 10);
        victim.skip(MS * 100);
    }
    assert_eq!(victim.went - before, 20);
}

#[test]
fn answers_that_nobody_asked_for() {
    let mut victim = Victim::new(unheld());
    for number in 20_000..30_000 {
        let ours = delay_resp(1, number, port(10));
        assert_eq!(victim.hears(Up, &ours), Some(Reason::Unsolicited));
        let strange = delay_resp(1, number, nobody(number));
        assert_eq!(victim.hears(Up, &strange), Some(Reason::NotOurClient));
    }
    victim.assert_unharmed();
}

#[test]
fn answers_that_are_replayed() {
    let mut victim = Victim::new(unheld());
    let answer = delay_resp(1, victim.number, port(10));
    for _ in 0..1_000 {
        assert_eq!(victim.hears(Up, &answer), Some(Reason::Duplicate));
    }
    victim.assert_unharmed();
    // Nor later, when the request is not open any more.
    victim.skip(Duration::from_secs(3));
    assert_eq!(victim.hears(Up, &answer), Some(Reason::Unsolicited));
}

/// Each number is tried: only those that are open pass, once.
#[test]
fn sequence_ids_that_are_guessed() {
    let mut victim = Victim::new(unheld());
    for number in 1..=8 {
        assert_eq!(victim.hears(Down, &delay_req(10, 500 + number)), None);
    }
    let mut passed = Vec::new();
    for _ in 0..2 {
        for number in 0..=u16::MAX {
            match victim.hears(Up, &delay_resp(1, number, port(10))) {
                None => passed.push(number),
                Some(Reason::Unsolicited | Reason::Duplicate) => {}
                other => panic!("{number}: {other:?}"),
            }
        }
    }
    assert_eq!(passed, (501..=508).collect::<Vec<_>>());
    victim.assert_unharmed();
}

#[test]
fn answers_of_masters_that_never_announced_themselves() {
    for listed in [false, true] {
        let mut victim = Victim::new(Settings {
            grandmasters: if listed { vec![clock(1)] } else { vec![] }.into(),
            ..unheld()
        });
        // Others that announce a grandmaster which is not listed.
        victim.hears(Up, &announce(3, 1, clock(3)));
        assert_eq!(victim.hears(Down, &delay_req(10, 900)), None);
        for master in 60..70 {
            let made_up = delay_resp(master, 900, port(10));
            assert_eq!(victim.hears(Up, &made_up), Some(Reason::Unannounced));
        }
        let other = delay_resp(3, 900, port(10));
        let expected = listed.then_some(Reason::Grandmaster);
        assert_eq!(victim.hears(Up, &other), expected);
        // The right one is not kept out by them.
        assert_eq!(victim.hears(Up, &delay_resp(1, 900, port(10))), None);
        victim.assert_unharmed();
    }
}

/// Where nobody announces anything, answers pass: the gateway may have started a moment ago.
#[test]
fn answers_pass_before_the_first_announce() {
    let mut gateway = Gateway::new(unheld());
    assert!(gateway.hears(Down, &delay_req(10, 1)).is_sent());
    assert!(gateway.hears(Up, &delay_resp(1, 1, port(10))).is_sent());
    // Another domain's masters say nothing about this one's.
    gateway.hears(Up, &announce(2, 1, clock(2)).domain(5));
    assert!(gateway.hears(Down, &delay_req(10, 2)).is_sent());
    assert!(gateway.hears(Up, &delay_resp(1, 2, port(10))).is_sent());
}

/// While its stamp is under way a request may be answered by several masters, and each answer passes.
#[test]
fn more_masters_than_one_answer_before_the_stamp() {
    let mut victim = Victim::new(unheld());
    for master in 2..=4 {
        victim.hears(Up, &announce(master, 1, clock(master)));
    }
    victim.gateway.stamps = false;
    assert_eq!(victim.hears(Down, &delay_req(10, 700)), None);
    for master in [2, 3, 4, 1] {
        let answer = delay_resp(master, 700, port(10));
        assert_eq!(victim.hears(Up, &answer), None, "{master}");
        assert_eq!(
            victim.hears(Up, &answer),
            Some(Reason::Duplicate),
            "{master}"
        );
    }
    victim.gateway.stamp_all();
    let mut corrections = victim
        .gateway
        .left
        .iter()
        .map(|left| left.frame().correction());
    assert_eq!(victim.gateway.left.len(), 4);
    assert!(corrections.all(|correction| correction == 10_000 << 16));
    victim.gateway.stamps = true;
    victim.skip(MS);
    victim.assert_unharmed();
}

#[test]
fn floods_of_signaling_and_management() {
    let mut victim = Victim::new(unheld());
    let mut passed = 0;
    for number in 0..5_000 {
        match victim.hears(Down, &signaling(30, number, port(1))) {
            None => passed += 1,
            reason => assert_eq!(reason, Some(Reason::ClientRate)),
        }
    }
    assert_eq!(passed, 256, "--client-rate");
    victim.assert_unharmed();
    let mut passed = 0;
    for number in 0..5_000 {
        match victim.hears(Down, &management(31, number, port(1), GET)) {
            None => passed += 1,
            reason => assert_eq!(reason, Some(Reason::ManagementRate)),
        }
    }
    // What passes within the time that the exchanges above took is not much more.
    assert!((100..=104).contains(&passed), "{passed}");
    victim.assert_unharmed();
    for number in 0..5_000 {
        let reason = victim.hears(Down, &management(32, number, port(1), SET));
        assert_eq!(reason, Some(Reason::Management));
        let answer = management(1, number, port(33), RESPONSE);
        assert_eq!(
            victim.hears(Up, &answer),
            Some(Reason::ManagementUnsolicited)
        );
        let answer = signaling(1, number, port(33));
        assert_eq!(victim.hears(Up, &answer), Some(Reason::NotOurClient));
    }
    victim.assert_unharmed();
}

/// Made-up clients that measure peer delay keep real ones from the log for a day at most.
#[test]
fn a_flood_of_peer_delay_does_not_fill_the_log() {
    let mut victim = Victim::new(unheld());
    let told = |victim: &mut Victim, from: u16| {
        for number in from..from + 200 {
            let mut request = peer_delay(MessageType::PdelayReq, 99);
            request.sender = nobody(number);
            assert_eq!(victim.hears(Down, &request), Some(Reason::PeerDelay));
        }
        std::iter::from_fn(|| victim.gateway.core.next_event())
            .filter(|event| matches!(event, Event::PeerDelayClient(_)))
            .count()
    };
    assert_eq!(told(&mut victim, 0), 32);
    assert_eq!(told(&mut victim, 1_000), 0);
    victim.gateway.now += 25 * 3_600 * 1_000_000_000;
    assert_eq!(told(&mut victim, 2_000), 32);
}
