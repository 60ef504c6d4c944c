//! `cargo run --release -p ptpproxy-lab --bin peers -- --help`

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use ptpproxy_lab::peers::{Case, Options, Peer, Report, draw};

fn main() -> Result<()> {
    let options = Options::parse();
    let canonical = |path: &PathBuf| {
        path.canonicalize()
            .with_context(|| format!("no {}", path.display()))
    };
    let binary = options.binary.as_ref().map(canonical).transpose()?;
    let lab = lab()?;
    fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make {}", options.out.display()))?;

    let report = compare(&options, &lab, binary.as_deref());
    let text = report.markdown();
    // Whoever reads the table may have gone away: the files matter still.
    let _ = io::stdout().write_all(text.as_bytes());
    let path = |extension| options.out.join("peers").with_extension(extension);
    fs::write(path("md"), &text).context("cannot write peers.md")?;
    let json = serde_json::to_string_pretty(&report)? + "\n";
    fs::write(path("json"), json).context("cannot write peers.json")?;
    draw(&path("svg"), &report).context("cannot draw peers.svg")
}

/// Every case once a round, so that what changes on the machine meets all alike.
fn compare(options: &Options, lab: &Path, binary: Option<&Path>) -> Report {
    let mut report = Report::new(options);
    let cases = report
        .rows
        .iter()
        .filter(|row| row.missing.is_none())
        .count();
    let seconds = f64::from(options.rounds) * cases as f64 * (options.seconds + 4.5);
    eprintln!(
        "{cases} gateways, {} rounds: about {:.0} min",
        options.rounds,
        seconds / 60.0
    );
    for round in 1..=options.rounds {
        for (peer, row) in Peer::ALL.into_iter().zip(&mut report.rows) {
            if row.missing.is_some() {
                continue;
            }
            show(&format!(
                "round {round} of {}: {}",
                options.rounds,
                peer.label()
            ));
            let figures = Case { peer }.measure(options, lab, binary);
            if let Err(error) = &figures {
                show("");
                eprintln!("{}: {error:#}", peer.label());
            }
            row.rounds.push(figures.ok());
        }
    }
    show("");
    report
}

fn show(text: &str) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K{text}");
    } else if !text.is_empty() {
        eprintln!("{text}");
    }
}

/// The lab's program, beside this one, built anew.
fn lab() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let status = Command::new(cargo)
        .args(["build", "--release", "--bin", "lab", "--manifest-path"])
        .arg(manifest)
        .status()
        .context("cannot run cargo to build the lab")?;
    ensure!(status.success(), "the lab could not be built");
    let path = std::env::current_exe()?.with_file_name("lab");
    ensure!(
        path.is_file(),
        "no {}: run peers with --release",
        path.display()
    );
    Ok(path)
}
