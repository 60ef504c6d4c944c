//! What wakes a loop that has little to do, and how often.

use super::*;
use crate::time::Instant;

const US: Duration = Duration::from_micros(1);

/// How often the loop woke and slept while exchanges went on.
struct Woken {
    exchanges: usize,
    waits: Vec<Wait>,
    looks: usize,
    kicks: usize,
}

/// Clients ask at these moments after the start, and each request is answered 60 us after it departed; until `end`.
fn exchanges(bench: &mut Bench, asked: &[(Duration, u8)], end: Duration) -> Woken {
    let start = bench.time.get();
    let mut asked = asked
        .iter()
        .map(|&(at, client)| (start + at, client))
        .peekable();
    // No number twice: batches are counted.
    let first = u8::try_from(bench.kicks()).unwrap();
    let (mut number, mut answered) = (first, 0);
    let mut answers: Vec<(Instant, Vec<u8>)> = Vec::new();
    bench.script.borrow_mut().waits.clear();
    let kicked = Rc::clone(&bench.forwarding.engine.up_mut().kicked);
    bench.script.borrow_mut().answers = Some((kicked, 60 * US));
    let kicks = bench.kicks();
    let looks = bench.script.borrow().looks;
    while bench.time.get() < start + end {
        let now = bench.time.get();
        while let Some((_, client)) = asked.next_if(|&(at, _)| at <= now) {
            number += 1;
            bench.request(client, number);
        }
        let up = bench.forwarding.engine.up_mut();
        for (request, at) in up.sent.drain(..).zip(up.sent_at.drain(..)) {
            answers.push((at + 60 * US, answer(&request)));
        }
        let due = answers.partition_point(|&(at, _)| at <= now);
        up.arrivals
            .extend(answers.drain(..due).map(|(_, frame)| frame));
        let next = [
            asked.peek().map(|&(at, _)| at),
            answers.first().map(|&(at, _)| at),
        ];
        let next = next.into_iter().flatten().min();
        bench.script.borrow_mut().frame_after = next.map(|at| at.since(now));
        bench.forwarding.turn().unwrap();
        let down = bench.forwarding.engine.down_mut();
        answered += down.sent.drain(..).count();
        // It left in the turn.
        let up = bench.forwarding.engine.up_mut();
        for (request, at) in up.sent.drain(..).zip(up.sent_at.drain(..)) {
            answers.push((at + 60 * US, answer(&request)));
        }
    }
    let waits = std::mem::take(&mut bench.script.borrow_mut().waits);
    let counters = bench.forwarding.engine.counters();
    let dropped = |&&reason: &&Reason| counters.dropped_for(reason) > 0;
    let dropped: Vec<_> = Reason::ALL.iter().filter(dropped).collect();
    let asked = usize::from(number - first);
    assert_eq!(answered, asked, "all are answered; dropped: {dropped:?}");
    let kicks = bench.kicks() - kicks;
    let looks = bench.script.borrow().looks - looks;
    Woken {
        exchanges: answered,
        waits,
        looks,
        kicks,
    }
}

/// The Delay_Resp of a Delay_Req.
fn answer(request: &[u8]) -> Vec<u8> {
    let mut frame = request[..14].to_vec();
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 0x99]);
    let mut ptp = [0_u8; 54];
    (ptp[0], ptp[1], ptp[3]) = (0x09, 0x02, 54);
    ptp[20] = 0x99;
    // sequenceId and requestingPortIdentity.
    ptp[30..32].copy_from_slice(&request[44..46]);
    ptp[44..54].copy_from_slice(&request[34..44]);
    frame.extend(ptp);
    frame
}

impl Bench {
    fn kicks(&mut self) -> usize {
        self.forwarding.engine.up_mut().kicks + self.forwarding.engine.down_mut().kicks
    }

    /// A loop that knows these clients and holds their requests.
    fn holding(clients: u8) -> Self {
        let mut bench = Self::with(Settings {
            jitter: 16 * MS,
            ..settings()
        });
        let first: Vec<_> = (1..=clients).map(|client| (MS, client)).collect();
        exchanges(&mut bench, &first, 2000 * MS);
        bench
    }
}

#[test]
fn an_exchange_of_a_light_load_wakes_the_loop_three_times() {
    let mut bench = Bench::holding(10);
    // Ten clients, one request a second each, evenly.
    let asked: Vec<_> = (0..5)
        .flat_map(|second| (0..10_u8).map(move |n| (second, n)))
        .map(|(second, n)| (1_000 * MS * second + 100 * MS * u32::from(n), n + 1))
        .collect();
    let woken = exchanges(&mut bench, &asked, 5_000 * MS);
    assert_eq!(woken.exchanges, 50);
    let waits = woken.waits.len();
    // Its arrival, its departure, its answer; a publication finds a turn that is made anyway.
    assert!(waits <= 3 * 50 + 2, "{waits}: {:?}", woken.waits);
    assert_eq!(woken.kicks, 2 * 50);
    assert_eq!(woken.looks, 0, "sleeping on the rings is looking");
    let polls = woken
        .waits
        .iter()
        .filter(|wait| matches!(wait, Wait::Sweep(_)));
    assert_eq!(polls.count(), 0);
}

#[test]
fn answers_share_the_wake_ups_of_the_departures_after_them() {
    let mut bench = Bench::holding(10);
    // All answer a Sync at once, eight times a second.
    let asked: Vec<_> = (0..8_u32)
        .flat_map(|n| (1..=10).map(move |client| (125 * MS * n, client)))
        .collect();
    let woken = exchanges(&mut bench, &asked, 1_000 * MS);
    assert_eq!(woken.exchanges, 80);
    let waits = woken.waits.len();
    assert!(waits <= 80 * 3 / 2, "{waits}: {:?}", woken.waits);
}

#[test]
fn departures_and_answers_share_wake_ups() {
    let shared = 7 * MS;
    let mut bench = Bench::with(Settings {
        jitter: 16 * MS,
        shared_grid: shared,
        ..settings()
    });
    let pacer = bench.forwarding.parts.decider.pacer_mut();
    pacer.set(SweepIntervals { shared, ..SWEEP }, false);
    let first: Vec<_> = (1..=10).map(|client| (MS, client)).collect();
    exchanges(&mut bench, &first, 2000 * MS);
    // All at once: their arrival, five departures at most, the last answers.
    let burst: Vec<_> = (0..8_u32)
        .flat_map(|n| (1..=10).map(move |client| (125 * MS * n, client)))
        .collect();
    let woken = exchanges(&mut bench, &burst, 1_000 * MS);
    assert_eq!(woken.exchanges, 80);
    let waits = woken.waits.len();
    assert!(waits <= 8 * (1 + 5 + 1) + 10, "{waits}: {:?}", woken.waits);
    // One by one, at any time: some answers come with something else.
    let evenly: Vec<_> = (0..80_u32)
        .map(|n| (12_500 * n + n * 7919 % 12_500, n % 10 + 1))
        .map(|(us, client)| (us * US, u8::try_from(client).unwrap()))
        .collect();
    let woken = exchanges(&mut bench, &evenly, 1_040 * MS);
    assert_eq!(woken.exchanges, 80);
    let waits = woken.waits.len();
    assert!(waits <= 80 * 2 - 10, "{waits}: {:?}", woken.waits);
    let gathered = woken
        .waits
        .iter()
        .filter(|wait| matches!(wait, Wait::Until(_)));
    assert!(gathered.count() > 80, "answers are waited for");
}

#[test]
fn nothing_wakes_an_idle_loop_but_one_publication_of_what_changed() {
    let mut bench = Bench::holding(1);
    let woken = exchanges(&mut bench, &[(MS, 1)], 60_000 * MS);
    // The exchange, its publication, and one each five seconds.
    assert!(woken.waits.len() <= 4 + 12, "{:?}", woken.waits);
    let published = bench.forwarding.board().changes().count();
    let woken = exchanges(&mut bench, &[], 60_000 * MS);
    assert!(woken.waits.len() <= 12, "{:?}", woken.waits);
    let changes = bench.forwarding.board().changes().count();
    assert_eq!(changes, published, "nobody is woken for nothing");
}

#[test]
fn what_changed_is_published_within_a_tenth_of_a_second_or_a_quarter_after_the_last_change() {
    let mut bench = Bench::holding(1);
    let answered = |bench: &Bench| {
        bench
            .forwarding
            .board()
            .snapshot()
            .unwrap()
            .counters
            .answered
    };
    let before = answered(&bench);
    // Every turn may publish, but for those within a tenth of a second after the last that did.
    let asked: Vec<_> = (0..20).map(|n| (40 * MS * n, 1)).collect();
    exchanges(&mut bench, &asked, 800 * MS);
    assert!(
        answered(&bench) >= before + 20 - 4,
        "{}",
        answered(&bench) - before
    );
    exchanges(&mut bench, &[], 260 * MS);
    assert_eq!(answered(&bench), before + 20);
}
