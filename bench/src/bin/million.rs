//! A million clients on a simulated link: what comes through, and what the forwarder takes for it.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ptpproxy_lab::counting::Counting;
use ptpproxy_lab::million;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Very many clients at 1 Hz through the real engine on a simulated link, with a virtual clock.
///
/// Fails when an answer is missing or wrong, or when the forwarder takes more memory than allowed.
#[derive(Parser, Debug)]
#[command(name = "million")]
struct Options {
    /// How many clients, 1 to 2000000.
    #[arg(long, default_value_t = 1_000_000)]
    clients: u32,
    /// Seconds of virtual time.
    #[arg(long, default_value_t = 60)]
    seconds: u16,
    /// The most that the forwarder's own memory may be, in MB (10^6 octets).
    #[arg(long, default_value_t = 500)]
    memory: usize,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let start = Instant::now();
    let outcome = million::run(options.clients, options.seconds);
    let megabytes = outcome.memory.div_ceil(1_000_000);
    println!(
        "{} clients at 1 Hz for {} s: {} asked, {} answered, {} astray, worst error {} ns",
        outcome.clients,
        options.seconds,
        outcome.asked,
        outcome.answered,
        outcome.astray,
        outcome.worst_error_ns
    );
    println!("dropped: {:?}", outcome.drops);
    println!(
        "memory of the forwarder: {megabytes} MB, {} octets per client; {} allocations after the first second",
        outcome.memory / options.clients.max(1) as usize,
        outcome.allocations
    );
    println!("took {:.1} s", start.elapsed().as_secs_f64());
    // Memory is counted here: none would mean that it is not.
    let sound = outcome.clients == options.clients as usize
        && outcome.asked == u64::from(options.clients) * u64::from(options.seconds)
        && outcome.answered == outcome.asked
        && outcome.astray == 0
        && outcome.allocations == 0
        && megabytes > 0
        && outcome.worst_error_ns <= 2
        && megabytes <= options.memory;
    if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
