//! Codes of warnings, each with its meaning and its remedy, for the manual. Drop reasons are codes as well.

/// What a code means.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The word in `warnings` of the JSON.
    pub code: &'static str,
    /// What is wrong.
    pub meaning: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Each code that is no drop reason, the gravest first.
pub const WARNINGS: &[Code] = &[
    Code {
        code: "link",
        meaning: "an interface is gone, down or without link",
        remedy: "check the cable and its other end, or switch the interface on: ip link set IF up",
    },
    Code {
        code: "no-sync",
        meaning: "no Sync came for three of its intervals and at least 2 s",
        remedy: "check the grandmaster, the path to it, VLANs and --domain",
    },
    Code {
        code: "two-grandmasters",
        meaning: "two masters send Sync in one domain at once",
        remedy: "find out why neither gives way, or set --grandmaster",
    },
    Code {
        code: "second-path",
        meaning: "another gateway joins the same segments",
        remedy: "open the loop",
    },
    Code {
        code: "answers-missing",
        meaning: "fewer than 90 % of the requests are answered",
        remedy: "lower the clients' rate or set --max-rate: the grandmaster is overloaded or out of reach",
    },
    Code {
        code: "answers-slow",
        meaning: "half of the answers take more than 50 ms",
        remedy: "lower the clients' rate or set --max-rate: the grandmaster is overloaded",
    },
    Code {
        code: "clients-unanswered",
        meaning: "fewer than half of the requests of these clients are answered",
        remedy: "see `ptpproxy clients --sort answered`, and the drops of `ptpproxy status`",
    },
    Code {
        code: "interval-short",
        meaning: "these clients ask too often to be served well; the text names the rule",
        remedy: "lower their rate, or --jitter-share",
    },
    Code {
        code: "ring-drops",
        meaning: "frames were lost because the receive ring was full",
        remedy: "raise --ring-frames, or lower --sweep",
    },
    Code {
        code: "unsent",
        meaning: "the kernel did not accept frames for sending",
        remedy: "check the link and its queue",
    },
    Code {
        code: "stamps-lost",
        meaning: "transmit timestamps are missing",
        remedy: "check the NIC driver",
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::WARNINGS;

    /// Literals of the file that makes warnings: those that are words with hyphens.
    fn words() -> BTreeSet<&'static str> {
        let text = include_str!("../warnings.rs");
        let word = |text: &&str| {
            text.len() > 2 && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        };
        text.lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| line.split('"').skip(1).step_by(2))
            .filter(word)
            .collect()
    }

    #[test]
    fn each_code_that_is_used_is_listed_and_no_other() {
        let listed: BTreeSet<&str> = WARNINGS.iter().map(|code| code.code).collect();
        assert_eq!(listed, words());
        assert_eq!(listed.len(), WARNINGS.len());
    }
}
