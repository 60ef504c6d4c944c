//! The questions: each prints its figures as a table and says whether its bar is met.

use anyhow::Result;

use super::case::{Lab, Seen, median};

/// The forwarder's default sweep interval.
const SWEEP_US: f64 = 1000.0;

/// A line that says whether a bar is met.
pub(super) fn verdict(what: &str, value: f64, most: f64) -> bool {
    let met = value <= most;
    let word = if met { "met" } else { "MISSED" };
    println!("{what}: {value:.3}, at most {most:.3}: {word}\n");
    met
}

fn all_answered(what: &str, seen: &Seen) -> bool {
    let lost = seen.number("requests_lost");
    let limited = seen.says("generator_limited");
    let met = lost == 0.0;
    println!(
        "{what}: {:.0} requests, {lost:.0} lost{}: {}\n",
        seen.number("requests_sent"),
        if limited {
            " (the generator was the limit)"
        } else {
            ""
        },
        if met { "met" } else { "MISSED" }
    );
    met
}

/// What a foreign frame costs the machine, beside a filter that drops everything.
pub(super) fn foreign(lab: &Lab, rounds: u16, pps: f64) -> Result<bool> {
    const CASES: [(&str, &str, &str); 4] = [
        (
            "search tree, 1000 clients",
            "--clients 1000 --spread",
            "--filter tree",
        ),
        (
            "map, 1000 clients",
            "--clients 1000 --spread --machine-root",
            "--filter map",
        ),
        ("auto, 10 clients", "--clients 10 --spread", ""),
        (
            "drops everything",
            "--clients 10 --spread --gateway deaf",
            "",
        ),
    ];
    println!("## Foreign traffic\n");
    println!(
        "| case | foreign/s | machine % of a core | without foreign | us per foreign frame | process % | lost |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut costs: [Vec<f64>; 4] = Default::default();
    let mut process = Vec::new();
    let mut lost = 0.0;
    for _ in 0..rounds {
        for (number, (name, arguments, proxy)) in CASES.into_iter().enumerate() {
            let with = lab.run(&format!("{arguments} --foreign {pps}"), proxy)?;
            let without = lab.run(arguments, proxy)?;
            let added =
                with.number("machine_busy_percent") - without.number("machine_busy_percent");
            let cost = added * 1e4 / with.foreign_rate();
            println!(
                "| {name} | {:.0} | {:.1} | {:.1} | {cost:.3} | {:.2} | {:.0} |",
                with.foreign_rate(),
                with.number("machine_busy_percent"),
                without.number("machine_busy_percent"),
                with.number("cpu_percent"),
                with.number("requests_lost"),
            );
            costs[number].push(cost);
            if number < 3 {
                lost += with.number("requests_lost");
            }
            if number == 2 {
                process.push(with.number("cpu_percent"));
            }
        }
    }
    println!();
    let [tree, map, _, nothing] = costs.map(median);
    let met = [
        verdict("own requests lost beside foreign traffic", lost, 0.0),
        verdict(
            "search tree, cost of a foreign frame against a filter that drops everything",
            tree / nothing,
            1.3,
        ),
        verdict("map, the same", map / nothing, 1.3),
        verdict("process with 10 clients, % of a core", median(process), 5.0),
    ];
    Ok(met.iter().all(|&met| met))
}

/// 100 000 clients.
pub(super) fn many(lab: &Lab) -> Result<bool> {
    println!("## Many clients\n");
    let seen = lab.run("--clients 100000 --rate 1 --spread", "")?;
    println!(
        "process {:.1} % of a core, {:.2} us per exchange, {:.0} MB, residual p99 {:.0} ns, ring drops {:.0}",
        seen.number("cpu_percent"),
        seen.number("cpu_us_per_exchange"),
        seen.number("rss_kib") / 1024.0,
        seen.number("residual_ns.p99"),
        seen.number("ring_drops"),
    );
    Ok(all_answered("100 000 clients at 1/s", &seen))
}

/// Frames that are not held, at 100 000 a second both ways together.
pub(super) fn unheld(lab: &Lab, rounds: u16) -> Result<bool> {
    const LOAD: &str = "--clients 1000 --rate 50 --spread";
    const CASES: [(&str, &str, &str); 5] = [
        ("ptpproxy --jitter off", "", "--jitter off"),
        (
            "ptpproxy --jitter off --sweep 500us",
            "",
            "--jitter off --sweep 500us",
        ),
        ("poll loop on raw sockets", "--gateway raw", ""),
        ("TPACKET_V3", "--gateway v3", ""),
        ("TPACKET_V3, batches, timestamps", "--gateway stamped", ""),
    ];
    let [ours, short, poll, v3, stamped] = [0, 1, 2, 3, 4];
    println!("## Frames that are not held, 100 000 a second\n");
    println!("| case | p50 us | p99 us | process % | machine % |");
    println!("|---|---|---|---|---|");
    let mut late: [Vec<f64>; CASES.len()] = Default::default();
    let mut spent: [Vec<f64>; CASES.len()] = Default::default();
    for _ in 0..rounds {
        for (number, (name, arguments, proxy)) in CASES.into_iter().enumerate() {
            let seen = lab.run(&format!("{LOAD} {arguments}"), proxy)?;
            println!(
                "| {name} | {:.1} | {:.1} | {:.1} | {:.1} |",
                seen.number("hold_us.p50"),
                seen.number("hold_us.p99"),
                seen.number("cpu_percent"),
                seen.number("machine_busy_percent"),
            );
            late[number].push(seen.number("hold_us.p99"));
            spent[number].push(seen.number("cpu_percent"));
        }
    }
    println!();
    // Of the same round: a machine that is fast or slow for some seconds is so for both.
    let against = |number: usize, other: usize| {
        let pairs = spent[number].iter().zip(&spent[other]);
        median(pairs.map(|(ours, theirs)| ours / theirs).collect())
    };
    println!(
        "CPU with --sweep 500us against TPACKET_V3: {:.3}\n",
        against(short, v3)
    );
    // Beside about the least that correcting costs.
    println!(
        "CPU of TPACKET_V3 with batches and a stamp of each Delay_Req against TPACKET_V3: {:.3}\n\n\
         CPU of ptpproxy against that: {:.3}\n",
        against(stamped, v3),
        against(ours, stamped)
    );
    let late = late.map(median);
    let met = [
        verdict(
            "p99 us, against 1.5 sweeps and a poll loop's",
            late[ours],
            1.5 * SWEEP_US + late[poll],
        ),
        verdict("CPU against TPACKET_V3", against(ours, v3), 1.3),
    ];
    Ok(met.iter().all(|&met| met))
}

/// How far from its drawn moment a held request departs.
pub(super) fn precise(lab: &Lab, rounds: u16) -> Result<bool> {
    const LOAD: &str = "--clients 100 --rate 8 --spread --machine-root";
    println!("## Departure error\n");
    println!("| case | p50 us | p99 us | process % |");
    println!("|---|---|---|---|");
    let mut errors: [Vec<f64>; 2] = Default::default();
    for _ in 0..rounds {
        for (number, proxy) in ["", "--precise"].into_iter().enumerate() {
            let seen = lab.run(LOAD, proxy)?;
            let [p50, p99] = hold_error(&seen.log);
            let name = if proxy.is_empty() { "default" } else { proxy };
            println!(
                "| {name} | {p50:.1} | {p99:.1} | {:.1} |",
                seen.number("cpu_percent")
            );
            errors[number].push(p99);
        }
    }
    println!();
    let [default, precise] = errors.map(median);
    Ok(verdict(
        "p99 of --precise against the default's",
        precise / default,
        1.0 / 3.0,
    ))
}

/// p50 and p99 in microseconds, from the forwarder's totals (`counts hold_error_p99_ns N ...`).
fn hold_error(log: &str) -> [f64; 2] {
    ["hold_error_p50_ns", "hold_error_p99_ns"].map(|name| {
        log.lines()
            .filter_map(|line| {
                let mut words = line
                    .split_whitespace()
                    .skip_while(|&word| word != name)
                    .skip(1);
                words.next()?.parse::<f64>().ok()
            })
            .next_back()
            .map_or(f64::NAN, |ns| ns / 1e3)
    })
}
