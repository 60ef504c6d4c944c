//! Frames one way, as fast as they come: ours, the same with one send a frame, the kernel's bridge, and batches with
//! stamps alone.

use anyhow::{Result, ensure};

use super::bars::verdict;
use super::case::{Lab, median};

/// Limits that a flood would meet, raised.
const RAISED: &str = "--max-clients 8192 --client-rate 100000 --ring-frames 16384";

/// What passed, in thousand frames a second, and what the forwarder spent on each, in us.
struct Passed {
    rate: f64,
    cpu_us: f64,
}

/// Ratios are of the same round, since a machine is fast or slow for some seconds. What batches earn shows in
/// the time spent on a frame: where the source is the limit, all rates are alike.
pub(super) fn flood(lab: &Lab, rounds: u16) -> Result<bool> {
    println!("## Floods\n");
    println!(
        "| frames | bridge, k/s | ptpproxy, k/s | ratio | CPU us a frame | with `--batch 1`, k/s | CPU us a frame | batches earn | stamps alone, k/s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut met = true;
    for (kind, least) in [("announce", 1.0), ("delay-req", 0.8)] {
        let (mut ratios, mut gains) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let pass = |gateway: &str, proxy: &str| -> Result<Passed> {
                let seen = lab.run(&format!("--clients 4000 --flood {kind}{gateway}"), proxy)?;
                let right = seen.number("right_percent");
                ensure!(
                    right > 99.0,
                    "{kind}{gateway}: {right} % of the frames were right"
                );
                let rate = seen.number("delivered_per_second") / 1e3;
                let cpu_us = seen.number("cpu_percent") * 10.0 / rate;
                Ok(Passed { rate, cpu_us })
            };
            let bridge = pass(" --gateway bridge", "")?.rate;
            let ours = pass("", RAISED)?;
            let single = pass("", &format!("{RAISED} --batch 1"))?;
            // Parses and decides nothing: about the most that can be had with a stamp of each Delay_Req.
            let stamped = pass(" --gateway stamped", "")?.rate;
            let (ratio, gain) = (ours.rate / bridge, single.cpu_us / ours.cpu_us);
            println!(
                "| {kind} | {bridge:.0} | {:.0} | {ratio:.2} | {:.2} | {:.0} | {:.2} | {gain:.2} | {stamped:.0} |",
                ours.rate, ours.cpu_us, single.rate, single.cpu_us
            );
            ratios.push(ratio);
            gains.push(gain);
        }
        println!();
        let what = format!("{kind}: the bridge's rate, over ours");
        met &= verdict(&what, 1.0 / median(ratios), 1.0 / least);
        let what = format!("{kind}: time spent on a frame in batches, over that by itself");
        met &= verdict(&what, 1.0 / median(gains), 1.0 / 1.3);
    }
    Ok(met)
}
