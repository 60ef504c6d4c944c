//! Files that import each other in a circle.

use std::collections::BTreeSet;

use crate::Arrows;

/// Each circle in one line: the files that reach each other, and the arrows between them.
pub(crate) fn find(arrows: &Arrows) -> Vec<String> {
    let mut told = BTreeSet::new();
    let mut circles = Vec::new();
    for file in arrows.keys() {
        if told.contains(file) {
            continue;
        }
        let from_here = reached(arrows, file);
        let circle: BTreeSet<&String> = from_here
            .iter()
            .copied()
            .filter(|other| reached(arrows, other).contains(file))
            .collect();
        if circle.is_empty() {
            continue;
        }
        let mut lines = vec![format!("a circle of {} files:", circle.len())];
        for from in &circle {
            let to = arrows[*from].iter().filter(|to| circle.contains(to));
            lines.extend(to.map(|to| format!("  {from} -> {to}")));
        }
        circles.push(lines.join("\n"));
        told.extend(circle.into_iter().cloned());
    }
    circles
}

/// What can be reached from a file by one arrow or more.
fn reached<'a>(arrows: &'a Arrows, from: &str) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&String> = arrows.get(from).into_iter().flatten().collect();
    while let Some(file) = next.pop() {
        if found.insert(file) {
            next.extend(arrows.get(file).into_iter().flatten());
        }
    }
    found
}

#[test]
fn a_circle_is_found() {
    let arrow = |from: &str, to: &[&str]| {
        let to = to.iter().map(ToString::to_string).collect();
        (from.to_owned(), to)
    };
    let arrows = Arrows::from([
        arrow("a", &["b"]),
        arrow("b", &["c"]),
        arrow("c", &["b"]),
        arrow("d", &["d", "a"]),
    ]);
    let circles = find(&arrows);
    assert_eq!(circles.len(), 2, "{circles:?}");
    assert_eq!(circles[0], "a circle of 2 files:\n  b -> c\n  c -> b");
}
