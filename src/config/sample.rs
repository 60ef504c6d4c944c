//! A file with every key in it, made from the definition of the command line.

use std::fmt::Write as _;

use clap::{Arg, ArgAction};

use crate::options::{Flag, Flags, Reload, Sample};

const HEAD: &str = "\
# Configuration of ptpproxy: every key with its default. A key whose line is a comment has its default.
# `up` and `down` have none: set them first.
#
# The keys are the long options of `ptpproxy --help`. A list is written `domain = [24, 25]`.
# An option on the command line overrides the file. `ptpproxy check-config FILE` finds mistakes.
# SIGHUP or `ptpproxy reload` makes a running gateway read the file again. It applies all keys but those
# marked \"Needs a restart.\"
";

/// Columns of a comment.
const WIDTH: usize = 100;

/// Every key with its explanation, commented out at its default. No interface is set, so that nothing starts by it before
/// somebody has named two.
#[must_use]
pub fn sample(flags: &Flags) -> String {
    let mut text = HEAD.to_owned();
    let mut headings: Vec<&str> = Vec::new();
    for (_, argument, _) in flags.iter() {
        let heading = heading(argument);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for wanted in headings {
        line(&mut text, format_args!("\n# ---- {wanted} ----"));
        for (key, argument, flag) in flags.iter() {
            if heading(argument) == wanted {
                entry(&mut text, key, argument, flag);
            }
        }
    }
    text
}

fn heading(argument: &Arg) -> &str {
    argument.get_help_heading().unwrap_or("More")
}

fn entry(text: &mut String, key: &str, argument: &Arg, flag: &Flag) {
    text.push('\n');
    let help = argument.get_long_help().or_else(|| argument.get_help());
    for paragraph in help.map(ToString::to_string).unwrap_or_default().lines() {
        wrapped(text, paragraph);
    }
    for choice in &argument.get_possible_values() {
        if let Some(help) = choice.get_help() {
            wrapped(text, &format!("{}: {help}", literal(choice.get_name())));
        }
    }
    if flag.reload == Reload::Restart {
        wrapped(text, "Needs a restart.");
    }
    let value = match flag.sample {
        Sample::Example(value) => literal(value),
        Sample::Default => default(argument),
    };
    line(text, format_args!("#{key} = {value}"));
}

/// What the key is without a line.
fn default(argument: &Arg) -> String {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return "false".into();
    }
    match argument.get_default_values().first() {
        Some(default) => literal(&default.to_string_lossy()),
        None => "[]".into(),
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
