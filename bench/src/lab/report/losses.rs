//! Where the requests that were not answered were lost: what each station and the gateway counted, compared along
//! the way of a Delay_Req and of its answer.

use std::cmp::Reverse;

use ptpproxy::reason::Reason;
use serde::Serialize;

use crate::lab::run::exchanges::Observed;
use crate::lab::run::totals::{Passed, Totals};

/// Exchanges that ended at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// How many.
    pub count: u64,
    /// Where, in words.
    pub place: String,
    /// What to do about it.
    pub remedy: String,
}

const LAB_IS_THE_LIMIT: &str =
    "the lab is the limit, not the gateway: fewer --clients, a lower --rate";

/// Places and counts, from the clients to the grandmaster and back; together as many as requests were lost.
#[must_use]
pub fn losses(seen: &Observed) -> Vec<Loss> {
    let (clients, master) = (&seen.clients, &seen.master);
    let mut way = Way {
        left: clients.sent.saturating_sub(clients.answered),
        backlog: seen.backlog_drops,
        found: Vec::new(),
    };
    let master_ring = (
        master.ring_drops,
        "lab: the grandmaster's receive ring was full".to_owned(),
        LAB_IS_THE_LIMIT,
    );
    let clients_ring = (
        clients.ring_drops,
        "lab: a receive ring of the clients was full".to_owned(),
        LAB_IS_THE_LIMIT,
    );
    // Answers that came twice or too late are counted apart.
    let arrived = clients.answered + clients.repeated + clients.unknown;
    let answers_not_sent = master.requests.saturating_sub(master.responses);
    let no_answer = "lab: the grandmaster could not send its Delay_Resp";
    match &seen.gateways {
        Some(gateways) => {
            way.requests(clients.sent, gateways);
            let upstream = gateways.requests.forwarded.saturating_sub(master.requests);
            way.leg(upstream, [master_ring], "between gateway and grandmaster");
            way.note(answers_not_sent, no_answer, LAB_IS_THE_LIMIT);
            way.answers(master.responses, gateways);
            let downstream = gateways.answers.forwarded.saturating_sub(arrived);
            way.leg(downstream, [clients_ring], "between gateway and clients");
        }
        None => {
            let upstream = clients.sent.saturating_sub(master.requests);
            way.leg(
                upstream,
                [master_ring],
                "between clients and grandmaster, the gateway included",
            );
            way.note(answers_not_sent, no_answer, LAB_IS_THE_LIMIT);
            let downstream = master.responses.saturating_sub(arrived);
            way.leg(
                downstream,
                [clients_ring],
                "between grandmaster and clients, the gateway included",
            );
        }
    }
    way.note(
        way.left,
        "not found: still held or on the way when the run ended",
        "measure for longer: --seconds",
    );
    way.found
}

struct Way {
    /// Lost exchanges whose place is not known yet.
    left: u64,
    /// Frames that a full backlog queue of the kernel cost.
    backlog: u64,
    found: Vec<Loss>,
}

impl Way {
    fn note(&mut self, count: u64, place: &str, remedy: &str) {
        let count = count.min(self.left);
        if count > 0 {
            self.left -= count;
            self.found.push(Loss {
                count,
                place: place.to_owned(),
                remedy: remedy.to_owned(),
            });
        }
    }

    /// Frames missing on one leg: first what a counter explains, the rest is the kernel's.
    fn leg<'a>(
        &mut self,
        mut missing: u64,
        explained: impl IntoIterator<Item = (u64, String, &'a str)>,
        leg: &str,
    ) {
        for (count, place, remedy) in explained {
            let count = count.min(missing);
            missing -= count;
            self.note(count, &place, remedy);
        }
        let place = format!("kernel: {leg}");
        if self.backlog > 0 {
            let remedy = format!(
                "its backlog queues overflowed by {} frames: raise net.core.netdev_max_backlog",
                self.backlog
            );
            self.note(missing, &place, &remedy);
        } else {
            self.note(missing, &place, "no counter of the kernel names the place");
        }
    }

    /// From the clients into the gateway, and through it.
    fn requests(&mut self, sent: u64, gateways: &Totals) {
        let missing = sent.saturating_sub(gateways.requests.received);
        let ring = ring_full(gateways.ring_drops_down, "clients");
        self.leg(
            missing,
            [ring],
            "between clients and gateway, its kernel filter included",
        );
        let dropped = reasons(&gateways.requests, "Delay_Req");
        let total: u64 = dropped.iter().map(|(count, ..)| count).sum();
        for (count, place, remedy) in dropped {
            self.note(count, &place, remedy);
        }
        let passed = &gateways.requests;
        let held = passed.received.saturating_sub(passed.forwarded + total);
        self.note(
            held,
            "gateway: Delay_Req still held when the run ended",
            "measure for longer: --seconds",
        );
    }

    /// From the grandmaster through the gateway. What others are answered is dropped there as well, and rightly:
    /// drop reasons explain no more than what is missing.
    fn answers(&mut self, sent: u64, gateways: &Totals) {
        let missing = sent.saturating_sub(gateways.answers.forwarded);
        let mut explained = vec![ring_full(gateways.ring_drops_up, "grandmaster")];
        explained.extend(reasons(&gateways.answers, "Delay_Resp"));
        self.leg(
            missing,
            explained,
            "between grandmaster and gateway, its kernel filter included",
        );
    }
}

fn ring_full(count: u64, toward: &str) -> (u64, String, &'static str) {
    (
        count,
        format!("gateway: the receive ring toward the {toward} was full"),
        "raise ptpproxy's --ring-frames, or give the gateway more CPU time",
    )
}

/// The drop reasons of one message type, the most frequent first; never those of others' answers.
fn reasons(passed: &Passed, message: &str) -> Vec<(u64, String, &'static str)> {
    let mut all: Vec<_> = passed
        .dropped
        .iter()
        .filter(|(reason, _)| *reason != "not-our-client")
        .map(|(reason, &count)| {
            let place = format!("gateway: {message} dropped, reason {reason}");
            (count, place, remedy(reason))
        })
        .collect();
    all.sort_by_key(|&(count, ..)| Reverse(count));
    all
}

/// What ptpproxy itself advises.
fn remedy(reason: &str) -> &'static str {
    Reason::ALL
        .iter()
        .find(|known| known.label() == reason)
        .map_or("see its log", |known| known.remedy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::run::exchanges::Usage;
    use crate::lab::stations::assignment::{ClientsDone, MasterDone};

    /// A run of 1000 requests of which nothing is lost; each test breaks one thing.
    fn perfect() -> Observed {
        let passed = || Passed {
            received: 1000,
            forwarded: 1000,
            ..Passed::default()
        };
        Observed {
            master: MasterDone {
                requests: 1000,
                responses: 1000,
                ..MasterDone::default()
            },
            clients: ClientsDone {
                sent: 1000,
                answered: 1000,
                ..ClientsDone::default()
            },
            gateways: Some(Totals {
                requests: passed(),
                answers: passed(),
                ..Totals::default()
            }),
            backlog_drops: 0,
            usage: Usage::default(),
            measured_from: 0,
        }
    }

    /// `(count, place)` of a run from which `lost` exchanges are missing, and in which `broken` is different.
    fn places(lost: u64, broken: impl Fn(&mut Observed, &mut Totals)) -> Vec<(u64, String)> {
        let mut seen = perfect();
        seen.clients.answered -= lost;
        let mut totals = seen.gateways.take().unwrap_or_default();
        broken(&mut seen, &mut totals);
        seen.gateways = Some(totals);
        let found = losses(&seen);
        assert_eq!(found.iter().map(|loss| loss.count).sum::<u64>(), lost);
        found
            .into_iter()
            .map(|loss| (loss.count, loss.place))
            .collect()
    }

    #[test]
    fn nothing_lost_is_nowhere() {
        assert_eq!(losses(&perfect()), []);
    }

    #[test]
    fn each_place_is_found_by_its_counters() {
        let after_the_gateway = |seen: &mut Observed, totals: &mut Totals, n: u64| {
            (seen.master.requests, seen.master.responses) = (1000 - n, 1000 - n);
            totals.answers.forwarded = 1000 - n;
        };
        let found = places(10, |seen, totals| {
            totals.ring_drops_down = 7;
            totals.requests.received = 990;
            totals.requests.forwarded = 990;
            after_the_gateway(seen, totals, 10);
        });
        assert_eq!(found[0].0, 7);
        assert!(
            found[0].1.contains("receive ring toward the clients"),
            "{found:?}"
        );
        assert_eq!(
            found[1],
            (
                3,
                "kernel: between clients and gateway, its kernel filter included".to_owned()
            )
        );

        let found = places(9, |seen, totals| {
            totals.requests.forwarded = 991;
            totals.requests.dropped = [("stale".to_owned(), 2), ("hold-full".to_owned(), 6)].into();
            after_the_gateway(seen, totals, 9);
        });
        assert_eq!(
            found[0],
            (6, "gateway: Delay_Req dropped, reason hold-full".to_owned())
        );
        assert_eq!(
            found[1],
            (2, "gateway: Delay_Req dropped, reason stale".to_owned())
        );
        assert!(found[2].1.contains("still held"), "{found:?}");

        let found = places(5, |seen, totals| {
            seen.master.ring_drops = 5;
            after_the_gateway(seen, totals, 5);
        });
        assert!(
            found[0].1.contains("grandmaster's receive ring"),
            "{found:?}"
        );

        let found = places(4, |seen, totals| {
            seen.master.responses = 996;
            totals.answers.forwarded = 996;
        });
        assert!(found[0].1.contains("could not send"), "{found:?}");

        let found = places(3, |_, totals| {
            totals.answers.forwarded = 997;
            totals.answers.dropped = [
                ("not-our-client".to_owned(), 500),
                ("duplicate".to_owned(), 90),
            ]
            .into();
        });
        assert_eq!(
            found,
            [(
                3,
                "gateway: Delay_Resp dropped, reason duplicate".to_owned()
            )]
        );

        let found = places(2, |seen, _| seen.clients.ring_drops = 1);
        assert!(found[0].1.contains("ring of the clients"), "{found:?}");
        assert_eq!(
            found[1],
            (1, "kernel: between gateway and clients".to_owned())
        );
    }

    #[test]
    fn without_totals_the_gateway_is_a_part_of_the_way() {
        let mut seen = perfect();
        (seen.gateways, seen.backlog_drops) = (None, 77);
        (
            seen.clients.answered,
            seen.master.requests,
            seen.master.responses,
        ) = (900, 940, 940);
        let found = losses(&seen);
        assert_eq!((found[0].count, found[1].count), (60, 40));
        assert!(found[0].place.contains("the gateway included"));
        assert!(found[0].remedy.contains("77 frames"), "{found:?}");
    }
}
