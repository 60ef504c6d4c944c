//! One of two gateways: whether keepalived, if it decides who forwards, is set up for both networks.
//!
//! Only what belongs together is read of its configuration: which interface each VRRP instance has, and what the sync group
//! that holds two of them tracks and notifies.

use std::fs;
use std::path::Path;

use super::finding::Finding;
use crate::PerSide;

/// Where keepalived reads its configuration.
const FILE: &str = "/etc/keepalived/keepalived.conf";
const CHECK: &str = "pair";
/// Files that include each other are read so deep.
const DEEPEST: usize = 4;

/// Looks at keepalived's configuration. `standby`: the gateway starts in standby, as far as it is known.
pub(super) fn look(names: &PerSide<String>, standby: Option<bool>) -> Vec<Finding> {
    let words = match fs::metadata(FILE) {
        Ok(_) => words(Path::new(FILE), 0),
        Err(_) => None,
    };
    judge(names, standby, words.as_deref())
}

/// The words of a file and of those that it includes; `None` if it cannot be read.
fn words(file: &Path, depth: usize) -> Option<Vec<String>> {
    let text = fs::read_to_string(file).ok()?;
    let mut words = Vec::new();
    for line in text.lines() {
        let line = line.split(['#', '!']).next().unwrap_or_default();
        let line = line.replace('{', " { ").replace('}', " } ");
        let mut of_line = line.split_whitespace().peekable();
        if of_line.next_if_eq(&"include").is_some() && depth < DEEPEST {
            let name = of_line.next().unwrap_or_default().trim_matches('"');
            let path = file.parent().unwrap_or(file).join(name);
            words.extend(self::words(&path, depth + 1).unwrap_or_default());
            continue;
        }
        words.extend(of_line.map(|word| word.trim_matches('"').to_owned()));
    }
    Some(words)
}

/// What follows in the braces behind `keyword NAME`, of each such block.
fn blocks<'a>(words: &'a [String], keyword: &str) -> Vec<(&'a str, &'a [String])> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let (Some(name), Some(open)) = (words.get(at + 1), words.get(at + 2)) else {
            break;
        };
        if word == keyword && open == "{" {
            found.push((name.as_str(), braced(words, at + 2)));
        }
    }
    found
}

/// What stands between the brace here and its partner.
fn braced(words: &[String], open: usize) -> &[String] {
    let mut depth = 0_usize;
    let inner = words.get(open + 1..).unwrap_or_default();
    let end = inner.iter().position(|word| {
        match word.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => return true,
            "}" => depth -= 1,
            _ => {}
        }
        false
    });
    inner.get(..end.unwrap_or(inner.len())).unwrap_or_default()
}

fn value<'a>(block: &'a [String], key: &str) -> Option<&'a str> {
    let at = block.iter().position(|word| word == key)?;
    block.get(at + 1).map(String::as_str)
}

fn judge(names: &PerSide<String>, standby: Option<bool>, words: Option<&[String]>) -> Vec<Finding> {
    let warn = |text: String, remedy: &str| Finding::warning(CHECK, text).remedy(remedy);
    let instances = words.map_or_else(Vec::new, |words| blocks(words, "vrrp_instance"));
    let on = |name: &String| {
        let mut of = instances.iter();
        let instance = of.find(|(_, block)| value(block, "interface") == Some(name));
        instance.map(|(instance, _)| *instance)
    };
    let (up, down) = match (on(&names.up), on(&names.down)) {
        (Some(up), Some(down)) => (up, down),
        (None, None) if standby == Some(true) => {
            return vec![warn(
                format!("it starts in standby, and {FILE} decides nothing for its interfaces"),
                "something has to run `ptpproxy activate`: see deploy/keepalived",
            )];
        }
        (None, None) => return Vec::new(),
        (up, _) => {
            let (with, without) = match up {
                Some(_) => (&names.up, &names.down),
                None => (&names.down, &names.up),
            };
            return vec![warn(
                format!("keepalived has a VRRP instance on {with} and none on {without}"),
                "a gateway that is cut off on one side goes on forwarding on the other: give both one",
            )];
        }
    };
    let mut found = Vec::new();
    let groups = words.map_or_else(Vec::new, |words| blocks(words, "vrrp_sync_group"));
    let group = groups.iter().find(|(_, block)| {
        let open = block.iter().position(|word| word == "group");
        let members = open.map_or(&[] as &[String], |at| braced(block, at + 1));
        [up, down]
            .iter()
            .all(|name| members.iter().any(|member| member == name))
    });
    match group {
        None => found.push(warn(
            format!("keepalived's instances {up} and {down} are in no sync group"),
            "one gateway could forward upstream and the other downstream: put both in one vrrp_sync_group",
        )),
        Some((name, block)) => {
            let all = words.unwrap_or_default();
            let notifies = all.windows(2).any(|pair| {
                // A fifo has a script of its own beside it.
                (pair.first()).is_some_and(|key| key.contains("notify") && !key.ends_with("fifo"))
                    && pair.get(1).is_some_and(|script| script.contains("ptpproxy"))
            });
            if !notifies {
                found.push(warn(
                    "keepalived notifies no script of ptpproxy".into(),
                    "nobody tells the gateway when to forward: notify_fifo_script /etc/keepalived/ptpproxy-notify",
                ));
            }
            let tracks = ["track_process", "track_script", "track_file"];
            if !block.iter().any(|word| tracks.contains(&word.as_str())) {
                found.push(warn(
                    format!("keepalived's sync group {name} does not track the gateway"),
                    "the other gateway takes over only if this machine dies: see deploy/keepalived",
                ));
            }
        }
    }
    if standby == Some(false) {
        found.push(warn(
            "keepalived decides who forwards, but this gateway starts active".into(),
            "set standby = true: else both forward until keepalived has decided",
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok(
            CHECK,
            format!(
                "keepalived has {} and {} in one group",
                names.up, names.down
            ),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../deploy/keepalived/keepalived.conf");

    fn names() -> PerSide<String> {
        PerSide {
            up: "eth0".into(),
            down: "eth1".into(),
        }
    }

    /// What is said of the sample with these words in place of those.
    fn said(standby: Option<bool>, change: &[(&str, &str)]) -> String {
        let mut text = SAMPLE.to_owned();
        for (from, to) in change {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let folder = std::env::temp_dir();
        let file = folder.join(format!(
            "ptpproxy-pair-{:?}.conf",
            std::thread::current().id()
        ));
        fs::write(&file, text).unwrap();
        let words = words(&file, 0);
        fs::remove_file(&file).unwrap();
        let found = judge(&names(), standby, words.as_deref());
        let lines = found
            .iter()
            .map(|one| format!("{:?} {}\n", one.level, one.text));
        lines.collect()
    }

    #[test]
    fn the_sample_is_right_and_each_mistake_is_named() {
        assert_eq!(
            said(Some(true), &[]),
            "Ok keepalived has eth0 and eth1 in one group\n"
        );
        assert!(said(Some(false), &[]).contains("starts active"));
        assert!(said(None, &[("interface eth1", "interface eth2")]).contains("none on eth1"));
        let elsewhere = [
            ("interface eth0", "interface a"),
            ("interface eth1", "interface b"),
        ];
        assert_eq!(said(None, &elsewhere), "");
        assert!(said(Some(true), &elsewhere).contains("decides nothing"));
        assert!(said(Some(true), &[("    PTP_DOWN\n", "")]).contains("in no sync group"));
        assert!(said(Some(true), &[("ptpproxy-notify", "other")]).contains("notifies no script"));
        let untracked = [("track_process", "x"), ("track_script", "y")];
        assert!(said(Some(true), &untracked).contains("does not track"));
    }

    #[test]
    fn without_keepalived_only_one_in_standby_is_told() {
        assert_eq!(judge(&names(), Some(false), None), []);
        assert_eq!(judge(&names(), Some(true), None).len(), 1);
        // Whatever is in the file: it ends.
        let broken: Vec<String> = "vrrp_instance A { interface eth0 { {"
            .split(' ')
            .map(Into::into)
            .collect();
        assert_eq!(judge(&names(), None, Some(&broken)).len(), 1);
    }
}
