//! Keys of the configuration file.

use clap::{Arg, ArgAction};
use ptpproxy::options::Reload;

use crate::topic::{Row, Table, Topic, sentence};

pub(crate) fn topic() -> Topic {
    let flags = ptpproxy::cli::flags();
    let mut tables: Vec<Table> = Vec::new();
    for (key, argument, flag) in flags.iter() {
        let heading = argument.get_help_heading().unwrap_or("More");
        let row = Row {
            term: key.to_owned(),
            cells: vec![
                help(argument),
                default(argument),
                match flag.reload {
                    Reload::Live => "applies it".to_owned(),
                    Reload::Restart => "needs a restart".to_owned(),
                },
            ],
        };
        match tables.iter_mut().find(|table| table.heading == heading) {
            Some(table) => table.rows.push(row),
            None => tables.push(Table {
                heading: heading.to_owned(),
                text: String::new(),
                columns: &["key", "meaning", "default", "reload"],
                rows: vec![row],
            }),
        }
    }
    Topic {
        name: "ptpproxy.toml",
        section: "5",
        title: "Settings",
        about: "configuration file of ptpproxy",
        text: "A TOML file with one `key = value` per line. The keys are the long options of `ptpproxy`. A list is written \
               `domain = [24, 25]`. An option on the command line overrides the file.\n\n`ptpproxy check-config FILE` finds \
               mistakes, each with file, line and key. `ptpproxy reload` makes a running gateway read the file again: no \
               held message and no client is lost."
            .to_owned(),
        tables,
        see_also: &[
            ("ptpproxy", "8"),
            ("ptpproxy-check-config", "8"),
            ("ptpproxy-reload", "8"),
        ],
    }
}

/// What it sets, its range with it, and each value that has a meaning of its own.
fn help(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = sentence(&help.map(ToString::to_string).unwrap_or_default());
    for choice in &argument.get_possible_values() {
        if let Some(help) = choice.get_help() {
            text += &format!(
                "\n\n`{}`: {}",
                choice.get_name(),
                sentence(&help.to_string())
            );
        }
    }
    text
}

fn default(argument: &Arg) -> String {
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        return "`false`".to_owned();
    }
    match argument.get_default_values().first() {
        Some(default) => format!("`{}`", default.to_string_lossy()),
        None => "none".to_owned(),
    }
}
