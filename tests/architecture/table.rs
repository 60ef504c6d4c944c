//! The table of rooms in ARCHITECTURE.md: which room may use which.

use std::collections::{BTreeMap, BTreeSet};

use crate::Arrows;

/// Rooms, and the rooms that each uses.
pub(crate) type Rooms = BTreeMap<String, BTreeSet<String>>;

/// The rows below the heading "Rooms": `` | `room` | `other`, `another` | what it is | ``.
pub(crate) fn rooms(text: &str) -> Rooms {
    let section = text
        .split("\n## Rooms\n")
        .nth(1)
        .expect("a heading `Rooms`");
    let section = section.split("\n## ").next().unwrap_or_default();
    let names = |cell: &str| -> Vec<String> {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let mut rooms = Rooms::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.split('|').skip(1);
        let (who, uses) = (
            cells.next().unwrap_or_default(),
            cells.next().unwrap_or_default(),
        );
        for room in names(who) {
            rooms.insert(room, names(uses).into_iter().collect());
        }
    }
    rooms
}

/// The room of a file: the longest name in the table that its path begins with.
fn room<'a>(table: &'a Rooms, file: &str) -> Option<&'a str> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let within = |room: &&String| path == room.as_str() || path.starts_with(&format!("{room}/"));
    table
        .keys()
        .filter(within)
        .max_by_key(|room| room.len())
        .map(String::as_str)
}

/// What the table does not allow, and what it allows in vain.
pub(crate) fn differences(table: &Rooms, arrows: &Arrows) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used = Rooms::new();
    for (file, to) in arrows {
        if file == "lib.rs" || file == "main.rs" {
            continue;
        }
        let Some(from) = room(table, file) else {
            wrong.push(format!("{file} is in no room"));
            continue;
        };
        for other in to {
            // What the crate's root defines belongs to all.
            let Some(to) = room(table, other).filter(|to| *to != from) else {
                continue;
            };
            used.entry(from.to_owned())
                .or_default()
                .insert(to.to_owned());
            if !table[from].contains(to) {
                wrong.push(format!("`{from}` may not use `{to}`: {file} -> {other}"));
            }
        }
    }
    for (from, allowed) in table {
        for to in allowed {
            if !used.get(from).is_some_and(|used| used.contains(to)) {
                wrong.push(format!("`{from}` does not use `{to}`, as the table says"));
            }
        }
    }
    wrong
}

#[test]
fn differences_are_told_both_ways() {
    let text = "# A\n\n## Rooms\n\n| room | uses | |\n|---|---|---|\n| `core` | `wire`, `time` | x |\n| `core/hold` | | |\n| `wire`, `time` | | y |\n\n## More\n| `no` | | |\n";
    let table = rooms(text);
    assert_eq!(table.len(), 4);
    let file = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let arrows = Arrows::from([
        file("core/policy.rs", "wire/frame.rs"),
        file("core/hold/store.rs", "core/policy.rs"),
        file("wire/frame.rs", "wire/tlv.rs"),
        file("other.rs", "time.rs"),
    ]);
    assert_eq!(
        differences(&table, &arrows),
        [
            "`core/hold` may not use `core`: core/hold/store.rs -> core/policy.rs",
            "other.rs is in no room",
            "`core` does not use `time`, as the table says",
        ]
    );
}
