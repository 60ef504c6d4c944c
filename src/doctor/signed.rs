//! Signed messages that were heard, and whether the gateway has their keys.

use std::path::Path;

use super::finding::Finding;
use super::heard::Heard;
use crate::PerSide;
use crate::auth::{KeyName, SecurityAssociations};

const CHECK: &str = "signed";
/// Keys that a line lists.
const NAMED: usize = 3;

/// Reads the file of keys: what is wrong with it, or how many they are.
pub(super) fn read(path: &Path) -> (Option<SecurityAssociations>, Vec<Finding>) {
    match SecurityAssociations::load(path) {
        Ok(keys) => {
            let found = Finding::ok(CHECK, format!("{}: {}", path.display(), keys.summary()));
            (Some(keys), vec![found])
        }
        Err(problems) => {
            let lines = problems.to_lines().into_iter();
            (
                None,
                lines.map(|line| Finding::error(CHECK, line)).collect(),
            )
        }
    }
}

/// Judges what was heard by the keys that a gateway would have; `corrects` without any
/// (`--authenticated mutable`).
pub(super) fn judge(
    names: &PerSide<String>,
    keys: Option<&SecurityAssociations>,
    corrects: bool,
    heard: &PerSide<Heard>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (side, heard) in heard.iter() {
        let known = |name: &KeyName| keys.is_some_and(|keys| keys.names().any(|own| own == *name));
        let strange: Vec<String> = (heard.keys.iter())
            .filter(|name| !known(name))
            .map(ToString::to_string)
            .collect();
        if strange.is_empty() || keys.is_none() && corrects {
            continue;
        }
        let (name, listed) = (&names[side], strange[..strange.len().min(NAMED)].join(", "));
        let more = match strange.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        found.push(match keys {
            Some(_) => Finding::error(
                CHECK,
                format!("{name}: messages are signed with keys that the file does not hold ({listed}{more}): they are dropped"),
            )
            .remedy("add them to the file, or find who sends that"),
            None => Finding::warning(
                CHECK,
                format!("{name}: messages are signed ({listed}{more}): without keys they are not corrected"),
            )
            .remedy("give the gateway the keys (--sa-file); or --authenticated mutable, if all associations have allow_mutable 1"),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn keys_that_are_missing_are_named() {
        let names = PerSide {
            up: "eth0".to_owned(),
            down: "eth1".to_owned(),
        };
        let heard = |keys: &[KeyName]| PerSide {
            up: Heard::default(),
            down: Heard {
                keys: keys.iter().copied().collect(),
                ..Heard::default()
            },
        };
        let (ours, other) = (KeyName { spp: 3, id: 1 }, KeyName { spp: 3, id: 2 });
        let text = b"[security_association]\nspp 3\n1 SHA256 ASCII:key\n";
        let keys = SecurityAssociations::parse(Path::new("sa"), text).expect("a right file");
        for (keys, corrects, heard, expected) in [
            (None, false, heard(&[]), None),
            (
                None,
                false,
                heard(&[ours]),
                Some((Level::Warning, "key 1 of spp 3")),
            ),
            (None, true, heard(&[ours]), None),
            (Some(&keys), false, heard(&[ours]), None),
            (
                Some(&keys),
                true,
                heard(&[ours, other]),
                Some((Level::Error, "(key 2 of spp 3)")),
            ),
        ] {
            let found = judge(&names, keys, corrects, &heard);
            let said = found
                .first()
                .map(|found| (found.level, found.text.as_str()));
            assert_eq!(
                said.map(|(level, _)| level),
                expected.map(|(level, _)| level)
            );
            if let (Some((_, said)), Some((_, words))) = (said, expected) {
                assert!(said.starts_with("eth1: ") && said.contains(words), "{said}");
            }
        }
    }
}
