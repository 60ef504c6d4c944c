//! What every option came to, from file and command line; and what changed between two readings.

use std::collections::HashSet;
use std::fmt;

/// Longer values are counted, not shown.
const SHOWN: usize = 60;

/// The value of each option that a file can set, in the order of the definition.
#[derive(Clone, Debug, Default)]
pub struct Values(Vec<Value>);

/// The value of one option, as text.
#[derive(Clone, Debug)]
pub struct Value {
    /// The option's name.
    pub key: String,
    /// Whether a reload applies it.
    pub live: bool,
    /// Whether it takes many values; none means all of them.
    pub list: bool,
    /// Whether it takes no value.
    pub switch: bool,
    /// Whether it is what it would be if nothing was said.
    pub is_default: bool,
    /// The value, or several of a list.
    pub items: Vec<String>,
}

/// A value that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option's name.
    pub key: String,
    /// Whether a reload applies it; otherwise it needs a restart.
    pub live: bool,
    /// What it was, in words.
    pub before: String,
    /// What it is, in words.
    pub now: String,
}

impl Values {
    pub(super) const fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
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

    /// Takes the values that a reload applies from another reading.
    pub fn take_live(&mut self, from: &Self) {
        for (mine, other) in self.0.iter_mut().zip(&from.0) {
            if mine.key == other.key && mine.live {
                mine.clone_from(other);
            }
        }
    }
}

impl Change {
    fn between(before: &Value, now: &Value) -> Self {
        let mut words = Self {
            key: now.key.clone(),
            live: now.live,
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
    /// In words; a long list is counted.
    #[must_use]
    pub fn in_short(&self) -> String {
        let words = self.words();
        if self.list && words.len() > SHOWN {
            return self.count();
        }
        words
    }

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

fn missing(items: &[String], from: &[String]) -> usize {
    let from: HashSet<&String> = from.iter().collect();
    items.iter().filter(|item| !from.contains(item)).count()
}
