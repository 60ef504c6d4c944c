//! Every kind of client over IPv4 and IPv6, in one subnet and in two, with each ptp4l that is there: hosts that filter by
//! the reverse path (`rp_filter` 1), switches that snoop and ask on both sides, caches that are flushed each five seconds,
//! a master that restarts, and whose hardware address then changes without a word.
//!
//! `cargo test --test peers -- --ignored matrix --nocapture --test-threads=1` prints the rows of the table in tests/README.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::{
    self, Ends, INTERFACE, Program, Rig, Sample, StateChange, TempDir, Transport,
};
use ptpproxy_lab::unicast::place::{Kind, Subnets};

use super::neighbours::{status, with_master};
use super::robust::{FLOODS, FORGETS, places};

/// A client is SLAVE within this time, at first and when its master was away.
const PATIENCE: Duration = Duration::from_secs(30);
/// Times that all caches are flushed, five seconds from one to the next.
const FLUSHES: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(5);
/// Sixteen a second, but for a second of each five.
const SAMPLES: usize = 40;
/// So many exchanges show that a client is served again.
const ANSWERED: u64 = 30;

/// One kind of client with a gateway and a master of its own. In the order in which they end.
struct Cell {
    label: String,
    kind: Kind,
    client: Option<Program>,
    master: Option<Program>,
    rig: Rig,
    socket: PathBuf,
    /// Answered when it was last looked at.
    before: u64,
    found: Vec<String>,
}

impl Cell {
    fn client(&self) -> &Program {
        self.client.as_ref().expect("it runs")
    }

    fn is_slave(&self) -> bool {
        let lines = self.client().lines_from(0);
        let mut changes = lines.iter().filter_map(|line| StateChange::parse(line));
        changes
            .next_back()
            .is_some_and(|change| change.to == "SLAVE")
    }

    fn answered(&self) -> u64 {
        status(&self.socket).counts.answered
    }
}

#[test]
#[ignore = "minutes of waiting, on demand: see the file"]
fn one_subnet_over_udp4() {
    in_sandbox!({ matrix(Transport::Udp4, Subnets::One) });
}

#[test]
#[ignore = "minutes of waiting, on demand: see the file"]
fn one_subnet_over_udp6() {
    in_sandbox!({ matrix(Transport::Udp6, Subnets::One) });
}

#[test]
#[ignore = "minutes of waiting, on demand: see the file"]
fn two_subnets_over_udp4() {
    in_sandbox!({ matrix(Transport::Udp4, Subnets::Two) });
}

#[test]
#[ignore = "minutes of waiting, on demand: see the file"]
fn two_subnets_over_udp6() {
    in_sandbox!({ matrix(Transport::Udp6, Subnets::Two) });
}

/// All of it at the same time: each cell is a network of its own, and most of the time is waiting.
fn matrix(transport: Transport, subnets: Subnets) {
    let folder = TempDir::new().unwrap();
    let mut cells = cells(&folder, transport, subnets);
    // The switches are to snoop when the first client asks.
    sleep(FLOODS);
    for cell in &mut cells {
        let role = cell.kind.role(transport);
        cell.client = Some(cell.rig.start_client(role).unwrap());
    }
    within(&mut cells, PATIENCE, "SLAVE", Cell::is_slave);

    let mut fewest = vec![usize::MAX; cells.len()];
    for _ in 0..FLUSHES {
        for cell in &cells {
            for end in [&cell.rig.client, &cell.rig.grandmaster] {
                end.flush_neighbours(INTERFACE).unwrap();
            }
        }
        let counts = samples_of_all(&cells);
        for (least, found) in fewest.iter_mut().zip(counts) {
            *least = found.min(*least);
        }
    }
    for (cell, samples) in cells.iter_mut().zip(fewest) {
        assert!(samples > SAMPLES, "{}: {samples} samples", cell.label);
        cell.found.push(format!("{samples} of 80"));
    }

    for cell in &mut cells {
        cell.master = None;
    }
    let down = Instant::now();
    for cell in &mut cells {
        cell.master = Some(cell.rig.start_grandmaster().unwrap());
    }
    println!("all masters are back after {:?}", down.elapsed());
    answered_again(&mut cells, PATIENCE, "the master restarted");

    for cell in &cells {
        let mac = [2, 0, 0, 0, 0, 0x77];
        cell.rig.grandmaster.set_mac(INTERFACE, mac).unwrap();
    }
    // What was under way is answered still.
    sleep(Duration::from_secs(1));
    answered_again(&mut cells, FORGETS, "the master's MAC changed");

    for cell in &cells {
        assert!(cell.is_slave(), "{}", cell.label);
        println!("| {} | {} |", cell.label, cell.found.join(" | "));
    }
}

fn cells(folder: &TempDir, transport: Transport, subnets: Subnets) -> Vec<Cell> {
    let further = ptp4l::named().map(Some);
    let mut cells = Vec::new();
    for program in [None].into_iter().chain(further) {
        for kind in Kind::ALL {
            let ends = Ends {
                ptp4l: program.clone(),
                switched: true,
                ..Ends::default()
            };
            let socket = folder.path().join(format!("{}.sock", cells.len()));
            let [one, two] = places(&socket);
            let (place, gateway) = match subnets {
                Subnets::One => one,
                Subnets::Two => two,
                Subnets::Cable => unreachable!("each place has a gateway"),
            };
            let Some((rig, master)) = with_master(&gateway, transport, ends) else {
                return cells;
            };
            let version = version(program.as_deref());
            let (kind_label, transport) = (kind.label(), transport.label());
            cells.push(Cell {
                label: format!("{place}, {transport} | {version} | {kind_label}"),
                kind,
                client: None,
                master: Some(master),
                rig,
                socket,
                before: 0,
                found: Vec::new(),
            });
        }
    }
    cells
}

/// Waits until this is so in each cell, and notes after how long.
fn within(cells: &mut [Cell], limit: Duration, what: &str, is_so: impl Fn(&Cell) -> bool) {
    let started = Instant::now();
    let mut open: Vec<_> = (0..cells.len()).collect();
    while !open.is_empty() {
        open.retain(|&at| {
            let cell = &mut cells[at];
            let so = is_so(cell);
            if so {
                let took = started.elapsed().as_secs_f64();
                cell.found.push(format!("{took:.1} s"));
            }
            !so
        });
        if let Some(&at) = open.first() {
            let cell = &cells[at];
            assert!(
                started.elapsed() < limit,
                "{}: not {what} after {limit:?}: {:#?}",
                cell.label,
                cell.client().lines_from(0)
            );
        }
        sleep(Duration::from_millis(100));
    }
}

fn answered_again(cells: &mut [Cell], limit: Duration, what: &str) {
    for cell in cells.iter_mut() {
        cell.before = cell.answered();
    }
    let served = |cell: &Cell| cell.answered() >= cell.before + ANSWERED;
    let what = format!("SLAVE and served, {what}");
    within(cells, limit, &what, |cell| cell.is_slave() && served(cell));
}

/// What each measures until the next flush.
fn samples_of_all(cells: &[Cell]) -> Vec<usize> {
    let from: Vec<_> = cells
        .iter()
        .map(|cell| cell.client().line_count())
        .collect();
    sleep(BETWEEN);
    cells
        .iter()
        .zip(from)
        .map(|(cell, from)| {
            let lines = cell.client().lines_from(from);
            lines
                .iter()
                .filter(|line| Sample::parse(line).is_some())
                .count()
        })
        .collect()
}

fn version(program: Option<&Path>) -> String {
    let path = program.map(Path::to_owned).or_else(ptp4l::find);
    let output = Command::new(path.unwrap()).arg("-v").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
