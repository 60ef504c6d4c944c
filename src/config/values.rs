//! What every option came to, from file and command line; and what changed between two readings.

use std::collections::HashSet;
use std::fmt;

use clap::{Arg, ArgAction, ArgMatches, Command};
use log::LevelFilter;

/// Longer values are counted, not shown.
const SHOWN: usize = 60;

/// The value of each option that a file can set, in the order of the definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<Value>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    key: String,
    /// Nothing means all of them, where it is a list.
    list: bool,
    items: Vec<String>,
}

/// A value that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: String,
    /// What it was, in words.
    pub before: String,
    /// What it is, in words.
    pub now: String,
}

impl Values {
    pub(crate) fn of(command: &Command, matches: &ArgMatches, level: LevelFilter) -> Self {
        let values = command.get_arguments().filter_map(|argument| {
            let key = argument.get_long()?;
            let items = match key {
                "config" | "help" | "version" | "verbose" | "quiet" => return None,
                "log" => vec![level.to_string().to_ascii_lowercase()],
                _ => items(argument, matches),
            };
            Some(Value {
                key: key.to_owned(),
                list: matches!(argument.get_action(), ArgAction::Append),
                items,
            })
        });
        Self(values.collect())
    }

    /// What is different in `now`.
    #[must_use]
    pub fn changes(&self, now: &Self) -> Vec<Change> {
        let pairs = self.0.iter().zip(&now.0);
        pairs
            .filter(|(before, now)| before.key == now.key && before.items != now.items)
            .map(|(before, now)| Change::between(before, now))
            .collect()
    }

    /// Takes the values of the keys that `which` picks from another reading.
    pub fn take(&mut self, from: &Self, which: impl Fn(&str) -> bool) {
        for (mine, other) in self.0.iter_mut().zip(&from.0) {
            if mine.key == other.key && which(&mine.key) {
                mine.clone_from(other);
            }
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|value| value.key.as_str())
    }
}

impl Change {
    fn between(before: &Value, now: &Value) -> Self {
        let mut words = Self {
            key: now.key.clone(),
            before: before.words(),
            now: now.words(),
        };
        if now.list && (words.before.len() > SHOWN || words.now.len() > SHOWN) {
            let added = missing(&now.items, &before.items);
            let removed = missing(&before.items, &now.items);
            words.before = before.count();
            words.now = format!("{} ({added} added, {removed} removed)", now.count());
        }
        words
    }
}

impl Value {
    fn words(&self) -> String {
        match self.items.as_slice() {
            [] if self.list => "any".into(),
            [] => "not set".into(),
            items => items.join(","),
        }
    }

    fn count(&self) -> String {
        match self.items.len() {
            0 => "any".into(),
            1 => "1 entry".into(),
            many => format!("{many} entries"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.key, self.before, self.now)
    }
}

fn items(argument: &Arg, matches: &ArgMatches) -> Vec<String> {
    let raw = matches.get_raw(argument.get_id().as_str());
    raw.into_iter()
        .flatten()
        .map(|item| item.to_string_lossy().into_owned())
        .collect()
}

fn missing(items: &[String], from: &[String]) -> usize {
    let from: HashSet<&String> = from.iter().collect();
    items.iter().filter(|item| !from.contains(item)).count()
}
