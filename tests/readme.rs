//! The documents say what the program does: words, options, files and links that they name exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ptpproxy::reason::Reason;

/// The top of the repository.
fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_readme_is_short_enough_to_read() {
    let readme = read("README.md");
    let lines: Vec<&str> = readme.lines().collect();
    assert!(lines.len() <= 200, "{} lines", lines.len());
    for (n, line) in lines.iter().enumerate() {
        let columns = line.chars().count();
        assert!(columns <= 120, "line {} has {columns} columns", n + 1);
    }
}

#[test]
fn every_drop_reason_is_explained_and_no_other() {
    let reference = read("deploy/REFERENCE.md");
    let (_, section) = reference
        .split_once("\n### Reasons\n")
        .expect("the section is there");
    let (section, _) = section.split_once("\n### ").expect("another follows");
    let explained: BTreeSet<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once("` | "))
        .inspect(|(_, rest)| assert!(rest.len() > 20, "{rest}"))
        .map(|(word, _)| word)
        .collect();
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
    assert_eq!(explained, reasons);
}

/// Options of other programs that the README names.
const OTHERS: [&str; 3] = ["--help", "--release", "--now"];
/// Options of `deploy/build-deb` and its kin.
const DEPLOY: [&str; 1] = ["--target"];

#[test]
fn every_option_the_readme_names_exists() {
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
        .chain(OTHERS.into_iter().chain(DEPLOY).map(str::to_owned))
        .collect();
    let readme = read("README.md");
    let mut named = 0;
    for word in readme.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.starts_with("--") && word.len() > 2 && !word.starts_with("---") {
            assert!(known.iter().any(|long| long == word), "{word} is no option");
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

#[test]
fn every_command_the_readme_names_exists() {
    let command = ptpproxy::cli::command();
    let readme = read("README.md");
    let commands: BTreeSet<&str> = readme
        .lines()
        .filter_map(|line| {
            line.strip_prefix("# ptpproxy ")
                .or_else(|| line.strip_prefix("$ ptpproxy "))
        })
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| !word.starts_with('-'))
        .collect();
    assert!(commands.len() > 5, "{commands:?}");
    for name in commands {
        assert!(
            command.find_subcommand(name).is_some(),
            "{name} is no command"
        );
    }
}

/// The documents whose links are followed.
const DOCUMENTS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "tests/README.md",
    "deploy/README.md",
    "deploy/REFERENCE.md",
    "bench/RESULTS.md",
    "bench/SCALE.md",
];

/// Targets of Markdown links: `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
}

/// The anchors of a document, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let outside = text.split("```").step_by(2);
    let lines = outside.flat_map(str::lines);
    let headings = lines.filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let line = line.trim_start_matches('#').trim().to_lowercase();
            let kept = line
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut followed = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let folder = Path::new(document).parent().unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => PathBuf::from(document),
                file => folder.join(file),
            };
            assert!(top().join(&target).exists(), "{document} links to {link}");
            if !anchor.is_empty() {
                let known = anchors(&read(target.to_str().unwrap()));
                assert!(
                    known.contains(anchor),
                    "{document} links to {link}: {known:?}"
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 20, "{followed}");
}

/// Words in backticks that are paths of files or folders here: with a slash, and no word of another kind.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let outside = text.split("```").step_by(2);
    let spans = outside.flat_map(|text| text.split('`').skip(1).step_by(2));
    spans.filter(|span| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        span.contains('/') && !span.starts_with('/') && span.chars().all(plain)
    })
}

#[test]
fn every_path_the_documents_name_exists() {
    let mut named = 0;
    for (document, roots) in [
        ("ARCHITECTURE.md", ["", "src"]),
        ("tests/README.md", ["", "tests"]),
        ("bench/RESULTS.md", ["", "bench"]),
        ("bench/SCALE.md", ["", "bench"]),
    ] {
        let text = read(document);
        for path in paths(&text).filter(|path| !path.starts_with("target/")) {
            let exists = roots
                .iter()
                .any(|root| top().join(root).join(path).exists());
            assert!(exists, "{document} names {path}");
            named += 1;
        }
    }
    assert!(named > 60, "{named}");
}
