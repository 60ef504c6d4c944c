//! What is on the screen: lines of text for any size.

use crate::control::reply::{ClientList, Sort, Status};
use crate::show::figures::{columns, long, ns, percent, rate, whole_ns};
use crate::show::{clients, status};

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
    let port = |port: &crate::control::reply::Port| {
        let mut text = format!("{} {}: {}", port.side, port.name, port.link);
        if port.ring_drops > 0 {
            text += &format!(", {} ring drops", port.ring_drops);
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
        return "grandmaster  none heard".to_owned();
    };
    let name = match &master.grandmaster {
        Some(grandmaster) => format!("{} class {}", grandmaster.identity, grandmaster.clock_class),
        None => master.sender.clone(),
    };
    let rate = master.rate_ppm.map_or_else(
        || "rate not known".to_owned(),
        |ppm| format!("{ppm:+.3} ppm"),
    );
    let variation = master.variation_ns.map(ns).unwrap_or_default();
    format!(
        "grandmaster  {name}, domain {}, {}, {rate}, varies {variation}",
        master.domain,
        if master.active { "active" } else { "no Sync" }
    )
}

fn times(status: &Status) -> String {
    let measures = &status.measures;
    let spread = |spread: &crate::control::reply::Spread| {
        format!("{} / {}", whole_ns(spread.p50_ns), whole_ns(spread.p99_ns))
    };
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
mod tests {
    use super::*;
    use crate::control::reply::{Client, Warning};

    fn screen(clients: usize) -> Screen {
        let client = |n: usize| Client {
            identity: format!("020000.fffe.{n:06x}-1"),
            address: format!("fd00:1111:2222:3333:4444:5555:6666:{n:x}"),
            interval_ms: Some(125.0),
            answered_percent: Some(99.5),
            residence_ms: Some(9.81),
            response_ms: Some(0.4),
            ..Client::default()
        };
        let mut screen = Screen {
            clients: ClientList {
                clients: (0..clients).map(client).collect(),
                ..ClientList::default()
            },
            ..Screen::default()
        };
        screen.status.warnings = vec![Warning {
            code: "no-sync".into(),
            text: "no Sync for 5 s: look at the grandmaster and the way to it".into(),
        }];
        screen
    }

    #[test]
    fn every_size_is_filled_and_nothing_is_wider() {
        let mut screen = screen(100);
        for view in [View::Clients, View::Drops, View::Frames, View::Warnings] {
            screen.view(view);
            for (width, height) in [
                (80, 24),
                (200, 60),
                (40, 10),
                (10, 3),
                (1, 1),
                (0, 0),
                (500, 2),
            ] {
                let lines = screen.lines(width, height);
                assert_eq!(lines.len(), height, "{view:?} {width}x{height}");
                assert!(lines.iter().all(|line| line.text.len() <= width));
            }
        }
    }

    #[test]
    fn eighty_columns_show_how_each_client_is_served_and_the_keys() {
        let mut screen = screen(100);
        let lines = screen.lines(80, 24);
        let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        for heading in ["identity", "interval", "answered", "response"] {
            assert!(text[6].contains(heading), "{heading}: {}", text[6]);
        }
        assert!(text[7].contains("020000.fffe.000000-1") && text[7].contains("99.5 %"));
        assert!(text[22].contains("020000.fffe.00000f-1"), "the last row");
        assert!(text[5].starts_with("! no Sync for 5 s"), "{}", text[5]);
        for key in [
            "q quit",
            "p pause",
            "[c clients]",
            "d drops",
            "s sort: identity",
        ] {
            assert!(text[23].contains(key), "{key}: {}", text[23]);
        }
        screen.scroll_by(1_000);
        assert!(
            screen.lines(80, 24)[7].text.contains("000063-1"),
            "stops at the last"
        );
        screen.scroll_back(1_000);
        assert_eq!(screen.lines(80, 24), lines);
        assert!(
            screen.lines(140, 24)[7].text.contains("fd00:1111"),
            "wider shows more"
        );
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(fit("a\x1b[2Jb\n", 80, false), "a?[2Jb?");
        assert_eq!(fit("abc", 2, true), "ab");
        assert_eq!(fit("a", 3, true), "a  ");
        assert_eq!(wrap("one two three", 8), ["one two", "  three"]);
    }
}
