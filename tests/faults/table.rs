//! The table in `tests/README.md`: each fault's row, written or checked.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::traffic::Cost;

const BEGIN: &str = "<!-- faults: written by `tests/faults` -->";
const END: &str = "<!-- end of faults -->";
const HEAD: &str = "\
| fault | log line | counter | in sync again after | requests lost: during, after |
|---|---|---|---|---|
";

/// Every fault, in the order of the table.
const FAULTS: [&str; 20] = [
    "link toward the grandmaster down for 0.3 s",
    "link toward the clients down for 0.3 s",
    "cable pulled at the grandmaster for 1.5 s",
    "interface toward the grandmaster deleted and made anew",
    "interface toward the clients deleted and made anew",
    "interface renamed",
    "MTU changed",
    "started before its interface exists (`--wait`)",
    "grandmaster restarts (ptp4l)",
    "client restarts (ptp4l)",
    "grandmaster changes",
    "queueing discipline holds frames back: transmit ring full",
    "queueing discipline drops frames, and their timestamps with them",
    "receive ring overrun",
    "process stopped for 2 s (SIGSTOP)",
    "process killed (SIGKILL) at 1000 requests/s and restarted",
    "another process takes over at 1000 requests/s, five times (`--take-over`)",
    "no memory for held frames",
    "clock set by a second (simulated)",
    "a third of the timestamps lost (simulated)",
];

/// One fault, and what its test saw.
pub(crate) struct Row {
    /// As in [`FAULTS`].
    pub(crate) fault: &'static str,
    /// What the log says, without time and level.
    pub(crate) log: &'static str,
    /// The reason or counter that grows; its label in the metrics.
    pub(crate) counter: &'static str,
    pub(crate) recovery: Option<Duration>,
    pub(crate) lost: String,
}

impl Row {
    pub(crate) fn of(
        fault: &'static str,
        log: &'static str,
        counter: &'static str,
        cost: Cost,
    ) -> Self {
        Self {
            fault,
            log,
            counter,
            recovery: Some(cost.recovery),
            lost: format!("{}, {}", cost.lost_during, cost.lost_after),
        }
    }

    /// Writes the row, or checks that the table has it: its times and counts may differ.
    pub(crate) fn settle(&self) {
        assert!(
            FAULTS.contains(&self.fault),
            "{} is in no table",
            self.fault
        );
        let row = self.text();
        println!("{row}");
        if std::env::var_os("PTPPROXY_FAULT_TABLE").is_some_and(|how| how == "write") {
            return write(self.fault, &row);
        }
        let text = fs::read_to_string(path()).unwrap();
        let fixed = format!("| {} | {} | {} |", self.fault, self.log(), self.counter());
        assert!(
            text.contains(&fixed),
            "tests/README.md has no row {fixed:?}; PTPPROXY_FAULT_TABLE=write writes it"
        );
    }

    fn text(&self) -> String {
        let recovery = match self.recovery {
            Some(time) if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
            None => "at once".into(),
        };
        let (fault, log, counter, lost) = (self.fault, self.log(), self.counter(), &self.lost);
        format!("| {fault} | {log} | {counter} | {recovery} | {lost} |")
    }

    fn log(&self) -> String {
        if self.log.is_empty() {
            "none".into()
        } else {
            format!("`{}`", self.log)
        }
    }

    fn counter(&self) -> String {
        if self.counter.is_empty() {
            "none".into()
        } else {
            format!("`{}`", self.counter)
        }
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/README.md")
}

/// Puts a row in the place of the one before. Tests that write run one at a time.
fn write(fault: &str, row: &str) {
    let text = fs::read_to_string(path()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark before the table");
    let (table, after) = rest.split_once(END).expect("the mark after the table");
    let mut made = format!("{before}{BEGIN}\n{HEAD}");
    for name in FAULTS {
        let start = format!("| {name} |");
        let old = table.lines().find(|line| line.starts_with(&start));
        if let Some(line) = if name == fault { Some(row) } else { old } {
            let _ = writeln!(made, "{line}");
        }
    }
    fs::write(path(), format!("{made}{END}{after}")).unwrap();
}

#[test]
fn the_table_has_each_fault_once_and_no_other() {
    if std::env::var_os("PTPPROXY_FAULT_TABLE").is_some() {
        return;
    }
    let text = fs::read_to_string(path()).unwrap();
    let (_, rest) = text.split_once(BEGIN).expect("the mark before the table");
    let (table, _) = rest.split_once(END).expect("the mark after the table");
    let names: Vec<_> = table
        .lines()
        .skip(3)
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    assert_eq!(names, FAULTS);
}
