//! What is on the screen: lines of text for any size.

use crate::control::reply::{ClientList, PortStatus, Sort, Status};
use crate::show::figures::{columns, long, ns, percent, rate, whole_ns};
use crate::show::{clients, status};
use crate::telemetry::Spread;

/// Rows beside the list, at least: those above it, its heading, and the keys.
pub(super) const FIXED: usize = 8;
/// Columns of what a line of the head is about.
const INDENT: usize = 13;
/// Lines of the warning above the list: all are in the list of warnings.
const WARNING_LINES: usize = 3;
/// No text is wrapped to less.
const NARROW: usize = 20;
/// Which columns of a client are dropped first where there is no room, by their place in
/// [`clients::HEADINGS`].
const LEAST: [usize; 9] = [7, 3, 2, 5, 10, 8, 1, 9, 4];

/// How a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bold,
    Reverse,
}

/// One row of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) style: Style,
}

/// What the list shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Clients,
    Drops,
    Frames,
    Warnings,
}

/// What is shown, and how.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    pub(super) status: Status,
    pub(super) clients: ClientList,
    /// Why the figures are old.
    pub(super) error: Option<String>,
    pub(super) paused: bool,
    pub(super) sort: Sort,
    pub(super) scroll: usize,
    shown: View,
}

impl Screen {
    /// Another list, from its first row.
    pub(super) fn view(&mut self, view: View) {
        self.shown = view;
        self.scroll = 0;
    }

    pub(super) fn scroll_by(&mut self, rows: usize) {
        let last = self.list(usize::MAX).1.len().saturating_sub(1);
        self.scroll = self.scroll.saturating_add(rows).min(last);
    }

    pub(super) const fn scroll_back(&mut self, rows: usize) {
        self.scroll = self.scroll.saturating_sub(rows);
    }

    /// As many lines as there are rows, none longer than `width`.
    pub(super) fn lines(&self, width: usize, height: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut add = |text: String, style: Style| lines.push(Line { text, style });
        add(self.title(), Style::Reverse);
        for head in [
            links(&self.status),
            grandmaster(&self.status),
            clients_now(&self.status),
            times(&self.status),
        ] {
            for text in head.lines(width) {
                add(text, Style::Plain);
            }
        }
        for text in self.warning(width) {
            add(text, Style::Bold);
        }
        let (heading, rows) = self.list(width);
        add(heading, Style::Reverse);
        let room = height.saturating_sub(lines.len() + 1);
        let mut list = rows.into_iter().skip(self.scroll);
        for _ in 0..room {
            lines.push(Line {
                text: list.next().unwrap_or_default(),
                style: Style::Plain,
            });
        }
        lines.truncate(height.saturating_sub(1));
        lines.push(Line {
            text: self.keys(width),
            style: Style::Reverse,
        });
        lines.truncate(height);
        for line in &mut lines {
            line.text = fit(&line.text, width, line.style == Style::Reverse);
        }
        lines
    }

    fn title(&self) -> String {
        let status = &self.status;
        let state = match (&self.error, self.paused) {
            (Some(_), _) => "  NO ANSWER",
            (None, true) => "  PAUSED",
            (None, false) => "",
        };
        let role = match status.role.pair {
            true => format!("  {}", status::role(&status.role)),
            false => String::new(),
        };
        format!(
            "ptpproxy {}  up {}  {}{state}{role}",
            status.version,
            long(status.uptime_s),
            status.mode
        )
    }

    /// The gravest thing that is wrong; an empty line if there is none.
    fn warning(&self, width: usize) -> Vec<String> {
        let text = match (&self.error, self.status.warnings.split_first()) {
            (Some(error), _) => format!("! {error}"),
            (None, None) => String::new(),
            (None, Some((first, []))) => format!("! {}", first.text),
            (None, Some((first, rest))) => format!("! (w: {} more) {}", rest.len(), first.text),
        };
        let mut lines = wrap(&text, width.max(NARROW));
        lines.truncate(WARNING_LINES);
        lines
    }

    /// The heading of the list, and its rows.
    fn list(&self, width: usize) -> (String, Vec<String>) {
        match self.shown {
            View::Clients => self.client_rows(width),
            View::Drops => {
                let mut rows = vec![row(&[
                    "from", "message", "reason", "count", "now", "remedy",
                ])];
                rows.extend(status::drop_rows(&self.status.drops));
                headed(columns(&left_last(rows), 3))
            }
            View::Frames => headed(columns(&status::frames(&self.status.frames), 2)),
            View::Warnings => {
                let warnings = &self.status.warnings;
                let heading = match warnings.len() {
                    0 => "nothing is wrong".to_owned(),
                    count => format!("{count} warnings"),
                };
                let wide = width.clamp(NARROW, 200);
                let rows = warnings
                    .iter()
                    .flat_map(|warning| wrap(&warning.text, wide));
                (heading, rows.collect())
            }
        }
    }

    fn client_rows(&self, width: usize) -> (String, Vec<String>) {
        let list = &self.clients;
        let mut rows = vec![clients::headings(list)];
        rows.extend((list.clients.iter()).map(|client| clients::cells(list, client)));
        // A column before those of each list.
        let before = usize::from(clients::has_several(list));
        let mut shown: Vec<usize> = (0..before + clients::HEADINGS.len()).collect();
        let wide = |column: usize| {
            rows.iter()
                .filter_map(|row| Some(row.get(column)?.chars().count()))
                .max()
                .unwrap_or(0)
        };
        for least in LEAST {
            let needed: usize = shown.iter().map(|&column| wide(column) + 2).sum();
            if needed <= width.saturating_add(2) {
                break;
            }
            shown.retain(|&column| column != before + least);
        }
        let left = shown
            .iter()
            .filter(|&&column| column < before + clients::TEXT)
            .count();
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|row| {
                shown
                    .iter()
                    .filter_map(|&column| row.get(column).cloned())
                    .collect()
            })
            .collect();
        headed(columns(&rows, left))
    }

    fn keys(&self, width: usize) -> String {
        let view = |key: &str, name: &str, view: View| {
            if self.shown == view {
                format!("[{key} {name}]")
            } else {
                format!(" {key} {name} ")
            }
        };
        let keys = format!(
            "q quit  p pause {}{}{}{} s sort: {}",
            view("c", "clients", View::Clients),
            view("d", "drops", View::Drops),
            view("f", "frames", View::Frames),
            view("w", "warnings", View::Warnings),
            self.sort.label()
        );
        // Who does not read it finds it out.
        let more = format!("{keys}  up/down scroll");
        if more.len() <= width { more } else { keys }
    }
}

/// A part of the head: what it is about, and its figures.
struct Head {
    label: &'static str,
    parts: Vec<String>,
}

impl Head {
    /// In as many lines as it takes; no figure is broken.
    fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = vec![format!("{:<INDENT$}", self.label)];
        let mut empty = true;
        for (n, part) in self.parts.iter().enumerate() {
            let separator = if n + 1 < self.parts.len() { "," } else { "" };
            let Some(line) = lines.last_mut() else {
                break;
            };
            let space = usize::from(!empty);
            if !empty && line.len() + space + part.len() + separator.len() > width {
                lines.push(format!("{:<INDENT$}{part}{separator}", ""));
            } else {
                line.extend(std::iter::repeat_n(' ', space));
                *line += part;
                *line += separator;
            }
            empty = false;
        }
        lines
    }
}

fn links(status: &Status) -> Head {
    let port = |port: &PortStatus| {
        let mut text = format!("{} {}: {}", port.side, port.name, port.link);
        if port.counts.ring_drops > 0 {
            text += &format!(" ({} ring drops)", port.counts.ring_drops);
        }
        text
    };
    let mut parts: Vec<String> = status.ports.iter().map(port).collect();
    parts.push(format!(
        "filter {} for {}",
        status.filter.kind, status.filter.clients
    ));
    Head {
        label: "links",
        parts,
    }
}

fn grandmaster(status: &Status) -> Head {
    let label = "grandmaster";
    let Some(master) = status.masters.first() else {
        return Head {
            label,
            parts: vec!["none seen upstream".to_owned()],
        };
    };
    let state = match (master.active, status.nobody_asks) {
        (true, _) => "active",
        (false, true) => "idle",
        (false, false) => "no Sync",
    };
    let mut parts = match &master.grandmaster {
        Some(of) => vec![of.identity.clone(), format!("class {}", of.clock_class)],
        None => vec![master.sender.clone()],
    };
    parts.extend([
        format!("domain {}", master.domain),
        state.to_owned(),
        master
            .rate_ppm
            .map_or_else(|| "rate unknown".to_owned(), |ppm| format!("{ppm:+.3} ppm")),
        master.variation_ns.map_or_else(
            || "variation unknown".to_owned(),
            |variation| format!("variation {}", ns(variation)),
        ),
    ]);
    Head { label, parts }
}

fn clients_now(status: &Status) -> Head {
    let clients = &status.clients;
    Head {
        label: "clients",
        parts: vec![
            format!("{} of {}", clients.known, status.limits.max_clients),
            format!("{} requests", rate(clients.requests_per_s)),
            format!("{} answered", percent(clients.answered_percent)),
            format!("{} open", clients.open),
            format!("{} waiting", clients.waiting),
        ],
    }
}

fn times(status: &Status) -> Head {
    let measures = &status.measures;
    let spread =
        |spread: &Spread| format!("{} / {}", whole_ns(spread.p50_ns), whole_ns(spread.p99_ns));
    let dropped: f64 = status.drops.iter().fold(0.0, |sum, drop| sum + drop.per_s);
    Head {
        label: "p50 / p99",
        parts: vec![
            format!("residence {}", spread(&measures.residence)),
            format!("answer {}", spread(&measures.response)),
            format!("dropped {}", rate(dropped)),
        ],
    }
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

/// The last column stands to the left.
fn left_last(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let width = rows
        .iter()
        .filter_map(|row| Some(row.last()?.chars().count()))
        .max()
        .unwrap_or(0);
    for row in &mut rows {
        if let Some(last) = row.last_mut() {
            *last = format!("{last:<width$}");
        }
    }
    rows
}

fn headed(mut lines: Vec<String>) -> (String, Vec<String>) {
    if lines.is_empty() {
        return (String::new(), lines);
    }
    let heading = lines.remove(0);
    (heading, lines)
}

/// Cut, or filled up, to `width`; nothing in it moves the cursor.
fn fit(text: &str, width: usize, fill: bool) -> String {
    let mut fitted: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '?'
            }
        })
        .take(width)
        .collect();
    if fill {
        let missing = width.saturating_sub(fitted.len());
        fitted.extend(std::iter::repeat_n(' ', missing));
    }
    fitted
}

/// Text in lines of at most `width`, broken between words.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else {
            break;
        };
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(format!("  {word}"));
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests;
