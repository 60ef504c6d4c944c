//! What ptpproxy prints at its end, as far as it says where a message was lost.

use std::collections::BTreeMap;

/// The totals of all gateways of a run together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Delay_Req: received from downstream, forwarded upstream.
    pub requests: Passed,
    /// Delay_Resp: received from upstream, forwarded downstream.
    pub answers: Passed,
    /// Frames that the receive ring toward the clients had no room for.
    pub ring_drops_down: u64,
    /// Frames that the receive ring toward the grandmaster had no room for.
    pub ring_drops_up: u64,
}

/// What became of one message type from one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Frames that came out of the receive ring.
    pub received: u64,
    /// Of these, sent on.
    pub forwarded: u64,
    /// The others, by drop reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Totals {
    /// Adds the totals of one gateway, read from its output; false if it printed none.
    ///
    /// Lines are `frames SIDE MESSAGE RECEIVED FORWARDED ...`, `drops SIDE MESSAGE REASON COUNT ...` and
    /// `counts NAME COUNT ...`; what would be zero is left out.
    pub fn add(&mut self, output: &[String]) -> bool {
        let mut found = false;
        for line in output {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
            match words[..] {
                ["frames", "from", ..] => found = true,
                ["frames", side, message, ..] => {
                    if let Some(passed) = self.passed(side, message) {
                        passed.received += number(3).unwrap_or(0);
                        passed.forwarded += number(4).unwrap_or(0);
                    }
                }
                ["drops", side, message, reason, ..] => {
                    if let (Some(passed), Some(count)) = (self.passed(side, message), number(4)) {
                        *passed.dropped.entry(reason.to_owned()).or_default() += count;
                    }
                }
                ["counts", name, ..] => {
                    found = true;
                    let count = number(2).unwrap_or(0);
                    match name {
                        // With several ports downstream each has its own.
                        _ if name.starts_with("ring_drops_down") => self.ring_drops_down += count,
                        "ring_drops_up" => self.ring_drops_up += count,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// Frames that the receive rings had no room for.
    #[must_use]
    pub const fn ring_drops(&self) -> u64 {
        self.ring_drops_up + self.ring_drops_down
    }

    fn passed(&mut self, side: &str, message: &str) -> Option<&mut Passed> {
        match (side, message) {
            ("down", "delay_req") => Some(&mut self.requests),
            ("up", "delay_resp") => Some(&mut self.answers),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_and_added_up() {
        let output = [
            "[INFO] forwarding: up up0 <-> down down0",
            "frames  from  message         received  forwarded    dropped",
            "frames  up    delay_resp            80         78          2",
            "frames  down  delay_req             90         80         10",
            "frames  down  announce               3          0          3",
            "drops   from  message      reason             count",
            "drops   down  delay_req    hold-full              7  No memory ...",
            "drops   down  delay_req    stale                  3  Too old ...",
            "drops   up    delay_resp   unsolicited            2  Nobody asked ...",
            "counts  ring_drops_down   4  Frames",
            "counts  held           4000  Delay_Req held for a random time",
        ]
        .map(str::to_owned);
        let mut totals = Totals::default();
        assert!(totals.add(&output));
        assert_eq!(totals.requests.dropped["hold-full"], 7);
        assert!(totals.add(&output));
        assert_eq!(
            (totals.requests.received, totals.requests.forwarded),
            (180, 160)
        );
        assert_eq!(
            (totals.answers.received, totals.answers.forwarded),
            (160, 156)
        );
        assert_eq!(totals.requests.dropped["stale"], 6);
        assert_eq!(totals.answers.dropped["unsolicited"], 4);
        assert_eq!((totals.ring_drops(), totals.ring_drops_down), (8, 8));
        assert!(!Totals::default().add(&["error: no totals".to_owned()]));
    }
}
