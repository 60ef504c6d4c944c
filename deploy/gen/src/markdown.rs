//! Topics as one Markdown file.

use std::fmt::Write as _;

use crate::topic::{Table, Topic};

const HEAD: &str = "\
# Reference

Made from the program's own lists; the manual pages have the same text. `PTPPROXY_WRITE_TABLES=1 cargo test --test deploy
reference` writes it anew.
";

/// The file.
pub(crate) fn of(topics: &[Topic]) -> String {
    let mut text = HEAD.to_owned();
    text.push('\n');
    for topic in topics {
        let anchor = topic.title.to_lowercase().replace(' ', "-");
        line(&mut text, format_args!("- [{}](#{anchor})", topic.title));
    }
    for topic in topics {
        let page = format_args!("`man {} {}`", topic.section, topic.name);
        line(&mut text, format_args!("\n## {}\n", topic.title));
        line(&mut text, format_args!("{}\n\nAlso: {page}.", topic.text));
        for table in &topic.tables {
            if topic.tables.len() > 1 {
                line(&mut text, format_args!("\n### {}", table.heading));
            }
            rows(&mut text, table);
        }
    }
    text
}

fn rows(text: &mut String, table: &Table) {
    text.push('\n');
    if !table.text.is_empty() {
        line(text, format_args!("{}\n", table.text));
    }
    line(text, format_args!("| {} |", table.columns.join(" | ")));
    line(
        text,
        format_args!("|{}", "---|".repeat(table.columns.len())),
    );
    for row in &table.rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| in_a_cell(cell)).collect();
        line(
            text,
            format_args!("| `{}` | {} |", row.term, cells.join(" | ")),
        );
    }
}

/// A cell is one line, and a bar would end it.
fn in_a_cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = writeln!(text, "{what}");
}
