//! One line of what was found: ok, warning or error, with its remedy.

use serde::Serialize;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Works, but not as well as it could, or not for everybody.
    Warning,
    /// Nobody can be served, or times are wrong, until it is mended.
    Error,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// Which check says it: one word for programs.
    pub(super) check: &'static str,
    pub(super) text: String,
    /// What to do, where something is to be done.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, text)
    }

    pub(super) fn warning(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Warning, check, text)
    }

    pub(super) fn error(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(Level::Error, check, text)
    }

    /// With what to do about it.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn new(level: Level, check: &'static str, text: impl Into<String>) -> Self {
        Self {
            level,
            check,
            text: text.into(),
            remedy: None,
        }
    }
}

/// All findings, in the order of the checks.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Those that are not there yet: what is said of the interface upstream is found with each one downstream.
    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.count(Level::Error) > 0
    }

    /// A line for each finding, and their sum.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "WARNING",
                Level::Error => "ERROR",
            };
            text += &format!("{level:<8} {:<11} {}", finding.check, finding.text);
            if let Some(remedy) = &finding.remedy {
                text += &format!("; {remedy}");
            }
            text.push('\n');
        }
        text + &format!(
            "{} errors, {} warnings, {} ok\n",
            self.count(Level::Error),
            self.count(Level::Warning),
            self.count(Level::Ok)
        )
    }

    /// One JSON object: `findings`, each with `level`, `check`, `text` and `remedy` (or null).
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    fn count(&self, level: Level) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each_and_an_object_for_programs() {
        let mut report = Report::default();
        report.extend([
            Finding::ok("kernel", "Linux 6.12"),
            Finding::error("link", "eth0 is down").remedy("ip link set dev eth0 up"),
        ]);
        assert_eq!(
            report.text(),
            "ok       kernel      Linux 6.12\n\
             ERROR    link        eth0 is down; ip link set dev eth0 up\n\
             1 errors, 0 warnings, 1 ok\n"
        );
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(json["findings"][1]["level"], "error");
        assert_eq!(json["findings"][1]["remedy"], "ip link set dev eth0 up");
        assert!(json["findings"][0]["remedy"].is_null() && report.has_errors());
    }
}
