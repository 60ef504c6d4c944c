//! Few clients: what they cost beside ptp4l's transparent clock, how often they wake the forwarder, and what stays
//! uncorrected where every path is cold.

use anyhow::Result;

use super::bars::verdict;
use super::case::{Lab, Seen, median};

/// What stands between, and what it is called here.
const GATEWAYS: [(&str, &str); 3] = [
    ("ptpproxy", ""),
    ("ptp4l E2E_TC", "--gateway ptp4l-tc"),
    ("bare cable", "--gateway direct"),
];
const OURS: usize = 0;
const CLOCK: usize = 1;

/// Ten clients, evenly and in bursts.
pub(super) fn light(lab: &Lab, rounds: u16) -> Result<bool> {
    println!("## Ten clients\n");
    println!(
        "| load | gateway | CPU us per exchange | wake-ups/s | uncorrected Delay_Req, ns: p50 | p99 | lost |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut met = true;
    let mut verdicts = Vec::new();
    for (load, arguments, most_wakeups) in [
        ("8/s evenly", "--clients 10 --rate 8 --spread", None),
        ("8/s in bursts", "--clients 10 --rate 8 --burst", None),
        (
            "1/s evenly",
            "--clients 10 --rate 1 --spread --sync-rate 1",
            Some(35.0),
        ),
    ] {
        let mut seen: [Vec<Seen>; GATEWAYS.len()] = Default::default();
        for _ in 0..rounds {
            for ((name, gateway), seen) in GATEWAYS.into_iter().zip(&mut seen) {
                let one = lab.run(&format!("{arguments} {gateway}"), "")?;
                println!(
                    "| {load} | {name} | {:.1} | {:.1} | {:.0} | {:.0} | {:.0} |",
                    one.number("cpu_us_per_exchange"),
                    one.number("wakeups_per_second"),
                    one.number("residual_ns.p50"),
                    one.number("residual_ns.p99"),
                    one.number("requests_lost"),
                );
                seen.push(one);
            }
        }
        match most_wakeups {
            Some(most) => {
                let wakeups = numbers(&seen[OURS], "wakeups_per_second");
                verdicts.push((format!("{load}: wake-ups/s"), wakeups, most));
            }
            None => {
                for (what, key, most) in [
                    ("CPU", "cpu_us_per_exchange", 1.0),
                    ("uncorrected p50", "residual_ns.p50", 1.2),
                ] {
                    let clock = numbers(&seen[CLOCK], key);
                    let ours = numbers(&seen[OURS], key);
                    let ratios = ours.iter().zip(clock).map(|(ours, clock)| ours / clock);
                    let what = format!("{load}: {what} against ptp4l E2E_TC");
                    verdicts.push((what, ratios.collect(), most));
                }
            }
        }
    }
    println!();
    for (what, values, most) in verdicts {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = values.iter().copied().fold(0.0, f64::max);
        let what = format!("{what} ({least:.2} to {largest:.2})");
        met &= verdict(&what, median(values), most);
    }
    Ok(met)
}

fn numbers(seen: &[Seen], key: &str) -> Vec<f64> {
    seen.iter().map(|one| one.number(key)).collect()
}
