//! Imports point one way: the rooms of `src` use each other as the table in ARCHITECTURE.md says, and no files
//! import each other in a circle.

mod circles;
mod modules;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use modules::Modules;

/// Arrows between files, by their paths below `src`.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn rooms_use_each_other_as_the_table_says() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let table = table::rooms(&text);
    let arrows = Modules::read(&root().join("src"), "lib.rs").arrows();
    let wrong = table::differences(&table, &arrows);
    assert!(
        wrong.is_empty(),
        "the table of rooms in ARCHITECTURE.md and the imports of src differ:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for source in ["src", "bench/src"] {
        let arrows = Modules::read(&root().join(source), "lib.rs").arrows();
        assert!(arrows.len() > 50, "{source}: {} files read", arrows.len());
        let circles = circles::find(&arrows);
        assert!(circles.is_empty(), "{source}:\n{}", circles.join("\n"));
    }
}
