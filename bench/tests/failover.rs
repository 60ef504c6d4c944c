//! `cargo lab --standby`: one of two gateways is killed, or told to stand by, and the other one serves.

use std::process::Command;

use ptpproxy_lab::net::skip;
use ptpproxy_lab::ptp4l::TempDir;
use serde_json::Value;

#[test]
fn the_other_one_serves() {
    for (how, name) in [("--standby", "kill"), ("--standby=move", "move")] {
        let folder = TempDir::new().unwrap();
        let [json, plot] = ["report.json", "plot.svg"].map(|name| folder.path().join(name));
        let output = Command::new(env!("CARGO_BIN_EXE_lab"))
            .args([how, "--clients", "40", "--seconds", "4", "--warmup", "1"])
            .arg("--json")
            .arg(&json)
            .arg("--plot")
            .arg(&plot)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if said.contains("user namespace") {
            skip(&said);
            return;
        }
        let text = std::fs::read_to_string(&json).unwrap_or_else(|_| panic!("{said}"));
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["fail_over"], name);
        assert_eq!(report["wrong_times"], 0, "{report}");
        for key in ["damaged", "foreign_delivered", "surplus_delivered"] {
            assert_eq!(report[key], 0, "{key}: {report}");
        }
        let number = |key: &str| {
            report[key]
                .as_f64()
                .unwrap_or_else(|| panic!("{key}: {report}"))
        };
        // Eight Syncs a second, and each client answers each of them.
        assert!(number("syncs_measured") > 20.0, "{report}");
        assert!(
            number("requests_lost") * 5.0 < number("requests_sent"),
            "{report}"
        );
        assert!(number("order_to_sync_ms") > 0.0, "{report}");
        assert!(
            number("sync_gap_ms") >= number("sync_interval_ms") * 0.5,
            "{report}"
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.lines()
                .last()
                .is_some_and(|line| line.starts_with("verdict: ")),
            "{text}"
        );
        let plot = std::fs::read_to_string(&plot).unwrap();
        assert!(plot.starts_with("<svg") && plot.contains("fail-over"));
    }
}
