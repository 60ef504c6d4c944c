//! Warnings of a running gateway.

use ptpproxy::control::WarningKind;

use crate::topic::{Row, Table, Topic, sentence};

pub(crate) fn topic() -> Topic {
    let row = |warning: WarningKind| Row {
        term: warning.code().to_owned(),
        cells: vec![sentence(warning.describe()), sentence(warning.remedy())],
    };
    let own = WarningKind::ALL.iter().copied().map(row);
    let reasons = WarningKind::all().filter(|warning| matches!(warning, WarningKind::Dropped(_)));
    let reasons = reasons.map(row);
    const COLUMNS: &[&str] = &["code", "meaning", "what to do"];
    Topic {
        name: "ptpproxy-warnings",
        section: "7",
        title: "Warnings",
        about: "what a running ptpproxy warns of, and what to do",
        text: "`ptpproxy status` shows a `warning` line for each thing that is wrong now; `ptpproxy status --json` has the \
               code and the text in `warnings`. The log has a line when it begins and one when it is over. No warning \
               means that all is well."
            .to_owned(),
        tables: vec![
            Table {
                heading: "Codes".to_owned(),
                text: String::new(),
                columns: COLUMNS,
                rows: own.collect(),
            },
            Table {
                heading: "Drop reasons that are warnings".to_owned(),
                text: "These drop reasons mean that something is wrong with the gateway or that a limit was reached. Each \
                       is a code while frames are dropped for it."
                    .to_owned(),
                columns: COLUMNS,
                rows: reasons.collect(),
            },
        ],
        see_also: &[
            ("ptpproxy-status", "8"),
            ("ptpproxy-reasons", "7"),
            ("ptpproxy-status", "7"),
        ],
    }
}
