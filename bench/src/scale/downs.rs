//! What several ports downstream cost: four with 250 clients each beside one with 1000.

use anyhow::Result;

use super::bars::verdict;
use super::case::{Lab, median};

const LOAD: &str = "--clients 1000 --spread";
const CASES: [(&str, &str); 2] = [("one port", ""), ("four ports", "--downs 4")];

/// Ratios are of the same round, since a machine is fast or slow for some seconds; who is first changes each round.
pub(super) fn downs(lab: &Lab, rounds: u16) -> Result<bool> {
    println!("## Ports downstream, 1000 clients\n");
    println!("| round | ports | CPU us per exchange | exchanges/s | lost | resident MiB |");
    println!("|---|---|---|---|---|---|");
    let (mut ratios, mut lost) = (Vec::new(), 0.0);
    for round in 1..=rounds {
        let mut costs = [f64::NAN; CASES.len()];
        let mut order = [0, 1];
        if round % 2 == 0 {
            order.reverse();
        }
        for number in order {
            let (name, arguments) = CASES[number];
            let seen = lab.run(&format!("{LOAD} {arguments}"), "")?;
            costs[number] = seen.number("cpu_us_per_exchange");
            lost += seen.number("requests_lost");
            println!(
                "| {round} | {name} | {:.2} | {:.0} | {:.0} | {:.1} |",
                costs[number],
                seen.number("cpu_percent") * 1e4 / costs[number],
                seen.number("requests_lost"),
                seen.number("rss_kib") / 1024.0,
            );
        }
        ratios.push(costs[1] / costs[0]);
    }
    println!();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = ratios.iter().copied().fold(0.0, f64::max);
    let what = format!(
        "CPU per exchange, four ports against one, median of {rounds} ({least:.2} to {largest:.2})"
    );
    let met = [
        verdict(&what, median(ratios), 1.15),
        verdict("requests lost", lost, 0.0),
    ];
    Ok(met.iter().all(|&met| met))
}
