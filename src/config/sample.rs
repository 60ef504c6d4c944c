//! A file with every key in it, made from the definition of the command line.

use std::fmt::Write as _;

use clap::{Arg, ArgAction};

use crate::cli;

const HEAD: &str = "\
# Configuration of ptpproxy: every key with its default, which is in force while its line is a comment.
#
# The keys are the long options of `ptpproxy --help`; a list is written
# `domain = [24, 25]`. An option on the command line wins over the file.
# `ptpproxy check-config FILE` finds mistakes. SIGHUP makes a running gateway read the file again.
";

/// Columns of a comment.
const WIDTH: usize = 100;

/// Every key with its explanation, commented out at its default; the two interfaces are set.
#[must_use]
pub fn sample() -> String {
    let command = cli::command();
    let mut text = HEAD.to_owned();
    let settable: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| {
            !matches!(
                argument.get_long(),
                None | Some("config" | "help" | "version" | "verbose" | "quiet")
            )
        })
        .collect();
    let mut headings: Vec<&str> = Vec::new();
    for heading in settable.iter().map(|argument| heading(argument)) {
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        line(&mut text, format_args!("\n# ---- {wanted} ----"));
        for argument in settable.iter().filter(|a| heading(a) == wanted) {
            entry(&mut text, argument);
        }
    }
    text
}

fn heading(argument: &Arg) -> &str {
    argument.get_help_heading().unwrap_or("More")
}

fn entry(text: &mut String, argument: &Arg) {
    let key = argument.get_long().unwrap_or_default();
    text.push('\n');
    let help = argument.get_long_help().or_else(|| argument.get_help());
    for paragraph in help.map(ToString::to_string).unwrap_or_default().lines() {
        wrapped(text, paragraph);
    }
    let choices = argument.get_possible_values();
    for choice in &choices {
        if let Some(help) = choice.get_help() {
            wrapped(text, &format!("{}: {help}", literal(choice.get_name())));
        }
    }
    let mark = if key == "up" || key == "down" {
        ""
    } else {
        "#"
    };
    line(text, format_args!("{mark}{key} = {}", value(key, argument)));
}

/// The default, or where there is none what the key means without one.
fn value(key: &str, argument: &Arg) -> String {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return "false".into();
    }
    if matches!(argument.get_action(), ArgAction::Append) {
        return "[]".into();
    }
    if let Some(default) = argument.get_default_values().first() {
        return literal(&default.to_string_lossy());
    }
    match key {
        "up" => "\"eth0\"".into(),
        "down" => "\"eth1\"".into(),
        "seed" => "0".into(),
        _ => literal(
            argument
                .get_value_names()
                .and_then(|names| names.first())
                .map_or("", |name| name.as_str()),
        ),
    }
}

/// A value as TOML: numbers as they are, words in quotes.
pub(super) fn literal(value: &str) -> String {
    let number = value.starts_with(|c: char| c.is_ascii_digit()) && value.parse::<f64>().is_ok();
    if number {
        value.to_owned()
    } else {
        format!("\"{value}\"")
    }
}

fn wrapped(text: &mut String, paragraph: &str) {
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        if column == 0 || column + 1 + word.len() > WIDTH {
            if column > 0 {
                text.push('\n');
            }
            text.push('#');
            column = 1;
        }
        text.push(' ');
        text.push_str(word);
        column += 1 + word.len();
    }
    if column > 0 {
        text.push('\n');
    }
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = writeln!(text, "{what}");
}
