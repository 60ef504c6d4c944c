//! The files in deploy/ are good, and the full one says what the program says.

use std::fs;
use std::path::{Path, PathBuf};

use ptpproxy::{cli, config};

use super::{effect, parse};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

fn samples() -> Vec<PathBuf> {
    let mut files = vec![deploy().join("ptpproxy.toml")];
    let entries = fs::read_dir(deploy().join("samples")).expect("the folder is there");
    files.extend(entries.map(|entry| entry.expect("an entry").path()));
    files
}

/// `PTPPROXY_BLESS=1 cargo test --test config` writes it anew.
#[test]
fn the_full_sample_is_made_from_the_definition() {
    let path = deploy().join("ptpproxy.toml");
    let made = config::sample(&cli::flags());
    if std::env::var_os("PTPPROXY_BLESS").is_some() {
        fs::write(&path, &made).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, made, "PTPPROXY_BLESS=1 cargo test --test config");
}

#[test]
fn every_key_stands_in_the_full_sample_at_its_default() {
    let text = config::sample(&cli::flags());
    let bare: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(entry) if !entry.starts_with([' ', '#']) => format!("{entry}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    for key in cli::command()
        .get_arguments()
        .filter_map(clap::Arg::get_long)
    {
        let there = bare
            .lines()
            .any(|line| line.starts_with(&format!("{key} = ")));
        assert_eq!(
            there,
            !matches!(key, "config" | "verbose" | "quiet"),
            "{key}"
        );
    }
    let file = super::Scratch::new(&bare);
    let (all, level) = parse(&["--config", &file.name()]).expect("each line is good");
    let all = effect(&all, level);
    let (default, level) = parse(&["--up", "eth0", "--down", "eth1", "--seed", "0"]).expect("good");
    assert_eq!(all, effect(&default, level));
    assert!(text.lines().all(|line| line.len() <= 110), "{text}");
}

#[test]
fn every_sample_is_good() {
    let files = samples();
    assert!(files.len() >= 4);
    for file in files {
        let line = cli::check(&file).unwrap_or_else(|stop| panic!("{:#?}", stop.to_lines()));
        let start = format!("{}: OK: up eth", file.display());
        assert!(line.starts_with(&start), "{line}");
        assert!(!line.contains("left to the command line"), "{line}");
    }
}
