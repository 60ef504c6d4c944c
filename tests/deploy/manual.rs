//! Man pages and completions have every flag, and their readers find nothing wrong with them.

use std::path::Path;
use std::process::Command;

use ptpproxy_lab::ptp4l::TempDir;

use crate::tools::{find, run, text};

fn written() -> TempDir {
    let folder = TempDir::new().unwrap();
    ptpproxy_gen::write_all(folder.path()).unwrap();
    folder
}

/// Each command that has a page, with the name of that page.
fn commands() -> Vec<(String, clap::Command)> {
    fn collect(name: String, command: &clap::Command, all: &mut Vec<(String, clap::Command)>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            collect(format!("{name}-{}", sub.get_name()), sub, all);
        }
        all.push((name, command.clone()));
    }
    let mut command = ptpproxy::cli::command();
    command.build();
    let mut all = Vec::new();
    collect("ptpproxy".into(), &command, &mut all);
    all
}

fn flags(command: &clap::Command) -> Vec<String> {
    command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect()
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_flag_has_its_place_in_the_manual() {
    let folder = written();
    for (name, command) in commands() {
        let page = read(folder.path(), &format!("{name}.1")).replace("\\-", "-");
        let flags = flags(&command);
        assert!(flags.len() > 3, "{name}: {flags:?}");
        for flag in flags {
            let named = page.contains(&format!("\\fB{flag}\\fR"));
            assert!(named, "no {flag} in {name}.1");
        }
    }
    let page = read(folder.path(), "ptpproxy.1");
    for section in ["NAME", "SYNOPSIS", "EXAMPLES", "FILES", "VERSION"] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
}

#[test]
fn every_flag_is_completed() {
    let folder = written();
    for shell in ["ptpproxy.bash", "_ptpproxy", "ptpproxy.fish"] {
        let script = read(folder.path(), shell);
        for (name, command) in commands() {
            for flag in flags(&command) {
                let word = flag.trim_start_matches('-');
                let known = script.contains(&flag) || script.contains(&format!("-l {word}"));
                assert!(known, "{name} {flag} in {shell}");
            }
        }
    }
    let checked = run(Command::new("bash")
        .arg("-n")
        .arg(folder.path().join("ptpproxy.bash")));
    assert!(checked.status.success(), "{}", text(&checked));
}

#[test]
fn man_shows_the_pages_without_a_warning() {
    let (Some(man), Some(lexgrog)) = (
        find("man", "Debian: man-db"),
        find("lexgrog", "Debian: man-db"),
    ) else {
        return;
    };
    let folder = written();
    for (name, _) in commands() {
        let page = folder.path().join(format!("{name}.1"));
        let shown = run(Command::new(&man)
            .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8"])
            .arg(&page)
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8"));
        assert!(
            shown.status.success() && shown.stderr.is_empty(),
            "{name}: {}",
            text(&shown)
        );
        assert!(shown.stdout.len() > 800, "{}", text(&shown));
        let indexed = run(Command::new(&lexgrog).arg(&page));
        assert!(indexed.status.success(), "{}", text(&indexed));
    }
}
