//! A text with tables, that is both a manual page and a chapter of the reference.
//!
//! Texts are Markdown of the simplest kind: paragraphs, and words in backticks.

/// A manual page, and a chapter of the reference.
#[derive(Debug)]
pub(crate) struct Topic {
    /// Name of the page, without its section.
    pub(crate) name: &'static str,
    /// Section of the manual.
    pub(crate) section: &'static str,
    /// Heading of the chapter.
    pub(crate) title: &'static str,
    /// What it is, in some words: the line that `apropos` finds.
    pub(crate) about: &'static str,
    /// What to know before the tables.
    pub(crate) text: String,
    /// The tables.
    pub(crate) tables: Vec<Table>,
    /// Other pages, with their sections.
    pub(crate) see_also: &'static [(&'static str, &'static str)],
}

/// Rows, under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    /// Its heading; the only one of a topic may have none in the reference.
    pub(crate) heading: String,
    /// What to know before the rows.
    pub(crate) text: String,
    /// Names of the columns: that of the term, and the others.
    pub(crate) columns: &'static [&'static str],
    /// The rows.
    pub(crate) rows: Vec<Row>,
}

/// A term, and what is said of it.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is explained.
    pub(crate) term: String,
    /// One text for each of the other columns; an empty one is left out of a page.
    pub(crate) cells: Vec<String>,
}

/// The parts of a text that stand in backticks, and those that do not: (text, in backticks).
pub(crate) fn spans(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let parts = text.split('`').enumerate();
    parts
        .map(|(n, part)| (part, n % 2 == 1))
        .filter(|(part, _)| !part.is_empty())
}

/// A sentence: a capital letter first, unless the first word is a name (`majorSdoId`); a full stop last; options in
/// backticks.
pub(crate) fn sentence(text: &str) -> String {
    let mut text = with_marked_options(text.trim());
    let first = text
        .split(|c: char| c.is_whitespace() || ",.:;".contains(c))
        .next();
    let plain = first.is_some_and(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
    if plain && let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', ':', '?']) {
        text.push('.');
    }
    text
}

/// Puts `--option` into backticks where it is not.
fn with_marked_options(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    for (part, literal) in spans(text) {
        if literal {
            marked += &format!("`{part}`");
            continue;
        }
        let mut rest = part;
        while let Some(at) = rest.find("--") {
            let (before, from) = rest.split_at(at);
            let end = from.find(|c: char| !(c.is_ascii_lowercase() || c == '-'));
            let (option, after) = from.split_at(end.unwrap_or(from.len()));
            marked += before;
            marked += &format!("`{option}`");
            rest = after;
        }
        marked += rest;
    }
    marked
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_sentence_begins_and_ends_as_one_and_marks_options() {
        for (text, expected) in [
            ("nothing, if seldom", "Nothing, if seldom."),
            ("majorSdoId 1: link by link.", "majorSdoId 1: link by link."),
            ("set `--a` or --max-hold.", "Set `--a` or `--max-hold`."),
            ("`--jitter`.", "`--jitter`."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
