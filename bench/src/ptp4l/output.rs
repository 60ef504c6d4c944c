//! What ptp4l prints.

use serde::{Deserialize, Serialize};

/// One measurement of a client: `master offset -338 s0 freq +417 path delay 1373`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Client's time less grandmaster's, in ns.
    pub offset_ns: i64,
    /// One way, after the client's filter, in ns.
    pub path_delay_ns: i64,
    /// The servo is locked (s2), not only jumping or waiting (s0, s1, s3).
    pub locked: bool,
}

impl Sample {
    /// Reads a line; `None` when it is no measurement.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("master offset ")?;
        let (offset, rest) = rest.trim_start().split_once(' ')?;
        let servo = rest.trim_start().split(' ').next();
        let (_, delay) = rest.split_once("path delay ")?;
        Some(Self {
            offset_ns: offset.parse().ok()?,
            path_delay_ns: delay.trim().parse().ok()?,
            locked: servo == Some("s2"),
        })
    }
}

/// A port's change of state: `port 1: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange<'a> {
    /// The state left.
    pub from: &'a str,
    /// The state entered.
    pub to: &'a str,
}

impl<'a> StateChange<'a> {
    /// Reads a line; `None` when it is no change of port 1's state.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        // Since version 4: `port 1 (eth0): `.
        let (_, rest) = line.split_once("]: port 1")?;
        let (_, rest) = rest.split_once(": ")?;
        let mut words = rest.split(' ');
        let (from, to, to_state) = (words.next()?, words.next()?, words.next()?);
        (to == "to" && words.next()? == "on").then_some(Self { from, to: to_state })
    }
}

/// The clockIdentity of the grandmaster that a line says was selected: the clock's own (`selected
/// local clock`) or another's (`selected best master clock`).
#[must_use]
pub fn selected_master(line: &str) -> Option<&str> {
    ["selected best master clock ", "selected local clock "]
        .iter()
        .find_map(|phrase| line.split_once(phrase))
        .and_then(|(_, rest)| rest.split(' ').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_other_lines_are_not() {
        let line = "ptp4l[1524.078]: master offset      -4224 s0 freq      +0 path delay      6143";
        let sample = Sample {
            offset_ns: -4224,
            path_delay_ns: 6143,
            locked: false,
        };
        assert_eq!(Sample::parse(line), Some(sample));
        assert!(Sample::parse(&line.replace("s0", "s2")).is_some_and(|sample| sample.locked));
        assert_eq!(
            Sample::parse("ptp4l[1.2]: rms 4 max 9 freq -1 +/- 3 delay 7 +/- 0"),
            None
        );
        assert_eq!(Sample::parse("master offset "), None);
    }

    #[test]
    fn states_are_those_of_the_first_port() {
        for port in ["port 1", "port 1 (eth0)"] {
            let line =
                format!("ptp4l[9.1]: {port}: UNCALIBRATED to SLAVE on MASTER_CLOCK_SELECTED");
            let change = StateChange {
                from: "UNCALIBRATED",
                to: "SLAVE",
            };
            assert_eq!(StateChange::parse(&line), Some(change));
        }
        assert_eq!(
            StateChange::parse("ptp4l[9.1]: port 0: INITIALIZING to LISTENING on INIT_COMPLETE"),
            None
        );
        assert_eq!(
            StateChange::parse("ptp4l[9.1]: port 1: new foreign master 0acd7b-1"),
            None
        );
    }

    #[test]
    fn the_selected_master_is_named() {
        let best = "ptp4l[1.2]: selected best master clock 0acd7b.fffe.2f621d";
        let own = "ptp4l[1.2]: selected local clock 0acd7b.fffe.2f621d as best master";
        assert_eq!(selected_master(best), Some("0acd7b.fffe.2f621d"));
        assert_eq!(selected_master(own), selected_master(best));
        assert_eq!(
            selected_master("ptp4l[1.2]: foreign master not using PTP timescale"),
            None
        );
    }
}
