//! Alert rules and dashboard: promtool takes them, and what they name exists.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tools::{find, output, read, top};

const RULES: &str = "deploy/prometheus/ptpproxy.rules.yml";
const DASHBOARD: &str = "deploy/grafana/ptpproxy.json";
const README: &str = "deploy/README.md";

/// Every metric that a text names.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("ptpproxy_") && word.len() > "ptpproxy_".len())
        .map(str::to_owned)
        .collect()
}

/// The metrics that rules, dashboard and documents name, by file.
pub(crate) fn used() -> [(&'static str, BTreeSet<String>); 4] {
    let dashboard = dashboard().join("\n");
    [
        (RULES, names(&read(RULES))),
        (DASHBOARD, names(&dashboard)),
        ("README.md", names(&read("README.md"))),
        (README, names(&read(README))),
    ]
}

/// Every query of the dashboard.
pub(crate) fn dashboard() -> Vec<String> {
    fn collect(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(members) => {
                for (key, member) in members {
                    match member.as_str() {
                        Some(text) if key == "expr" => all.push(text.to_owned()),
                        _ => collect(member, all),
                    }
                }
            }
            serde_json::Value::Array(members) => {
                members.iter().for_each(|member| collect(member, all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    collect(&serde_json::from_str(&read(DASHBOARD)).unwrap(), &mut all);
    all
}

#[test]
fn the_rules_pass_their_tests() {
    let Some(promtool) = find("promtool", "Debian: prometheus") else {
        return;
    };
    let checked = output(
        Command::new(&promtool)
            .args(["check", "rules"])
            .arg(top().join(RULES)),
    );
    assert!(checked.contains("SUCCESS"), "{checked}");
    output(
        Command::new(&promtool)
            .args(["test", "rules"])
            .arg(top().join("deploy/prometheus/ptpproxy.rules.test.yml")),
    );
    output(
        Command::new(&promtool)
            .args(["check", "config", "--syntax-only"])
            .arg(top().join("deploy/prometheus/scrape.yml")),
    );
}

#[test]
fn rules_and_dashboard_use_many_metrics() {
    for (file, used) in used().into_iter().take(2) {
        assert!(used.len() > 12, "{file}: {used:?}");
    }
}

#[test]
fn the_dashboards_panels_do_not_overlap() {
    let dashboard: serde_json::Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
}
