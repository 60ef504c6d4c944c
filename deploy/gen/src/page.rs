//! A topic as a manual page.

use roff::{Inline, Roff, bold, roman};

use crate::topic::{Table, Topic, spans};

/// What the pages belong to.
pub(crate) const MANUAL: &str = "PTP proxy forwarder";

/// The page of a topic.
pub(crate) fn of(topic: &Topic) -> String {
    let version = format!("ptpproxy {}", env!("CARGO_PKG_VERSION"));
    let mut page = Roff::new();
    page.control("TH", [topic.name, topic.section, "", &version, MANUAL]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{} - {}", topic.name, topic.about))]);
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, &topic.text);
    for table in &topic.tables {
        rows(&mut page, table);
    }
    page.control("SH", ["SEE ALSO"]);
    let mut pages = Vec::new();
    for (n, (name, section)) in topic.see_also.iter().enumerate() {
        pages.push(roman(if n == 0 { "" } else { ", " }));
        pages.push(bold(*name));
        pages.push(roman(format!("({section})")));
    }
    page.text(pages);
    page.render()
}

fn rows(page: &mut Roff, table: &Table) {
    page.control("SH", [table.heading.to_uppercase().as_str()]);
    paragraphs(page, &table.text);
    for row in &table.rows {
        page.control("TP", []);
        page.text([bold(&row.term)]);
        let others = table.columns.iter().skip(1).zip(&row.cells);
        for (n, (column, cell)) in others.filter(|(_, cell)| !cell.is_empty()).enumerate() {
            let mut text = Vec::new();
            if n > 0 {
                // Under the same term.
                page.control("br", []);
                text.push(roman(format!("{}: ", capital(column))));
            }
            for (n, paragraph) in cell.split("\n\n").enumerate() {
                if n > 0 {
                    page.text(std::mem::take(&mut text));
                    page.control("IP", []);
                }
                text.extend(inline(paragraph));
            }
            page.text(text);
        }
    }
}

fn paragraphs(page: &mut Roff, text: &str) {
    for (n, paragraph) in text
        .split("\n\n")
        .filter(|text| !text.is_empty())
        .enumerate()
    {
        if n > 0 {
            page.control("PP", []);
        }
        page.text(inline(paragraph).collect::<Vec<_>>());
    }
}

/// What is in backticks is bold.
fn inline(text: &str) -> impl Iterator<Item = Inline> {
    spans(text).map(|(part, literal)| {
        let part = part.replace('\n', " ");
        if literal { bold(part) } else { roman(part) }
    })
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
