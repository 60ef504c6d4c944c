//! Metrics.

use crate::topic::{Row, Table, Topic};

pub(crate) fn topic() -> Topic {
    let rows = ptpproxy::metrics::list().into_iter().map(|metric| Row {
        cells: vec![
            metric.help,
            metric.kind.to_owned(),
            metric.labels.join(", "),
        ],
        term: metric.name,
    });
    Topic {
        name: "ptpproxy-metrics",
        section: "7",
        title: "Metrics",
        about: "metrics of ptpproxy for Prometheus",
        text: "`--metrics 127.0.0.1:9820` serves them at `/metrics`. A counter counts since the start. The labels `side` \
               and `message` are the side that a frame came from (`up` or `down`) and its PTP message type. There is no \
               metric for each client: `ptpproxy clients` lists those."
            .to_owned(),
        tables: vec![Table {
            heading: "Metrics".to_owned(),
            text: String::new(),
            columns: &["metric", "meaning", "type", "labels"],
            rows: rows.collect(),
        }],
        see_also: &[
            ("ptpproxy", "8"),
            ("ptpproxy-reasons", "7"),
            ("prometheus", "1"),
        ],
    }
}
