//! `ptpproxy top` in a terminal of fixed size: what is on the screen, what keys do, and that the terminal is
//! left as it was.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ptpproxy_lab::in_sandbox;
use ptpproxy_lab::ptp4l::TempDir;

use crate::control::round;
use crate::host::ETHERNET;
use crate::installed;
use crate::proxy::{PATIENCE, Proxy};
use crate::segments::Line;

/// A shell in a terminal.
struct Terminal {
    tmux: PathBuf,
    socket: PathBuf,
}

impl Terminal {
    fn new(tmux: &Path, folder: &Path, columns: u16, rows: u16) -> Self {
        let terminal = Self {
            tmux: tmux.to_owned(),
            socket: folder.join("tmux"),
        };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "env PS1='$ ' sh",
        ]);
        // No line of its own at the bottom.
        terminal.tmux(&["set", "-g", "status", "off"]);
        terminal.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.tmux)
            .arg("-S")
            .arg(&self.socket)
            .args(arguments)
            .env("TERM", "xterm")
            .current_dir(self.socket.parent().unwrap())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> Vec<String> {
        let text = self.tmux(&["capture-pane", "-p"]);
        text.lines().map(str::to_owned).collect()
    }

    /// Looks until the screen is so.
    fn until(&self, what: &str, so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + 2 * PATIENCE;
        loop {
            let screen = self.screen();
            if so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never {what}: {screen:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the other screen is on, and whether the cursor shows.
    fn modes(&self) -> String {
        let modes = self.tmux(&["display", "-p", "#{alternate_on} #{cursor_flag}"]);
        modes.trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new(&self.tmux)
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}

fn has(screen: &[String], part: &str) -> bool {
    screen.iter().any(|line| line.contains(part))
}

#[test]
fn top_fills_the_terminal_and_leaves_it_as_it_was() {
    in_sandbox!({
        let Some(tmux) = installed::find("tmux", "tmux") else {
            return;
        };
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", socket.to_str().unwrap()]);
        let (mut above, mut below) = line.hosts(ETHERNET);
        above.introduce();
        for number in 1..=5 {
            round(&mut above, &mut below, number);
        }
        let terminal = Terminal::new(&tmux, folder.path(), 80, 24);
        terminal.until("a prompt", |screen| has(screen, "$"));
        terminal.keys(&["stty -a > before; echo earlier", "Enter"]);
        terminal.until("typed", |screen| {
            screen.iter().any(|line| line == "earlier")
        });
        let program = env!("CARGO_BIN_EXE_ptpproxy");
        let top = format!(
            "{program} top --interval 200ms --socket {}",
            socket.display()
        );
        terminal.keys(&["-l", &top]);
        terminal.keys(&["Enter"]);

        let screen = terminal.until("three clients", |screen| {
            screen
                .iter()
                .filter(|line| line.contains("100.0 %"))
                .count()
                >= 3
                && screen.len() == 24
                // The kernel tells late that a new cable has a link.
                && screen[1].contains("up up0: up, down down0: up")
                && has(screen, "identity")
        });
        assert!(screen[0].starts_with("ptpproxy "), "{screen:#?}");
        assert!(
            screen[1].contains("up up0: up, down down0: up"),
            "{screen:#?}"
        );
        assert!(screen[2].starts_with("grandmaster "), "{screen:#?}");
        // No figure is cut: what does not fit is on a line of its own.
        for figure in [
            "variation ",
            "rate ",
            "3 of ",
            " requests, ",
            " open, ",
            " waiting",
            "dropped ",
        ] {
            assert!(has(&screen, figure), "{figure}: {screen:#?}");
        }
        assert!(
            screen.iter().any(|line| line.starts_with("identity")),
            "{screen:#?}"
        );
        assert!(
            !has(&screen, "up/down") || screen[23].ends_with("scroll"),
            "{screen:#?}"
        );
        for key in [
            "q quit",
            "p pause",
            "[c clients]",
            "d drops",
            "f frames",
            "s sort: identity",
        ] {
            assert!(screen[23].contains(key), "{key}: {screen:#?}");
        }
        assert!(!has(&screen, "earlier"), "{screen:#?}");
        assert_eq!(terminal.modes(), "1 0");

        terminal.keys(&["f"]);
        terminal.until("frames", |screen| {
            has(screen, "[f frames]") && has(screen, "delay_resp")
        });
        terminal.keys(&["s"]);
        terminal.until("sorted", |screen| {
            has(screen, "s sort: address") && has(screen, "[c clients]")
        });
        terminal.keys(&["p"]);
        terminal.until("paused", |screen| screen[0].contains("PAUSED"));
        terminal.keys(&["p"]);
        terminal.until("not paused", |screen| !screen[0].contains("PAUSED"));

        // Another size, there and back.
        for (columns, rows, last) in [("60", "12", 11), ("120", "40", 39), ("80", "24", 23)] {
            terminal.tmux(&["resize-window", "-x", columns, "-y", rows]);
            terminal.until("resized", |screen| {
                screen.len() == last + 1 && screen[last].contains("q quit")
            });
        }
        // The gateway goes, and top says so.
        proxy.stop();
        terminal.until("no answer", |screen| {
            screen[0].contains("NO ANSWER") && has(screen, "no gateway has its control socket here")
        });

        terminal.keys(&["q"]);
        let screen = terminal.until("the shell", |screen| has(screen, "earlier"));
        assert!(!has(&screen, "q quit"), "{screen:#?}");
        assert_eq!(terminal.modes(), "0 1");
        terminal.keys(&[
            "echo ended $?; stty -a > after; cmp before after && echo as before",
            "Enter",
        ]);
        terminal.until("as it was", |screen| {
            has(screen, "ended 0") && screen.iter().any(|line| line == "as before")
        });
        // Without a gateway it says so and takes nothing.
        terminal.keys(&["clear", "Enter"]);
        terminal.keys(&["-l", &top]);
        terminal.keys(&["Enter"]);
        terminal.until("an error", |screen| has(screen, "error: top: "));
        assert_eq!(terminal.modes(), "0 1");
    });
}

/// What reads a terminal that is gone reads the end for ever.
#[test]
fn a_terminal_that_goes_ends_top() {
    in_sandbox!({
        let Some(tmux) = installed::find("tmux", "tmux") else {
            return;
        };
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("gateway.sock");
        let line = Line::new();
        let proxy = Proxy::start(&line.gateway, &["--control", socket.to_str().unwrap()]);
        let terminal = Terminal::new(&tmux, folder.path(), 80, 24);
        terminal.until("a prompt", |screen| has(screen, "$"));
        let program = env!("CARGO_BIN_EXE_ptpproxy");
        let top = format!(
            "sh -c 'echo $$ > pid; exec {program} top --socket {}'",
            socket.display()
        );
        terminal.keys(&["-l", &top]);
        terminal.keys(&["Enter"]);
        terminal.until("top", |screen| has(screen, "q quit"));
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let process = Path::new("/proc").join(pid.trim());
        assert!(process.exists());
        drop(terminal);
        let deadline = Instant::now() + PATIENCE;
        while process.exists() {
            assert!(Instant::now() < deadline, "top goes on without a terminal");
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy.stop();
    });
}
