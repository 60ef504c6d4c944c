//! Every gateway of the machine: found, asked, and shown one a line.

use std::thread;

use serde::Serialize;
use serde_json::Value;

use super::figures::{columns, dash, percent, rate};
use crate::control::client::{self, Gateway};
use crate::control::reply::{PortStatus, Status};
use crate::ring::{self, Holder};

/// Every gateway of the machine.
pub(super) struct Fleet(Vec<Member>);

/// One gateway. As JSON: `status` is its whole reply.
#[derive(Debug, Default, Serialize)]
struct Member {
    /// Its control socket, if it has one where they are looked for.
    socket: Option<String>,
    process: Option<u32>,
    up: Option<String>,
    down: Option<String>,
    /// It answers, and nothing is wrong.
    well: bool,
    /// Why there is no status.
    error: Option<String>,
    status: Option<Value>,
    #[serde(skip)]
    read: Option<Status>,
}

impl Fleet {
    /// Finds every gateway and asks it, all at once: one that is stuck holds up none of the others.
    ///
    /// # Errors
    /// None was found.
    pub(super) fn look() -> anyhow::Result<Self> {
        // Without the kernel's list there are still the sockets.
        let holders = ring::holders().unwrap_or_default();
        let gateways = match Gateway::all() {
            Ok(gateways) => gateways,
            Err(error) if holders.is_empty() => return Err(error),
            Err(_) => Vec::new(),
        };
        let members = thread::scope(|scope| {
            let asked: Vec<_> = gateways
                .iter()
                .map(|gateway| scope.spawn(|| Member::ask(gateway)))
                .collect();
            let answers = asked.into_iter().map(|answer| answer.join());
            answers.filter_map(Result::ok).collect()
        });
        let fleet = Self::of(members, holders);
        match fleet.0.is_empty() {
            true => Err(client::none()),
            false => Ok(fleet),
        }
    }

    /// Those that were asked, and those that only the kernel knows of.
    fn of(mut members: Vec<Member>, holders: Vec<Holder>) -> Self {
        for holder in holders {
            let process = Some(holder.process);
            if members.iter().any(|member| member.process == process) {
                continue;
            }
            // It has a socket, but gave no answer.
            let (up, down) = (holder.interfaces.up, holder.interfaces.down);
            let mute = members.iter_mut().find(|member| {
                member.process.is_none() && (&member.up, &member.down) == (&up, &down)
            });
            match mute {
                Some(member) => member.process = process,
                None => members.push(Member {
                    process,
                    up,
                    down,
                    error: Some(
                        "it has no control socket where they are looked for (--control): ask it by --socket PATH".into(),
                    ),
                    ..Member::default()
                }),
            }
        }
        members.sort_by(|a, b| (&a.up, &a.down, &a.socket).cmp(&(&b.up, &b.down, &b.socket)));
        Self(members)
    }

    pub(super) fn is_well(&self) -> bool {
        self.0.iter().all(|member| member.well)
    }

    /// An array with an object for each.
    pub(super) fn json(&self) -> String {
        // Strings and numbers only: nothing that cannot be written.
        let mut text = serde_json::to_string(&self.0).unwrap_or_default();
        text.push('\n');
        text
    }

    /// A table, then a line for each thing that is wrong, then how many there are.
    pub(super) fn text(&self) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
        rows.extend(self.0.iter().map(|member| member.row().to_vec()));
        let mut text = String::new();
        for line in columns(&rows, 2) {
            text += &line;
            text.push('\n');
        }
        for member in &self.0 {
            for wrong in member.wrong() {
                text += &format!("{}: {wrong}\n", member.name());
            }
        }
        let well = self.0.iter().filter(|member| member.well).count();
        let all = self.0.len();
        text += &match (all, well) {
            (1, 1) => "1 gateway: well\n".to_owned(),
            (1, _) => "1 gateway: not well\n".to_owned(),
            (all, well) if well == all => format!("{all} gateways: all well\n"),
            (all, well) => format!("{all} gateways: {} not well\n", all - well),
        };
        text
    }
}

/// Headings; the first two columns are text.
const HEADINGS: [&str; 8] = [
    "gateway",
    "state",
    "process",
    "clients",
    "requests",
    "answered",
    "dropped",
    "grandmaster",
];

impl Member {
    fn ask(gateway: &Gateway) -> Self {
        let path = gateway.path();
        let member = Self {
            socket: Some(path.display().to_string()),
            ..Self::default()
        };
        let reply = gateway.ask("status");
        let read = reply.and_then(|reply| {
            let status: Value = serde_json::from_str(&reply)?;
            let read: Status = serde_json::from_str(&reply)?;
            Ok((status, read))
        });
        match read {
            Ok((status, read)) => {
                let (up, downs) = read.ports.split_first().unzip();
                let names = |ports: &[PortStatus]| {
                    let names = ports.iter().map(|port| port.name.as_str());
                    names.collect::<Vec<_>>().join(",")
                };
                Self {
                    process: Some(read.pid),
                    up: up.map(|up| up.name.clone()),
                    down: downs.map(names),
                    well: read.warnings.is_empty(),
                    status: Some(status),
                    read: Some(read),
                    ..member
                }
            }
            Err(error) => {
                // By its name, as the gateway makes it.
                let name = path.file_stem().and_then(|name| name.to_str());
                let pair = name.and_then(|name| name.split_once('-'));
                Self {
                    up: pair.map(|(up, _)| up.to_owned()),
                    down: pair.map(|(_, down)| down.to_owned()),
                    error: Some(format!("{error:#}")),
                    ..member
                }
            }
        }
    }

    fn name(&self) -> String {
        let side = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
        format!("{}-{}", side(&self.up), side(&self.down))
    }

    /// The cells, by [`HEADINGS`].
    fn row(&self) -> [String; 8] {
        let process = self.process.map_or_else(dash, |id| id.to_string());
        let Some(status) = &self.read else {
            let state = match self.socket {
                Some(_) => "no answer",
                None => "no socket",
            };
            let mut cells = std::array::from_fn(|_| dash());
            [cells[0], cells[1], cells[2]] = [self.name(), state.to_owned(), process];
            return cells;
        };
        let dropped: f64 = status.drops.iter().fold(0.0, |sum, drop| sum + drop.per_s);
        let master = status.masters.first().filter(|master| master.active);
        [
            self.name(),
            match status.warnings.len() {
                0 => "well".to_owned(),
                1 => "1 warning".to_owned(),
                more => format!("{more} warnings"),
            },
            process,
            status.clients.known.to_string(),
            rate(status.clients.requests_per_s),
            percent(status.clients.answered_percent),
            rate(dropped),
            master.map_or_else(
                || "none".to_owned(),
                |master| match &master.grandmaster {
                    Some(grandmaster) => grandmaster.identity.clone(),
                    None => master.sender.clone(),
                },
            ),
        ]
    }

    /// What is wrong with it.
    fn wrong(&self) -> impl Iterator<Item = &str> {
        let warnings = self.read.iter().flat_map(|status| &status.warnings);
        let warnings = warnings.map(|warning| warning.text.as_str());
        self.error.as_deref().into_iter().chain(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PerSide;
    use crate::control::reply::Warning;

    fn member(up: &str, process: u32, warnings: &[&str]) -> Member {
        let port = |name: &str| PortStatus {
            name: name.into(),
            ..PortStatus::default()
        };
        let warning = |text: &&str| Warning {
            text: (*text).to_owned(),
            ..Warning::default()
        };
        let read = Status {
            ports: vec![port(up), port("down")],
            warnings: warnings.iter().map(warning).collect(),
            ..Status::default()
        };
        Member {
            process: Some(process),
            up: Some(up.into()),
            down: Some("down".into()),
            well: warnings.is_empty(),
            read: Some(read),
            ..Member::default()
        }
    }

    fn holder(process: u32, up: &str) -> Holder {
        Holder {
            process,
            interfaces: PerSide {
                up: Some(up.into()),
                down: Some("down".into()),
            },
        }
    }

    #[test]
    fn one_a_line_and_what_is_wrong_beneath() {
        let mute = Member {
            socket: Some("/run/c.sock".into()),
            up: Some("c".into()),
            down: Some("down".into()),
            error: Some("no whole answer".into()),
            ..Member::default()
        };
        let members = vec![
            mute,
            member("b", 2, &["no Sync for 5 s"]),
            member("a", 1, &[]),
        ];
        let holders = vec![
            holder(1, "a"),
            holder(2, "b"),
            holder(3, "c"),
            holder(4, "d"),
        ];
        let fleet = Fleet::of(members, holders);
        let text = fleet.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + 4 + 3 + 1, "{text}");
        for (line, start) in [
            (1, "a-down   well             1"),
            (2, "b-down   1 warning        2"),
            (3, "c-down   no answer        3"),
            (4, "d-down   no socket        4"),
            (5, "b-down: no Sync for 5 s"),
            (6, "c-down: no whole answer"),
            (7, "d-down: it has no control socket"),
            (8, "4 gateways: 3 not well"),
        ] {
            assert!(lines[line].starts_with(start), "{start:?} in {text}");
        }
        assert!(!fleet.is_well());
        assert!(Fleet::of(vec![member("a", 1, &[])], vec![holder(1, "a")]).is_well());
    }
}
