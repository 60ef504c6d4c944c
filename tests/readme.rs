//! The README says what the program says.

use ptpproxy::reason::Reason;

const README: &str = include_str!("../README.md");

/// The reasons in the first column of the table under "Why was it dropped?".
fn table() -> Vec<&'static str> {
    let (_, section) = README
        .split_once("## Why was it dropped?")
        .expect("the section is there");
    let (section, _) = section.split_once("\n## ").expect("another follows");
    section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once(" |"))
        .flat_map(|(first, _)| first.split(", "))
        .map(|word| word.trim_matches('`'))
        .collect()
}

#[test]
fn every_drop_reason_is_explained_and_no_other() {
    let mut explained = table();
    explained.sort_unstable();
    let mut reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    reasons.sort_unstable();
    assert_eq!(explained, reasons);
}

#[test]
fn every_option_it_names_exists() {
    let command = ptpproxy::cli::command();
    let known: Vec<String> = command
        .get_arguments()
        .chain(
            command
                .get_subcommands()
                .flat_map(clap::Command::get_arguments),
        )
        .filter_map(|argument| argument.get_long())
        .map(|long| format!("--{long}"))
        .chain(["--help".to_owned(), "--release".to_owned()])
        .collect();
    for word in README.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.starts_with("--") && word.len() > 2 && !word.starts_with("---") {
            assert!(known.iter().any(|long| long == word), "{word} is no option");
        }
    }
}
