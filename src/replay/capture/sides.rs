//! Which interface of a capture is which side.

use crate::{PerSide, Side};

/// Nobody captures on more interfaces; a broken file may say so.
pub(super) const MOST_INTERFACES: usize = 4096;

/// What was asked for.
#[derive(Clone, Debug)]
pub(in crate::replay) enum Choice {
    /// All frames came from one side: the capture is of one interface.
    One(Side),
    /// These interfaces, by name; by number where the capture has no names.
    Two(PerSide<String>),
}

/// The interfaces that a capture was found to have.
#[derive(Debug)]
pub(super) struct Sides {
    choice: Choice,
    found: Vec<(String, Option<Side>)>,
    cooked: bool,
}

impl Sides {
    pub(super) const fn new(choice: Choice) -> Self {
        Self {
            choice,
            found: Vec::new(),
            cooked: false,
        }
    }

    /// The side of the one interface of a file that has no names.
    ///
    /// # Errors
    /// Two were asked for.
    pub(super) fn one_unnamed(&self) -> Result<Side, String> {
        match &self.choice {
            Choice::One(side) => Ok(*side),
            Choice::Two(_) => Err(
                "is of one interface, and does not name it: give a file for each side \
                 (replay --up FILE --down FILE), or say which side it was (--from)"
                    .into(),
            ),
        }
    }

    /// Frames are of many interfaces, whose numbers are in front of each: no side of their own.
    ///
    /// # Errors
    /// Nobody said which is which.
    pub(super) fn must_be_two(&mut self) -> Result<Option<Side>, String> {
        self.cooked = true;
        match &self.choice {
            Choice::Two(_) => Ok(None),
            Choice::One(_) => Err(
                "was captured on `any`, of every interface: name two of them by their numbers (as `ip link` \
                 shows them), with --up 3 --down 4 instead of --from"
                    .into(),
            ),
        }
    }

    /// Whether there were frames of `any`.
    pub(super) const fn cooked(&self) -> bool {
        self.cooked
    }

    /// The side of an interface that the file describes; `None` if it was not asked for.
    ///
    /// # Errors
    /// It is a second one, and nobody said which is which.
    pub(super) fn of(&mut self, name: &str) -> Result<Option<Side>, String> {
        if let Some((_, side)) = self.found.iter().find(|(found, _)| found == name) {
            return Ok(*side);
        }
        if self.found.len() >= MOST_INTERFACES {
            return Err(format!("more than {MOST_INTERFACES} interfaces"));
        }
        let side = match &self.choice {
            Choice::One(side) => match self.found.first() {
                None => Some(*side),
                Some((first, _)) => {
                    return Err(format!(
                        "it has frames of more than one interface ({first}, {name}): say which is which, \
                         with --up {first} --down {name} or the other way round, instead of --from"
                    ));
                }
            },
            Choice::Two(names) => names
                .iter()
                .find(|(_, asked)| *asked == name)
                .map(|(side, _)| side),
        };
        self.found.push((name.to_owned(), side));
        Ok(side)
    }

    /// What was asked for and is not there.
    pub(super) fn missing(&self) -> Option<String> {
        let Choice::Two(names) = &self.choice else {
            return None;
        };
        let missing: Vec<String> = names
            .iter()
            .filter(|(side, _)| !self.found.iter().any(|(_, found)| *found == Some(*side)))
            .map(|(side, name)| format!("--{} {name}", side.label()))
            .collect();
        if missing.is_empty() {
            return None;
        }
        let mut there: Vec<&str> = self.found.iter().map(|(name, _)| name.as_str()).collect();
        if there.is_empty() {
            there.push("none");
        }
        Some(format!(
            "no frame came from {}; interfaces in the capture: {}",
            missing.join(" and "),
            there.join(", ")
        ))
    }
}
