//! What is on the screen: lines of text for any size.

use crate::control::reply::{ClientList, PortStatus, Sort, Status};
use crate::show::figures::{columns, long, ns, percent, rate, whole_ns};
use crate::show::{clients, status};
use crate::telemetry::Spread;

/// Rows beside the list: those above it, its heading, and the keys.
pub(super) const FIXED: usize = 8;
/// Which columns of a client are dropped first where there is no room, by their place in
/// [`clients::HEADINGS`].
const LEAST: [usize; 8] = [6, 2, 4, 9, 7, 1, 8, 3];

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
        add(links(&self.status), Style::Plain);
        add(grandmaster(&self.status), Style::Plain);
        add(
            format!("clients      {}", status::clients(&self.status)),
            Style::Plain,
        );
        add(times(&self.status), Style::Plain);
        add(self.warning(), Style::Bold);
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
            text: self.keys(),
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
        format!(
            "ptpproxy {}  up {}  {}{state}",
            status.version,
            long(status.uptime_s),
            status.mode
        )
    }

    fn warning(&self) -> String {
        if let Some(error) = &self.error {
            return format!("! {error}");
        }
        match self.status.warnings.split_first() {
            None => String::new(),
            Some((first, [])) => format!("! {}", first.text),
            Some((first, rest)) => format!("! (w: {} more) {}", rest.len(), first.text),
        }
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
                let wide = width.clamp(20, 200);
                let rows = warnings
                    .iter()
                    .flat_map(|warning| wrap(&warning.text, wide));
                (heading, rows.collect())
            }
        }
    }

    fn client_rows(&self, width: usize) -> (String, Vec<String>) {
        let mut rows = vec![clients::HEADINGS.map(str::to_owned).to_vec()];
        rows.extend(
            self.clients
                .clients
                .iter()
                .map(|client| clients::row(client).to_vec()),
        );
        let mut shown: Vec<usize> = (0..clients::HEADINGS.len()).collect();
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
            shown.retain(|&column| column != least);
        }
        let left = shown.iter().filter(|&&column| column < 2).count();
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

    fn keys(&self) -> String {
        let view = |key: &str, name: &str, view: View| {
            if self.shown == view {
                format!("[{key} {name}]")
            } else {
                format!(" {key} {name} ")
            }
        };
        format!(
            "q quit  p pause {}{}{}{} s sort: {}  up/down scroll",
            view("c", "clients", View::Clients),
            view("d", "drops", View::Drops),
            view("f", "frames", View::Frames),
            view("w", "warnings", View::Warnings),
            self.sort.label()
        )
    }
}

fn links(status: &Status) -> String {
    let [up, down] = &status.ports;
    let port = |port: &PortStatus| {
        let mut text = format!("{} {}: {}", port.side, port.name, port.link);
        if port.counts.ring_drops > 0 {
            text += &format!(", {} ring drops", port.counts.ring_drops);
        }
        text
    };
    format!(
        "links        {}; {}; filter {} for {}",
        port(up),
        port(down),
        status.filter.kind,
        status.filter.clients
    )
}

fn grandmaster(status: &Status) -> String {
    let Some(master) = status.masters.first() else {
        return "grandmaster  none seen upstream".to_owned();
    };
    let name = match &master.grandmaster {
        Some(grandmaster) => format!("{} class {}", grandmaster.identity, grandmaster.clock_class),
        None => master.sender.clone(),
    };
    let rate = master
        .rate_ppm
        .map_or_else(|| "rate unknown".to_owned(), |ppm| format!("{ppm:+.3} ppm"));
    let variation = master.variation_ns.map_or_else(
        || "variation unknown".to_owned(),
        |variation| format!("variation {}", ns(variation)),
    );
    format!(
        "grandmaster  {name}, domain {}, {}, {rate}, {variation}",
        master.domain,
        match (master.active, status.nobody_asks) {
            (true, _) => "active",
            (false, true) => "idle",
            (false, false) => "no Sync",
        }
    )
}

fn times(status: &Status) -> String {
    let measures = &status.measures;
    let spread =
        |spread: &Spread| format!("{} / {}", whole_ns(spread.p50_ns), whole_ns(spread.p99_ns));
    let dropped: f64 = status.drops.iter().fold(0.0, |sum, drop| sum + drop.per_s);
    format!(
        "p50 / p99    residence {}, answer {}; dropped {}, answered {}",
        spread(&measures.residence),
        spread(&measures.response),
        rate(dropped),
        percent(status.clients.answered_percent)
    )
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
