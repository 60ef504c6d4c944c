//! A long run in virtual time: `soak [HOURS]` (a year when none are given). Fails if anything was wrong,
//! or if memory grew.

use std::process::ExitCode;
use std::time::Instant;

use ptpproxy::ring::process::peak_rss_kib;
use ptpproxy_lab::sim::Soak;

const YEAR: u64 = 8_766;
/// What the allocator may round up to.
const FLAT_KIB: u64 = 1_024;

fn main() -> ExitCode {
    let hours = std::env::args()
        .nth(1)
        .map_or(Ok(YEAR), |text| text.parse());
    let Ok(hours) = hours else {
        eprintln!("usage: soak [HOURS]");
        return ExitCode::FAILURE;
    };
    // The memory of a first, short run is what a long one may use.
    let _ = Soak::default().run();
    let before = peak_rss_kib();
    let start = Instant::now();
    let soaked = Soak {
        hours,
        ..Soak::default()
    }
    .run();
    let seconds = start.elapsed().as_secs_f64();
    let grown = peak_rss_kib() - before;
    println!("{soaked}");
    println!(
        "{:.1} virtual hours a second, memory grew by {grown} KiB",
        hours as f64 / seconds
    );
    for wrong in &soaked.wrong {
        println!("wrong: {wrong}");
    }
    let lost = (soaked.syncs.0 - soaked.syncs.1) + (soaked.requests.0 - soaked.requests.1);
    let good = soaked.wrong.is_empty() && soaked.unaccounted == 0 && lost < 20 && grown < FLAT_KIB;
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
