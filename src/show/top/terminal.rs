//! The terminal: taken for a while, and given back as it was.

use std::io::{self, Write as _};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::screen::{Line, Style};

/// The terminal in raw mode with its other screen on; dropping it gives it back.
pub(super) struct Terminal(());

impl Terminal {
    pub(super) fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let terminal = Self(());
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        size()
    }

    /// Shows these lines from the top, in one piece.
    pub(super) fn show(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut out = Vec::new();
        queue!(out, BeginSynchronizedUpdate)?;
        for (row, line) in (0_u16..).zip(lines) {
            queue!(out, MoveTo(0, row), Clear(ClearType::CurrentLine))?;
            match line.style {
                Style::Plain => queue!(out, Print(&line.text))?,
                Style::Bold => queue!(
                    out,
                    SetAttribute(Attribute::Bold),
                    Print(&line.text),
                    SetAttribute(Attribute::Reset)
                )?,
                Style::Reverse => queue!(
                    out,
                    SetAttribute(Attribute::Reverse),
                    Print(&line.text),
                    SetAttribute(Attribute::Reset)
                )?,
            }
        }
        queue!(out, EndSynchronizedUpdate)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // An error could not be shown any more.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
