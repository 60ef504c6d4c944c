//! One key with its value: a known option, and a value that its parser takes.

use clap::{Arg, ArgAction};
use toml::Spanned;
use toml::de::DeValue;

use super::clap_error::value_error;
use super::problem::Problems;
use crate::options::Flags;

/// Wrong values of one list that are reported, at most.
const TOLD: usize = 20;
/// Names that are less alike are not suggested.
const ALIKE: f64 = 0.75;

/// A key that is set.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The name of its option within the definition of the command line.
    pub(super) id: String,
    pub(super) line: usize,
    /// What sets it on a command line.
    pub(super) arguments: Vec<String>,
}

/// Reads entries against the definition of the flags.
pub(super) struct KeyReader {
    flags: Flags,
}

impl KeyReader {
    pub(super) fn new(flags: &Flags) -> Self {
        Self {
            flags: flags.clone(),
        }
    }

    /// Reads one entry, or adds what is wrong with it.
    pub(super) fn entry(
        &mut self,
        key: &str,
        line: usize,
        value: &Spanned<DeValue<'_>>,
        line_at: impl Fn(usize) -> usize,
        problems: &mut Problems,
    ) -> Option<Entry> {
        let mut wrong = |line: usize, text: String| problems.push(Some(line), Some(key), text);
        if let DeValue::Table(_) = value.get_ref() {
            wrong(
                line,
                "there are no sections: write the keys without one, as in jitter = \"20ms\"".into(),
            );
            return None;
        }
        let argument = match self.option(key) {
            Ok(argument) => argument.clone(),
            Err(text) => {
                wrong(line, text);
                return None;
            }
        };
        let values: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(items) if matches!(argument.get_action(), ArgAction::Append) => {
                items.iter().collect()
            }
            _ => vec![value],
        };
        let mut arguments = Vec::new();
        let mut lines = Vec::new();
        let mut good = true;
        for value in values {
            let line = line_at(value.span().start);
            match written(&argument, value.get_ref()) {
                Ok(text) => {
                    lines.extend(text.is_some().then_some(line));
                    arguments.extend(text.map(|text| format!("--{key}{text}")));
                }
                Err(text) => {
                    wrong(line, text);
                    good = false;
                }
            }
        }
        if self.refused(&arguments).is_some() {
            // Which of them?
            good = false;
            let each = arguments.iter().zip(lines);
            let bad = each.filter_map(|(argument, line)| {
                let text = self.refused(std::slice::from_ref(argument))?;
                Some((line, text))
            });
            for (line, text) in bad.take(TOLD) {
                wrong(line, text);
            }
        }
        good.then(|| Entry {
            key: key.to_owned(),
            id: argument.get_id().to_string(),
            line,
            arguments,
        })
    }

    /// The option of a key.
    fn option(&self, key: &str) -> Result<&Arg, String> {
        if let Some((argument, _)) = self.flags.named(key) {
            return Ok(argument);
        }
        Err(match key {
            "config" | "take-over" | "help" | "version" => "is for the command line only".into(),
            "verbose" | "quiet" => {
                "is for the command line; in a file write log = \"debug\", or warn, error, off"
                    .into()
            }
            _ => match self.nearest(key) {
                Some(near) => format!("no such key; did you mean {near}?"),
                None => "no such key; the keys are the long options of ptpproxy --help".into(),
            },
        })
    }

    /// The key that was meant, perhaps.
    fn nearest(&self, key: &str) -> Option<&str> {
        let written = key.to_ascii_lowercase().replace('_', "-");
        let alike = |name: &str| strsim::jaro(name, &written);
        let names = self.flags.iter().map(|(name, ..)| name);
        names
            .filter(|name| alike(name) > ALIKE)
            .max_by(|a, b| alike(a).total_cmp(&alike(b)))
    }

    /// Why the command line would not take these arguments.
    fn refused(&mut self, arguments: &[String]) -> Option<String> {
        let all = ["ptpproxy", "--config=-"].into_iter();
        let all = all.chain(arguments.iter().map(String::as_str));
        let error = self
            .flags
            .command_mut()
            .try_get_matches_from_mut(all)
            .err()?;
        Some(value_error(&error).replace("--", ""))
    }
}

/// How a value is written after its option: `=value`, nothing after a switch that is on, `None` for one
/// that is off.
fn written(argument: &Arg, value: &DeValue<'_>) -> Result<Option<String>, String> {
    let switch = matches!(argument.get_action(), ArgAction::SetTrue);
    let on_off = || {
        let values = argument.get_possible_values();
        values.iter().any(|value| value.get_name() == "on")
    };
    match value {
        DeValue::Boolean(on) if switch => Ok(on.then(String::new)),
        _ if switch => Err("expected true or false, without quotes".into()),
        DeValue::Boolean(on) if on_off() => Ok(Some(if *on { "=on" } else { "=off" }.to_owned())),
        DeValue::String(text) => Ok(Some(format!("={text}"))),
        DeValue::Integer(number) if number.radix() == 10 => {
            Ok(Some(format!("={}", number.as_str())))
        }
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map(|number| Some(format!("={number}")))
            .map_err(|_| "the number is too large".into()),
        DeValue::Float(number) => Ok(Some(format!("={}", number.as_str()))),
        DeValue::Boolean(_) => Err(expected(argument, "true or false")),
        DeValue::Datetime(_) => Err(expected(argument, "a date or time")),
        DeValue::Array(_) => Err(expected(argument, "a list")),
        DeValue::Table(_) => Err(expected(argument, "a table")),
    }
}

fn expected(argument: &Arg, found: &str) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map_or("a value", |name| name.as_str());
    match argument.get_default_values().first() {
        Some(default) => format!(
            "expected {name}, as in {}, not {found}",
            super::sample::literal(&default.to_string_lossy())
        ),
        None => format!("expected {name}, not {found}"),
    }
}
