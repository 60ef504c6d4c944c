//! A list that a warning names: its first few, and how many more there are.

/// How many are named.
const NAMED: usize = 3;

/// The first few, and how many there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    first: Vec<String>,
    count: usize,
}

impl Named {
    pub(super) fn add(&mut self, who: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(who);
        }
    }

    pub(super) fn text(&self, separator: &str) -> Option<String> {
        let more = self.count.checked_sub(self.first.len())?;
        let names = self.first.join(separator);
        match (self.count, more) {
            (0, _) => None,
            (_, 0) => Some(names),
            (_, more) => Some(format!("{names}{separator}and {more} more")),
        }
    }
}
