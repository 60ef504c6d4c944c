//! What clap says of a value, in one line.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with a value, without the option and the value.
pub(super) fn value_error(error: &clap::Error) -> String {
    let value = word(error, ContextKind::InvalidValue).unwrap_or_default();
    match reason(error) {
        Some(reason) if value.is_empty() => reason,
        Some(reason) => format!("\"{value}\": {reason}"),
        None => without_usage(error),
    }
}

/// Why a value is no good, if that is what is wrong.
pub(crate) fn reason(error: &clap::Error) -> Option<String> {
    match error.kind() {
        ErrorKind::ValueValidation => Some(std::error::Error::source(error)?.to_string()),
        ErrorKind::InvalidValue => {
            let Some(ContextValue::Strings(choices)) = error.get(ContextKind::ValidValue) else {
                return Some("its value is missing".into());
            };
            if choices.is_empty() {
                return Some("its value is missing".into());
            }
            Some(format!("expected one of: {}", choices.join(", ")))
        }
        _ => None,
    }
}

/// A piece of what clap knows of an error.
pub(crate) fn word(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// clap's message without its usage and its pointer to --help, which a bad value does not call for.
pub(crate) fn without_usage(error: &clap::Error) -> String {
    in_one_line(&error.render().to_string())
}

fn in_one_line(rendered: &str) -> String {
    let said: Vec<String> = rendered
        .split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|part| !part.is_empty())
        .filter(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"))
        .collect();
    let line = said.join("; ");
    let line = line.strip_prefix("error: ").unwrap_or(&line);
    if line.contains("required") || line.contains("unexpected argument") {
        format!("{line} (see --help)")
    } else {
        line.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_take_one_line() {
        let rendered = "error: the following required arguments were not provided:\n  --up <IF>\n  \
                        --down <IF>\n\nUsage: ptpproxy --up <IF>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            in_one_line(rendered),
            "the following required arguments were not provided: --up <IF> --down <IF> (see --help)"
        );
    }
}
