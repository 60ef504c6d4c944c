//! A line of the log as one JSON object.
//!
//! ```json
//! {"time":"2026-11-29T16:05:04.123456Z","level":"warn","target":"ptpproxy::control::watch","message":"..","event":"ring-drops"}
//! ```
//!
//! `time` is UTC (RFC 3339). What follows `message` are the fields of that line: `event` is a word that does not change.

use log::Record;
use log::kv::{Error, Key, Value, VisitSource};
use serde::ser::{SerializeMap, Serializer as _};

/// The line, without its end.
pub(super) fn line(time: &str, record: &Record<'_>) -> String {
    let mut bytes = Vec::new();
    // Neither memory nor strings can fail to be written.
    let _ = write(&mut bytes, time, record);
    String::from_utf8(bytes).unwrap_or_default()
}

fn write(out: &mut Vec<u8>, time: &str, record: &Record<'_>) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(out);
    let mut line = serializer.serialize_map(None)?;
    line.serialize_entry("time", time)?;
    let level = record.level().as_str().to_ascii_lowercase();
    line.serialize_entry("level", &level)?;
    line.serialize_entry("target", record.target())?;
    line.serialize_entry("message", &record.args().to_string())?;
    let _ = record.key_values().visit(&mut Fields(&mut line));
    line.end()
}

/// Adds each field to the object.
struct Fields<'a, M>(&'a mut M);

impl<'kvs, M: SerializeMap> VisitSource<'kvs> for Fields<'_, M> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let key = key.as_str();
        let added = if let Some(number) = value.to_u64() {
            self.0.serialize_entry(key, &number)
        } else if let Some(number) = value.to_i64() {
            self.0.serialize_entry(key, &number)
        } else if let Some(truth) = value.to_bool() {
            self.0.serialize_entry(key, &truth)
        } else if let Some(text) = value.to_borrowed_str() {
            // What has no words is left out.
            if text.is_empty() {
                return Ok(());
            }
            self.0.serialize_entry(key, text)
        } else {
            self.0.serialize_entry(key, &value.to_string())
        };
        added.map_err(|_| Error::msg("not written"))
    }
}

#[cfg(test)]
mod tests {
    use log::Level;
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn an_object_with_its_fields_whatever_the_message() {
        let fields = [
            ("event", Value::from("link")),
            ("times", Value::from(3_u64)),
            ("cause", Value::from("")),
        ];
        let message = "a \"name\"\nand a line";
        let line = line(
            "2026-11-29T16:05:04.123456Z",
            &Record::builder()
                .level(Level::Warn)
                .target("ptpproxy::run")
                .args(format_args!("{message}"))
                .key_values(&fields)
                .build(),
        );
        assert!(!line.contains('\n'), "{line}");
        assert!(
            line.starts_with(r#"{"time":"2026-11-29T16:05:04.123456Z","level":"warn","target""#)
        );
        let read: Json = serde_json::from_str(&line).unwrap();
        let expected = json!({
            "time": "2026-11-29T16:05:04.123456Z", "level": "warn", "target": "ptpproxy::run",
            "message": message, "event": "link", "times": 3,
        });
        assert_eq!(read, expected);
    }
}
