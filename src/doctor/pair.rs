//! One of two gateways: whether keepalived, if it decides who forwards, is set up for both networks.
//!
//! Only what belongs together is read of its configuration: which interface each VRRP instance has, what the one on the
//! clients' side and its sync group track, and who is notified.

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

fn warn(text: String, remedy: &str) -> Finding {
    Finding::warning(CHECK, text).remedy(remedy)
}

/// The VRRP instance in the clients' network, and what is in its block and in that of its sync group.
struct Decider<'a> {
    name: &'a str,
    blocks: [&'a [String]; 2],
    /// It is in a group with one on the side of the grandmaster.
    together: bool,
}

impl<'a> Decider<'a> {
    /// What decides for these interfaces; else what is to be said of that.
    fn of(
        names: &PerSide<String>,
        standby: Option<bool>,
        words: &'a [String],
    ) -> Result<Self, Option<Finding>> {
        let instances = blocks(words, "vrrp_instance");
        let on = |name: &String| {
            let mut of = instances.iter().copied();
            of.find(|(_, block)| value(block, "interface") == Some(name))
        };
        let (name, block) = match (on(&names.down), on(&names.up)) {
            (Some(down), _) => down,
            (None, None) if standby == Some(true) => {
                return Err(Some(warn(
                    format!("it starts in standby, and {FILE} decides nothing for its interfaces"),
                    "something has to run `ptpproxy activate`: see deploy/keepalived",
                )));
            }
            (None, None) => return Err(None),
            (None, Some(_)) => {
                let PerSide { up, down } = names;
                return Err(Some(warn(
                    format!("keepalived has a VRRP instance on {up} and none on {down}"),
                    "it is in the clients' network that one gateway is to forward: put the instance there",
                )));
            }
        };
        let mut groups = blocks(words, "vrrp_sync_group").into_iter();
        let group = groups.find(|(_, block)| has(list(block, "group"), name));
        let group = group.map_or(&[] as &[String], |(_, block)| block);
        let above = on(&names.up);
        Ok(Self {
            name,
            blocks: [block, group],
            together: above.is_some_and(|(above, _)| has(list(group, "group"), above)),
        })
    }

    /// Whether it gives up when the link toward the grandmaster is gone.
    fn watches(&self, up: &str) -> bool {
        let mut lists = self
            .blocks
            .map(|block| list(block, "track_interface"))
            .into_iter();
        self.together || lists.any(|names| has(names, up))
    }

    fn watches_the_gateway(&self) -> bool {
        let tracks = ["track_process", "track_script", "track_file"];
        let mut words = self.blocks.into_iter().flatten();
        words.any(|word| tracks.contains(&word.as_str()))
    }
}

fn has(words: &[String], name: &str) -> bool {
    words.iter().any(|word| word == name)
}

/// What stands in the braces behind this word.
fn list<'a>(block: &'a [String], key: &str) -> &'a [String] {
    let at = block.iter().position(|word| word == key);
    at.map_or(&[], |at| braced(block, at + 1))
}

/// Whether something is told who forwards that is ours.
fn notifies(words: &[String]) -> bool {
    words.windows(2).any(|pair| match pair {
        // A fifo has a script of its own beside it.
        [key, script] => {
            key.contains("notify") && !key.ends_with("fifo") && script.contains("ptpproxy")
        }
        _ => false,
    })
}

fn judge(names: &PerSide<String>, standby: Option<bool>, words: Option<&[String]>) -> Vec<Finding> {
    let words = words.unwrap_or_default();
    let decider = match Decider::of(names, standby, words) {
        Ok(decider) => decider,
        Err(finding) => return finding.into_iter().collect(),
    };
    let (name, up) = (decider.name, &names.up);
    let mut found = Vec::new();
    if !decider.watches(up) {
        found.push(warn(
            format!("keepalived's instance {name} does not track {up}"),
            "a gateway that is cut off upstream goes on forwarding: name it in track_interface",
        ));
    }
    if !notifies(words) {
        found.push(warn(
            "keepalived notifies no script of ptpproxy".into(),
            "nobody tells the gateway when to forward: notify_fifo_script /etc/keepalived/ptpproxy-notify",
        ));
    }
    if !decider.watches_the_gateway() {
        found.push(warn(
            format!("keepalived's instance {name} does not track the gateway"),
            "the other gateway takes over only if this machine dies: see deploy/keepalived",
        ));
    }
    if standby == Some(false) {
        found.push(warn(
            "keepalived decides who forwards, but this gateway starts active".into(),
            "set standby = true: else both forward until keepalived has decided",
        ));
    }
    if found.is_empty() {
        let text = format!(
            "keepalived decides on {} who forwards, and watches {up}",
            names.down
        );
        found.push(Finding::ok(CHECK, text));
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
        let right = "Ok keepalived decides on eth1 who forwards, and watches eth0\n";
        assert_eq!(said(Some(true), &[]), right);
        assert!(said(Some(false), &[]).contains("starts active"));
        let upstream = [("interface eth1", "interface eth0")];
        assert!(said(None, &upstream).contains("none on eth1"));
        let elsewhere = [("interface eth1", "interface b")];
        assert_eq!(said(None, &elsewhere), "");
        assert!(said(Some(true), &elsewhere).contains("decides nothing"));
        assert!(said(Some(true), &[("    eth0\n", "    eth2\n")]).contains("does not track eth0"));
        assert!(said(Some(true), &[("ptpproxy-notify", "other")]).contains("notifies no script"));
        let untracked = [("track_process", "x"), ("track_script", "y")];
        assert!(said(Some(true), &untracked).contains("does not track the gateway"));
    }

    /// An instance for each side in one group, which tracks the gateway: the link upstream counts as well.
    #[test]
    fn a_group_of_both_sides_is_right_too() {
        let group = "vrrp_sync_group BOTH {\n  group {\n    PTP\n    ABOVE\n  }\n  track_script {\n    y\n  }\n}\n\
                     vrrp_instance ABOVE {\n  interface eth0\n}\nvrrp_instance PTP {";
        let grouped = [
            ("vrrp_instance PTP {", group),
            ("    eth0\n", ""),
            ("  track_process {", "  x {"),
            ("    ptpproxy_answers\n", ""),
        ];
        assert!(said(Some(true), &grouped).starts_with("Ok "));
        let alone = [grouped[0], grouped[1], ("    ABOVE\n", "")];
        assert!(said(Some(true), &alone).contains("does not track eth0"));
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
