//! Status and clients, live in a terminal.

mod screen;
mod terminal;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::control::client::{Gateway, clients_request};
use crate::control::reply::{ClientList, Sort, Status};
use screen::{Screen, View};
use terminal::Terminal;

/// Polling interval of keys and signals.
const LOOK: Duration = Duration::from_millis(100);
/// Clients that are fetched beyond those on the screen, for scrolling.
const AHEAD: usize = 500;

/// Shows a gateway until `q` is pressed. The terminal is left as it was.
pub(super) fn run(gateway: &Gateway, interval: Duration) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    // Not SIGHUP, which ends it: a terminal that is gone has nothing to be put back, and reads its end for ever.
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut top = Top {
        screen: Screen::default(),
        rows: 0,
    };
    // Before the screen is taken, so that a wrong path is an error as of any command.
    top.fetch(gateway)?;
    let mut terminal = Terminal::take()?;
    let mut next = Instant::now() + interval;
    loop {
        let (width, height) = terminal.size()?;
        top.rows = usize::from(height);
        terminal.show(&top.screen.lines(usize::from(width), usize::from(height)))?;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= next && !top.screen.paused {
                next = now + interval;
                top.refresh(gateway);
                break;
            }
            let wait = if top.screen.paused {
                LOOK
            } else {
                LOOK.min(next.saturating_duration_since(now))
            };
            if !event::poll(wait)? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    match top.key(key) {
                        Wish::Quit => return Ok(()),
                        Wish::Again => top.refresh(gateway),
                        Wish::Drawn => {}
                    }
                    break;
                }
                Event::Resize(..) => break,
                _ => {}
            }
        }
    }
}

struct Top {
    screen: Screen,
    /// Of the terminal.
    rows: usize,
}

/// What a key asks for.
enum Wish {
    Quit,
    /// To ask the gateway again.
    Again,
    /// To draw again.
    Drawn,
}

impl Top {
    fn fetch(&mut self, gateway: &Gateway) -> anyhow::Result<()> {
        let status: Status = gateway.get("status")?;
        let limit = self.rows + self.screen.scroll + AHEAD;
        let clients: ClientList = gateway.get(&clients_request(self.screen.sort, Some(limit)))?;
        (self.screen.status, self.screen.clients) = (status, clients);
        self.screen.error = None;
        Ok(())
    }

    /// A gateway that is gone may come back.
    fn refresh(&mut self, gateway: &Gateway) {
        if let Err(error) = self.fetch(gateway) {
            self.screen.error = Some(format!("{error:#}"));
        }
    }

    fn key(&mut self, key: KeyEvent) -> Wish {
        let screen = &mut self.screen;
        let page = self.rows.saturating_sub(screen::FIXED).max(1);
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Wish::Quit;
            }
            KeyCode::Char('q') | KeyCode::Esc => return Wish::Quit,
            KeyCode::Char('p' | ' ') => screen.paused = !screen.paused,
            KeyCode::Char('c') => screen.view(View::Clients),
            KeyCode::Char('d') => screen.view(View::Drops),
            KeyCode::Char('f') => screen.view(View::Frames),
            KeyCode::Char('w') => screen.view(View::Warnings),
            KeyCode::Char('s') => {
                screen.sort = after(screen.sort);
                screen.view(View::Clients);
                return Wish::Again;
            }
            KeyCode::Down | KeyCode::Char('j') => screen.scroll_by(1),
            KeyCode::Up | KeyCode::Char('k') => screen.scroll_back(1),
            KeyCode::PageDown => screen.scroll_by(page),
            KeyCode::PageUp => screen.scroll_back(page),
            KeyCode::Home | KeyCode::Char('g') => screen.scroll = 0,
            _ => {}
        }
        Wish::Drawn
    }
}

fn after(sort: Sort) -> Sort {
    let at = Sort::ALL.iter().position(|&one| one == sort).unwrap_or(0);
    Sort::ALL
        .get((at + 1) % Sort::ALL.len())
        .copied()
        .unwrap_or_default()
}
