//! Drop reasons.

use ptpproxy::reason::Reason;

use crate::topic::{Row, Table, Topic, sentence};

pub(crate) fn topic() -> Topic {
    let rows = Reason::ALL.iter().map(|reason| Row {
        term: reason.label().to_owned(),
        cells: vec![meaning(*reason), sentence(reason.remedy())],
    });
    Topic {
        name: "ptpproxy-reasons",
        section: "7",
        title: "Drop reasons",
        about: "why ptpproxy dropped a frame, and what to do",
        text: "Each dropped frame is counted under one of these words. They are the same in the log, in `ptpproxy status`, \
               in the totals at the end, in the metrics and in `ptpproxy replay`.\n\nThe kernel drops most of what is not \
               for these clients before the program sees it. From upstream, `foreign`, `not-our-client`, `peer-delay`, \
               `gptp`, `version` and `unknown-type`, and on both sides `domain`, are counted from a sample of one in 1024."
            .to_owned(),
        tables: vec![Table {
            heading: "Reasons".to_owned(),
            text: String::new(),
            columns: &["reason", "what happened", "what to do"],
            rows: rows.collect(),
        }],
        see_also: &[
            ("ptpproxy", "8"),
            ("ptpproxy-replay", "8"),
            ("ptpproxy-warnings", "7"),
        ],
    }
}

/// What happened, and what else there is to know.
fn meaning(reason: Reason) -> String {
    let text = format!("{} {}", sentence(reason.describe()), reason.details());
    text.trim_end().to_owned()
}
