//! What came, and what was lost on the way.

use std::collections::BTreeMap;

use crate::control::seen::Seen;

/// Counts of one watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Steps.
    pub(super) steps: u64,
    lost: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts what a line says.
    pub(super) fn count(&mut self, seen: &Seen) {
        match (seen.count, &seen.why) {
            (Some(count), Some(why)) => *self.lost.entry(why.clone()).or_default() += count,
            _ => self.steps += 1,
        }
    }

    /// What was lost, in words.
    pub(super) fn lost(&self) -> String {
        let all: u64 = self.lost.values().sum();
        if all == 0 {
            return "none lost".into();
        }
        let parts: Vec<String> = self
            .lost
            .iter()
            .map(|(why, count)| format!("{count} {}", where_lost(why)))
            .collect();
        format!("{all} lost: {}", parts.join(", "))
    }
}

/// Where lines were lost, and why.
pub(super) fn where_lost(why: &str) -> &str {
    match why {
        "queue" => "in the gateway's queue",
        "rate" => "beyond the rate",
        "reader" => "because they were not read in time",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_summed_by_cause() {
        let mut tally = Tally::default();
        tally.count(&Seen::default());
        assert_eq!((tally.steps, tally.lost().as_str()), (1, "none lost"));
        for (why, count) in [("rate", 3), ("queue", 4), ("rate", 5)] {
            tally.count(&Seen {
                event: "lost".into(),
                count: Some(count),
                why: Some(why.into()),
                ..Seen::default()
            });
        }
        assert_eq!(tally.steps, 1);
        assert_eq!(
            tally.lost(),
            "12 lost: 4 in the gateway's queue, 8 beyond the rate"
        );
    }
}
