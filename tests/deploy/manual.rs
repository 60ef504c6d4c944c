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
        let page = read(folder.path(), &format!("{name}.8")).replace("\\-", "-");
        let flags = flags(&command);
        assert!(flags.len() > 3, "{name}: {flags:?}");
        for flag in flags {
            let named = page.contains(&format!("\\fB{flag}\\fR"));
            assert!(named, "no {flag} in {name}.8");
        }
    }
    let page = read(folder.path(), "ptpproxy.8");
    for section in ["NAME", "SYNOPSIS", "EXAMPLES", "FILES", "VERSION"] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
}

/// Names of all pages, with their sections.
fn pages(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_page = |name: &String| name.ends_with(|c: char| c.is_ascii_digit());
    names.filter(is_page).collect()
}

/// A term of a page, as it is written there.
fn has_term(page: &str, term: &str) -> bool {
    let term = format!("\n.TP\n\\fB{}\\fR\n", term.replace('-', "\\-"));
    page.contains(&term)
}

#[test]
fn every_page_refers_to_pages_that_exist() {
    let folder = written();
    let pages = pages(folder.path());
    assert!(pages.len() > 10, "{pages:?}");
    for name in &pages {
        let page = read(folder.path(), name).replace("\\-", "-");
        let (_, others) = page.split_once("\n.SH \"SEE ALSO\"\n").unwrap_or_default();
        let others = others.replace("\\fB", "").replace("\\fR", "");
        for other in others
            .split(", ")
            .filter(|other| other.starts_with("ptpproxy"))
        {
            let (other, section) = other.trim().split_once('(').unwrap();
            let file = format!("{other}.{}", section.trim_end_matches(')'));
            assert!(pages.contains(&file), "{name} refers to {file}");
        }
    }
}

#[test]
fn every_key_reason_warning_and_metric_is_in_its_page() {
    let folder = written();
    let page = |name: &str| read(folder.path(), name);
    let (settings, reasons) = (page("ptpproxy.toml.5"), page("ptpproxy-reasons.7"));
    for (key, ..) in ptpproxy::cli::flags().iter() {
        assert!(has_term(&settings, key), "{key}");
    }
    assert!(settings.contains("Default: \\fB20ms\\fR") && settings.contains("needs a restart"));
    for reason in ptpproxy::reason::Reason::ALL {
        assert!(has_term(&reasons, reason.label()), "{reason}");
    }
    let (warnings, metrics) = (page("ptpproxy-warnings.7"), page("ptpproxy-metrics.7"));
    for warning in ptpproxy::control::WarningKind::all() {
        assert!(has_term(&warnings, warning.code()), "{}", warning.code());
    }
    for metric in ptpproxy::metrics::list() {
        assert!(has_term(&metrics, &metric.name), "{}", metric.name);
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
    // Each --up and --down that takes an interface: of the gateway, doctor and guard.
    for (shell, lists) in [
        ("ptpproxy.bash", "/sys/class/net"),
        ("_ptpproxy", ":IF:_net_interfaces'"),
        ("ptpproxy.fish", "(__fish_print_interfaces)"),
    ] {
        let script = read(folder.path(), shell);
        assert_eq!(script.matches(lists).count(), 6, "{lists} in {shell}");
    }
    let checked = run(Command::new("bash")
        .arg("-n")
        .arg(folder.path().join("ptpproxy.bash")));
    assert!(checked.status.success(), "{}", text(&checked));
}

/// What bash offers after these words, the last of which is being written.
fn offered(script: &Path, words: &[&str]) -> Vec<String> {
    let (last, before) = (words[words.len() - 1], words[words.len() - 2]);
    let program = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; _ptpproxy ptpproxy {last:?} {before:?}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words
            .iter()
            .map(|word| format!("{word:?} "))
            .collect::<String>(),
        words.len() - 1
    );
    let output = run(Command::new("bash").args(["-c", &program]));
    text(&output).lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_the_interfaces_of_the_machine() {
    let folder = written();
    let script = folder.path().join("ptpproxy.bash");
    for words in [
        &["ptpproxy", "--up", ""][..],
        &["ptpproxy", "--up", "eth0", "--down", "l"],
        &["ptpproxy", "doctor", "--down", "lo"],
    ] {
        let offered = offered(&script, words);
        assert!(offered.contains(&"lo".to_owned()), "{words:?}: {offered:?}");
    }
    // A replay's are those of its capture, or files.
    assert!(!offered(&script, &["ptpproxy", "replay", "--up", ""]).contains(&"lo".to_owned()));
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
    for name in pages(folder.path()) {
        let page = folder.path().join(&name);
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
