//! The lines of a file of security associations (linuxptp's ptp4l(8), SECURITY ASSOCIATION OPTIONS).
//!
//! Stricter than linuxptp, which ignores what it does not understand, and the whole association with it:
//! here each such line is an error. No message shows a key, nor anything that could be one.

use super::associations::{Entry, KeyName, SecurityAssociations};
use super::key::{Algorithm, Key};
use super::key_text;
use super::problem::LineProblem;

/// linuxptp's line buffer: what is longer it reads as two lines.
const LONGEST_LINE: usize = 1023;
/// linuxptp's default.
const SEQID_WINDOW: u16 = 3;
const LARGEST_WINDOW: u16 = 0x7FFF;

/// Reads the lines of a file.
pub(super) fn parse(text: &[u8]) -> Result<SecurityAssociations, Vec<LineProblem>> {
    let mut reader = Reader::default();
    for (at, line) in text.split(|&byte| byte == b'\n').enumerate() {
        reader.line = at + 1;
        reader.read(line);
    }
    reader.end_section();
    if reader.entries.is_empty() && reader.problems.is_empty() {
        reader.line = 0;
        reader.problem("holds no security association; begin one with [security_association]");
    }
    if reader.problems.is_empty() {
        Ok(SecurityAssociations::new(reader.entries))
    } else {
        Err(reader.problems)
    }
}

/// The section that is being read.
struct Section {
    line: usize,
    spp: Option<u8>,
    seqid_window: Option<u16>,
    allow_mutable: Option<bool>,
    /// Words of settings that stood here already, good or bad.
    seen: Vec<&'static str>,
    /// Its keys are the reader's entries from here on.
    first: usize,
    /// Lines that begin with a number: keys, good or bad.
    keys: usize,
}

#[derive(Default)]
struct Reader {
    line: usize,
    section: Option<Section>,
    entries: Vec<Entry>,
    problems: Vec<LineProblem>,
}

const SETTINGS: [&str; 5] = [
    "spp",
    "seqid_window",
    "allow_mutable",
    "seqnum_length",
    "res_length",
];

impl Reader {
    fn problem(&mut self, text: impl Into<String>) {
        self.problem_at(self.line, text);
    }

    fn problem_at(&mut self, line: usize, text: impl Into<String>) {
        self.problems.push(LineProblem {
            line: (line > 0).then_some(line),
            text: text.into(),
        });
    }

    fn read(&mut self, line: &[u8]) {
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() || trimmed.starts_with(b"#") {
            return;
        }
        if line.len() > LONGEST_LINE {
            return self.problem(format!("is longer than {LONGEST_LINE} bytes"));
        }
        if trimmed.starts_with(b"[") {
            return self.begin_section(trimmed);
        }
        let words: Vec<&[u8]> = (trimmed.split(u8::is_ascii_whitespace))
            .filter(|word| !word.is_empty())
            .collect();
        if self.section.is_none() {
            return self.problem("stands before the first [security_association]");
        }
        let setting = (SETTINGS.iter()).find(|setting| setting.as_bytes() == words[0]);
        match setting {
            Some(setting) => self.setting(setting, &words[1..]),
            None if words[0].iter().all(u8::is_ascii_digit) => self.key(&words),
            None => self.problem(format!(
                "is neither a setting ({}) nor a key (id, algorithm, optional length, value)",
                SETTINGS.join(", ")
            )),
        }
    }

    fn begin_section(&mut self, name: &[u8]) {
        self.end_section();
        if !name.eq_ignore_ascii_case(b"[security_association]") {
            // What follows is looked at all the same: its mistakes are told at once.
            self.problem("is no section of this file; the only one is [security_association]");
        }
        self.section = Some(Section {
            line: self.line,
            spp: None,
            seqid_window: None,
            allow_mutable: None,
            seen: Vec::new(),
            first: self.entries.len(),
            keys: 0,
        });
    }

    /// What was said in a section holds for all keys of it, also for those above.
    fn end_section(&mut self) {
        let Some(section) = self.section.take() else {
            return;
        };
        for entry in &mut self.entries[section.first..] {
            entry.seqid_window = section.seqid_window.unwrap_or(SEQID_WINDOW);
            entry.allow_mutable = section.allow_mutable.unwrap_or(false);
        }
        if !section.seen.contains(&"spp") {
            self.problem_at(
                section.line,
                "has no spp; write spp and a number up to 255 below it",
            );
        } else if section.keys == 0 {
            self.problem_at(
                section.line,
                "has no key; write one as: 1 SHA256-128 HEX: and 64 digits",
            );
        }
    }

    fn setting(&mut self, setting: &'static str, values: &[&[u8]]) {
        let number = |most: u16| match values {
            [value] => std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok())
                .filter(|&number| number <= most),
            _ => None,
        };
        let Some(section) = &mut self.section else {
            return;
        };
        if section.seen.contains(&setting) {
            let remedy = match setting {
                "spp" => "begin another association with [security_association]",
                _ => "leave one of them",
            };
            return self.problem(format!("{setting}: stands twice in its section; {remedy}"));
        }
        if section.seen.is_empty() && setting != "spp" {
            return self.problem(format!("{setting}: stands before its section's spp"));
        }
        section.seen.push(setting);
        match setting {
            "spp" => match number(255).and_then(|spp| u8::try_from(spp).ok()) {
                Some(spp) => self.spp(spp),
                None => self.problem("spp: takes a number from 0 to 255"),
            },
            "seqid_window" => match number(LARGEST_WINDOW) {
                Some(window) => section.seqid_window = Some(window),
                None => self.problem(format!(
                    "seqid_window: takes a number from 0 (no check) to {LARGEST_WINDOW}"
                )),
            },
            "allow_mutable" => match number(1) {
                Some(allow) => section.allow_mutable = Some(allow == 1),
                None => self.problem("allow_mutable: takes 0 or 1"),
            },
            // linuxptp's words for fields that neither it nor we can check.
            _ if number(0).is_some() => {}
            _ => self.problem(format!(
                "{setting}: takes 0 only: no field of this kind is supported"
            )),
        }
    }

    fn spp(&mut self, spp: u8) {
        if self.entries.iter().any(|entry| entry.name.spp == spp) {
            return self.problem(format!(
                "spp: {spp} has a section above; give each its own number"
            ));
        }
        if let Some(section) = &mut self.section {
            section.spp = Some(spp);
        }
    }

    fn key(&mut self, words: &[&[u8]]) {
        let Some(section) = &mut self.section else {
            return;
        };
        section.keys += 1;
        if section.seen.is_empty() {
            return self.problem("a key stands before its section's spp");
        }
        let spp = section.spp;
        match self.entry(words, spp) {
            Ok(Some(entry)) => self.entries.push(entry),
            Ok(None) => {}
            Err(text) => self.problem(text),
        }
    }

    /// `None` where the key is right but its section has no right spp.
    fn entry(&self, words: &[&[u8]], spp: Option<u8>) -> Result<Option<Entry>, String> {
        let id = std::str::from_utf8(words[0])
            .ok()
            .and_then(|id| id.parse().ok())
            .filter(|&id| id > 0)
            .ok_or("a key's id is a number from 1 to 4294967295")?;
        let (algorithm, len, value) = match words[1..] {
            [algorithm, value] => (algorithm, None, value),
            [algorithm, len, value] => {
                let len = std::str::from_utf8(len)
                    .ok()
                    .and_then(|len| len.parse().ok());
                let len: usize = len.ok_or_else(|| {
                    format!(
                        "key {id}: its length is no number; a key has no spaces, and a comment a line of its own"
                    )
                })?;
                (algorithm, Some(len).filter(|&len| len > 0), value)
            }
            _ => {
                return Err(format!(
                    "key {id}: a key is written: id, algorithm, optional length, value; \
                     it has no spaces, and a comment has a line of its own"
                ));
            }
        };
        let algorithm = (Algorithm::ALL.into_iter())
            .find(|known| known.label().as_bytes().eq_ignore_ascii_case(algorithm))
            .ok_or_else(|| {
                let known = Algorithm::ALL.map(Algorithm::label).join(", ");
                format!("key {id}: its algorithm is none of {known}")
            })?;
        let bytes = key_text::decode(value).map_err(|error| format!("key {id}: {error}"))?;
        if let Some(len) = len.filter(|&len| len != bytes.len()) {
            let is = bytes.len();
            return Err(format!(
                "key {id}: has {is} bytes, not {len} as its line says"
            ));
        }
        if let Some(len) = algorithm.key_len().filter(|&len| len != bytes.len()) {
            let (is, label) = (bytes.len(), algorithm.label());
            return Err(format!("key {id}: has {is} bytes; {label} takes {len}"));
        }
        if bytes.is_empty() {
            return Err(format!("key {id}: is empty"));
        }
        let Some(spp) = spp else {
            return Ok(None);
        };
        let name = KeyName { spp, id };
        if self.entries.iter().any(|entry| entry.name == name) {
            return Err(format!(
                "key {id}: stands twice in its section; leave one of them"
            ));
        }
        if self.entries.len() == SecurityAssociations::MOST_KEYS {
            let most = SecurityAssociations::MOST_KEYS;
            return Err(format!("key {id}: the file holds more than {most} keys"));
        }
        let key = Key::new(algorithm, &bytes).ok_or_else(|| format!("key {id}: is refused"))?;
        Ok(Some(Entry {
            name,
            key,
            seqid_window: SEQID_WINDOW,
            allow_mutable: false,
        }))
    }
}
